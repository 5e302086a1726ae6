/* loops ── metric_add() ─► blocks ─► metrics_sum() ─► /metrics
 *
 * Blocks are added at the head of a list and never removed before metrics_close(). So a scrape
 * walks the list without a lock. */
#include "common/base/metrics.h"
#include "common/base/mem.h"
#include <assert.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define CACHE_LINE 64

struct block {
    struct block *next;
    void *memory; /* what malloc gave; values is aligned within */
    _Atomic int64_t *values;
};

struct metrics {
    const struct metric_row *rows;
    size_t n;
    struct block *_Atomic blocks;
};

static bool same_text(const char *a, const char *b)
{
    return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

/* Prometheus refuses a page in which rows of one name do not stand together, or a series comes
 * twice. */
static void check_rows(const struct metric_row *rows, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        assert(rows[i].name != NULL && rows[i].help != NULL);
        for (size_t j = 0; j < i; j++) {
            bool same = strcmp(rows[i].name, rows[j].name) == 0;
            assert(!same || strcmp(rows[i - 1].name, rows[i].name) == 0);
            assert(!same || !same_text(rows[i].labels, rows[j].labels));
            assert(!same || rows[i].type == rows[j].type);
        }
    }
}

struct metrics *metrics_open(const struct metric_row *rows, size_t n)
{
    struct metrics *metrics = mem_zalloc(sizeof(*metrics));
    check_rows(rows, n);
    metrics->rows = rows;
    metrics->n = n;
    return metrics;
}

void metrics_close(struct metrics *metrics)
{
    struct block *block, *next;
    if (metrics == NULL)
        return;
    for (block = metrics->blocks; block != NULL; block = next) {
        next = block->next;
        free(block->memory);
        free(block);
    }
    free(metrics);
}

_Atomic int64_t *metrics_block(struct metrics *metrics)
{
    struct block *block = mem_zalloc(sizeof(*block));
    /* A block has whole cache lines to itself, so that counters of two threads never share one. */
    size_t bytes = (metrics->n * sizeof(int64_t) + CACHE_LINE) / CACHE_LINE * CACHE_LINE;
    block->memory = mem_zalloc(bytes + CACHE_LINE);
    uintptr_t skip = -(uintptr_t)block->memory % CACHE_LINE;
    block->values = (_Atomic int64_t *)(void *)((char *)block->memory + skip);
    block->next = atomic_load_explicit(&metrics->blocks, memory_order_relaxed);
    while (!atomic_compare_exchange_weak_explicit(&metrics->blocks, &block->next, block,
                                                  memory_order_release, memory_order_relaxed))
        continue;
    return block->values;
}

int64_t metrics_sum(struct metrics *metrics, size_t id)
{
    int64_t sum = 0;
    assert(id < metrics->n);
    const struct block *block = atomic_load_explicit(&metrics->blocks, memory_order_acquire);
    for (; block != NULL; block = block->next)
        sum += atomic_load_explicit(&block->values[id], memory_order_relaxed);
    return sum;
}

static const char *type_name(enum metric_type type)
{
    return type == METRIC_COUNTER ? "counter" : "gauge";
}

void metrics_render(struct metrics *metrics, FILE *out)
{
    for (size_t i = 0; i < metrics->n; i++) {
        const struct metric_row *row = &metrics->rows[i];
        if (i == 0 || strcmp(metrics->rows[i - 1].name, row->name) != 0)
            fprintf(out, "# HELP %s %s\n# TYPE %s %s\n", row->name, row->help, row->name,
                    type_name(row->type));
        if (row->labels != NULL)
            fprintf(out, "%s{%s} %" PRId64 "\n", row->name, row->labels, metrics_sum(metrics, i));
        else
            fprintf(out, "%s %" PRId64 "\n", row->name, metrics_sum(metrics, i));
    }
}

void metrics_document(const struct metric_row *rows, size_t n, const char *title, FILE *out)
{
    fprintf(out, "## %s\n\n| metric | type | labels | meaning |\n| --- | --- | --- | --- |\n",
            title);
    for (size_t i = 0; i < n; i++)
        fprintf(out, "| `%s` | %s | %s%s%s | %s |\n", rows[i].name, type_name(rows[i].type),
                rows[i].labels != NULL ? "`" : "", rows[i].labels != NULL ? rows[i].labels : "",
                rows[i].labels != NULL ? "`" : "",
                *rows[i].help != '\0' ? rows[i].help : "as above");
}
