/* lag_report.h - how far behind job is. Worked out ten times a second, and told to every logic
 * twice a second: logic refuses pushes by it. Main loop only. */
#ifndef IMC_JOB_MAILBOX_LAG_REPORT_H
#define IMC_JOB_MAILBOX_LAG_REPORT_H

#include <stdint.h>

struct job;

enum { LAG_REPORT_EVERY_MS = 100 };

/* Every LAG_REPORT_EVERY_MS: LAG_MS and SPAN_PERMILLE are those of partition_reader.h. Logs, and
 * tells job->stalled, when storing begins to stand still or goes on again. */
void lag_report_look(struct job *job, int64_t lag_ms, int64_t span_permille);

#endif
