/* plot.h - a timeline as a picture: latency, deliveries per second and CPU over time, one below the
 * other. Controller only. */
#ifndef IMC_BENCH_REPORT_PLOT_H
#define IMC_BENCH_REPORT_PLOT_H

#include "bench/report/timeline.h"

#include <stdio.h>

/* Writes an SVG document. */
void plot_write(const struct sample *samples, size_t n, const char *title, FILE *out);

#endif
