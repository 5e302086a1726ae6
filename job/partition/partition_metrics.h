/* partition_metrics.h - how far behind job is, by partition. Main loop only. */
#ifndef IMC_JOB_PARTITION_PARTITION_METRICS_H
#define IMC_JOB_PARTITION_PARTITION_METRICS_H

#include "common/base/exposition.h"
#include <stdint.h>

struct job;

/* Messages behind what is resolved, in all assigned partitions. */
int64_t partitions_behind(const struct job *job);
/* A series of each row for each assigned partition. */
void partitions_render(const struct job *job, struct exposition *to);
/* The rows, for docs/metrics.md. */
void partition_metrics_document(FILE *out);

#endif
