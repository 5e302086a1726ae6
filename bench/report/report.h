/* report.h - the results of a run: rows of label, value and unit, printed as tables and written as
 * JSON. Controller only. */
#ifndef IMC_BENCH_REPORT_REPORT_H
#define IMC_BENCH_REPORT_REPORT_H

#include "bench/base/histogram.h"

#include <stdio.h>

struct report;

struct report *report_new(void);
void report_free(struct report *report);
/* Begins a table, which gets all rows from now on. NAME is its key in the JSON. */
void report_table(struct report *report, const char *name, const char *title);
/* Adds a row. KEY is its name in the JSON, with the unit ("latency_p50_ms"). UNIT is printed after
 * the value. */
void report_number(struct report *report, const char *key, const char *label, double value,
                   const char *unit);
void report_text(struct report *report, const char *key, const char *label, const char *text);
/* Adds rows for p50, p99, p99.9 and the maximum, in milliseconds; none if nothing was recorded. */
void report_latency(struct report *report, const char *key, const char *label,
                    const struct hist *hist);
/* Prints the tables that were not printed yet. */
void report_print(struct report *report, FILE *out);
/* 0, or -E…. */
int report_write_json(const struct report *report, const char *path);

#endif
