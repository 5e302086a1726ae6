/* exposition.h - writes metrics as Prometheus's text, or as OpenMetrics if the scraper asks for
 * that. Any thread.
 *
 * https://prometheus.io/docs/instrumenting/exposition_formats/
 * https://github.com/prometheus/OpenMetrics/blob/main/specification/OpenMetrics.md */
#ifndef IMC_COMMON_BASE_EXPOSITION_H
#define IMC_COMMON_BASE_EXPOSITION_H

#include "common/base/metric_row.h"
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct exposition {
    FILE *out;
    bool openmetrics;
    const char *family; /* the name whose HELP and TYPE were written last; NULL: none */
};

/* Does the header ACCEPT (NULL: there is none) ask for OpenMetrics? */
bool exposition_wanted(const char *accept);
/* The Content-Type of the page. */
const char *exposition_type(bool openmetrics);

/* Each writes one series of ROW, before the first one HELP and TYPE. LABELS: NULL, or text as in a
 * row. All series of a name have to come one after the other. */
void exposition_int(struct exposition *to, const struct metric_row *row, const char *labels,
                    int64_t value);
void exposition_real(struct exposition *to, const struct metric_row *row, const char *labels,
                     double value);
/* SLOTS has HISTOGRAM_SLOTS values. */
void exposition_histogram(struct exposition *to, const struct metric_row *row, const char *labels,
                          const int64_t *slots);
/* Ends the page. */
void exposition_end(struct exposition *to);

/* Appends TEXT as the value of a label, without the quotes around it. */
void exposition_label(FILE *out, const char *text);

#endif
