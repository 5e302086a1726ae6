/* metrics.h - tables of counters, gauges and histograms. Each thread has a block of values; a
 * scrape sums the blocks.
 *
 * A daemon lists its metrics as rows: an enum and a table, both from one X-macro. Every loop opens
 * a block and is the only one to write to it, with relaxed stores. So counting needs no lock and
 * shares no cache line. metrics_render() may run on any thread at any time. docs/metrics.md is
 * generated from the tables.
 *
 * The macro takes X(ID, name, labels, type, help) for a value, and H(ID, name, labels, first, last,
 * help) for a histogram that shows the bounds FIRST to LAST. The enum has the place of each row's
 * values in a block: one, or HISTOGRAM_SLOTS. */
#ifndef IMC_COMMON_BASE_METRICS_H
#define IMC_COMMON_BASE_METRICS_H

#include "common/base/metric_row.h"
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct exposition;
struct metrics; /* one table and its blocks */
struct metrics *metrics_open(const struct metric_row *rows, size_t n);
void metrics_close(struct metrics *metrics);
/* A zeroed block, owned by METRICS; any thread may ask for one. */
_Atomic int64_t *metrics_block(struct metrics *metrics);
/* The sum of one value over all blocks. ID is its place in them. */
int64_t metrics_sum(struct metrics *metrics, size_t id);
/* The same of row number ROW of the table; of a histogram its first bucket. */
int64_t metrics_row_sum(struct metrics *metrics, size_t row);
/* Writes all metrics. A histogram with labels that was never observed is left out: the table has a
 * row for whatever may come. */
void metrics_render(struct metrics *metrics, struct exposition *to);
/* Writes the rows as a Markdown table, for docs/metrics.md. */
void metrics_document(const struct metric_row *rows, size_t n, const char *title, FILE *out);
/* Goes on with such a table. */
void metrics_document_rows(const struct metric_row *rows, size_t n, FILE *out);

/* All: only the thread that owns BLOCK. */
static inline void metric_add(_Atomic int64_t *block, size_t id, int64_t by)
{
    int64_t before = atomic_load_explicit(&block[id], memory_order_relaxed);

    atomic_store_explicit(&block[id], before + by, memory_order_relaxed);
}
static inline void metric_set(_Atomic int64_t *block, size_t id, int64_t value)
{
    atomic_store_explicit(&block[id], value, memory_order_relaxed);
}
/* N things took US microseconds each; negative, by a clock that was set, counts as 0. */
static inline void metric_observe(_Atomic int64_t *block, size_t id, int64_t us, int64_t n)
{
    uint64_t took = us > 0 ? (uint64_t)us : 0;

    metric_add(block, id + histogram_slot(took), n);
    metric_add(block, id + HISTOGRAM_SUM, (int64_t)took * n);
}

#endif
