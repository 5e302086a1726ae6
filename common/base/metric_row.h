/* metric_row.h - a row of a table of metrics: shapes only. metrics.h says how tables are made. */
#ifndef IMC_COMMON_BASE_METRIC_ROW_H
#define IMC_COMMON_BASE_METRIC_ROW_H

#include "common/base/histogram.h"
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

enum metric_type {
    METRIC_COUNTER,
    METRIC_GAUGE,
    METRIC_COUNTER_MICRO, /* its block has millionths of what is shown: microseconds of seconds */
    METRIC_COUNTER_MILLI, /* thousandths */
    METRIC_GAUGE_MILLI,
    METRIC_HISTOGRAM,
};

struct metric_row {
    const char *name;   /* "imc_comet_writes_total" */
    const char *labels; /* "reason=\"slow\"", or NULL. Rows of one name stand together, with the
                         * same help and type */
    enum metric_type type;
    const char *help;    /* "": that of the row before */
    uint8_t first, last; /* of a histogram: the bounds that are shown (enum histogram_bound) */
};

/* What the table's macro makes of its rows. */
#define METRIC_ROW(id_, name_, labels_, type_, help_) \
    {.name = (name_), .labels = (labels_), .type = (type_), .help = (help_)},
#define METRIC_ROW_H(id_, name_, labels_, first_, last_, help_) \
    {.name = (name_),                                           \
     .labels = (labels_),                                       \
     .type = METRIC_HISTOGRAM,                                  \
     .help = (help_),                                           \
     .first = (first_),                                         \
     .last = (last_)},
/* The sum of these is the number of rows.
 * NOLINTNEXTLINE(bugprone-macro-parentheses): terms of a sum */
#define METRIC_ONE(...) +1

/* How much of a block's value is 1 of what is shown. */
static inline int metric_scale(enum metric_type type)
{
    if (type == METRIC_COUNTER_MICRO)
        return 1000000;
    return type == METRIC_COUNTER_MILLI || type == METRIC_GAUGE_MILLI ? 1000 : 1;
}

/* The value of METRIC's first label, of *LEN bytes: "slow". METRIC is a place in a block of the
 * table ROWS, where a histogram has several; its row has a label. */
static inline const char *metric_label(const struct metric_row *rows, size_t metric, size_t *len)
{
    const struct metric_row *row = rows;

    for (size_t at = 0; at < metric; row++)
        at += row->type == METRIC_HISTOGRAM ? HISTOGRAM_SLOTS : 1;
    const char *value = strchr(row->labels, '"') + 1;

    *len = strcspn(value, "\"");
    return value;
}

static inline const char *metric_type_name(enum metric_type type)
{
    if (type == METRIC_HISTOGRAM)
        return "histogram";
    return type == METRIC_GAUGE || type == METRIC_GAUGE_MILLI ? "gauge" : "counter";
}

#endif
