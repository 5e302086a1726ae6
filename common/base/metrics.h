/* metrics.h - counters and gauges by tables; one block of values per thread, summed when scraped.
 *
 * A daemon lists its metrics as rows (enum + table, by X-macro); every loop opens a block and alone
 * writes it, with plain relaxed stores: no lock, no shared cache line. metrics_render() may run on
 * any thread at any time. docs/metrics.md is generated from the tables. */
#ifndef IMC_COMMON_BASE_METRICS_H
#define IMC_COMMON_BASE_METRICS_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum metric_type { METRIC_COUNTER, METRIC_GAUGE };

struct metric_row {
    const char *name;   /* "imc_comet_writes_total" */
    const char *labels; /* "reason=\"slow\"" or NULL; rows of one name stand together and share help
                           and type */
    enum metric_type type;
    const char *help;
};

struct metrics; /* one table and its blocks */
struct metrics *metrics_open(const struct metric_row *rows, size_t n);
void metrics_close(struct metrics *metrics);
/* A zeroed block of n values, owned by METRICS; any thread may ask for one. */
int64_t *metrics_block(struct metrics *metrics);
/* Sum over the blocks. */
int64_t metrics_sum(struct metrics *metrics, size_t id);
/* Prometheus text format. */
void metrics_render(struct metrics *metrics, FILE *out);
/* Markdown table for docs/metrics.md. */
void metrics_document(const struct metric_row *rows, size_t n, const char *title, FILE *out);

/* The block's owner only. */
static inline void metric_add(int64_t *block, size_t id, int64_t by)
{
    __atomic_store_n(&block[id], block[id] + by, __ATOMIC_RELAXED);
}
static inline void metric_set(int64_t *block, size_t id, int64_t value)
{
    __atomic_store_n(&block[id], value, __ATOMIC_RELAXED);
}

#endif
