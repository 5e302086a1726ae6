/* metrics.h - tables of counters and gauges. Each thread has a block of values; a scrape sums the
 * blocks.
 *
 * A daemon lists its metrics as rows: an enum and a table, both from one X-macro. Every loop opens
 * a block and is the only one to write to it, with relaxed stores. So counting needs no lock and
 * shares no cache line. metrics_render() may run on any thread at any time. docs/metrics.md is
 * generated from the tables. */
#ifndef IMC_COMMON_BASE_METRICS_H
#define IMC_COMMON_BASE_METRICS_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum metric_type { METRIC_COUNTER, METRIC_GAUGE };

struct metric_row {
    const char *name;   /* "imc_comet_writes_total" */
    const char *labels; /* "reason=\"slow\"", or NULL. Rows of one name stand together, with the
                         * same help and type */
    enum metric_type type;
    const char *help;
};

struct metrics; /* one table and its blocks */
struct metrics *metrics_open(const struct metric_row *rows, size_t n);
void metrics_close(struct metrics *metrics);
/* A zeroed block of n values, owned by METRICS; any thread may ask for one. */
_Atomic int64_t *metrics_block(struct metrics *metrics);
/* The sum of one metric over all blocks. ID is its row in the table. */
int64_t metrics_sum(struct metrics *metrics, size_t id);
/* Writes all metrics in Prometheus' text format. */
void metrics_render(struct metrics *metrics, FILE *out);
/* Writes the rows as a Markdown table, for docs/metrics.md. */
void metrics_document(const struct metric_row *rows, size_t n, const char *title, FILE *out);

/* Both: only the thread that owns BLOCK. */
static inline void metric_add(_Atomic int64_t *block, size_t id, int64_t by)
{
    int64_t before = atomic_load_explicit(&block[id], memory_order_relaxed);

    atomic_store_explicit(&block[id], before + by, memory_order_relaxed);
}
static inline void metric_set(_Atomic int64_t *block, size_t id, int64_t value)
{
    atomic_store_explicit(&block[id], value, memory_order_relaxed);
}

#endif
