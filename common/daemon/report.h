/* report.h - what this daemon tells every logic of itself, for the console: a sample of its series
 * every five seconds, its conditions, settings and certificates. Main loop only.
 *
 *   housekeeping ─► report_look ─► series ─┬─ report_fill ─► ReportBatch ══► logic with a console
 *                                          └─ membership: one pipe per logic
 *
 * A logic without a console says so to the first report, and gets no other as long as it lives. A
 * logic that is new, or was away, gets the samples of the whole hour. */
#ifndef IMC_COMMON_DAEMON_REPORT_H
#define IMC_COMMON_DAEMON_REPORT_H

#include "common/daemon/series.h"

struct daemon;
struct reports;
struct metric_row;
struct Imc__V1__ReportBatch;

enum { REPORT_CERTIFICATES = 16 }; /* of a report */

/* Never NULL. */
struct reports *reports_open(struct daemon *daemon);
/* NULL is fine. */
void reports_close(struct reports *reports);
/* Call it ten times a second: takes a sample when a slot has ended. True: it took one. */
bool reports_look(struct reports *reports);
/* Reports now, not only when the slot has ended: this daemon stops, and may not be there by then.
 */
void reports_tell(struct reports *reports);
/* The list of logics has changed. */
void reports_update(struct reports *reports);
const struct series *reports_series(const struct reports *reports);

/* A request took US microseconds: the series "latency_us" has the time that one in a hundred
 * exceeds. */
void reports_took(struct reports *reports, uint64_t us);

/* Packs a report with the samples after slot AFTER, and hands the message to FN before it is freed.
 * CONFIG: with the settings. */
void reports_make(struct reports *reports, uint64_t after, bool config,
                  void (*fn)(struct Imc__V1__ReportBatch *batch, void *arg), void *arg);

#endif
