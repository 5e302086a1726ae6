/* loops ── metric_add() ─► blocks ─► metrics_sum() ─► /metrics
 *
 * Blocks are added at the head of a list and never removed before metrics_close(). So a scrape
 * walks the list without a lock. */
#include "common/base/metrics.h"
#include "common/base/exposition.h"
#include "common/base/mem.h"
#include <assert.h>
#include <stdatomic.h>
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
    size_t n, values; /* of a block */
    size_t *places;   /* of each row's first value in a block */
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

static size_t values_of(const struct metric_row *row)
{
    return row->type == METRIC_HISTOGRAM ? HISTOGRAM_SLOTS : 1;
}

struct metrics *metrics_open(const struct metric_row *rows, size_t n)
{
    struct metrics *metrics = mem_zalloc(sizeof(*metrics));
    check_rows(rows, n);
    metrics->rows = rows;
    metrics->n = n;
    metrics->places = mem_zalloc((n + 1) * sizeof(*metrics->places));
    for (size_t i = 0; i < n; i++) {
        metrics->places[i] = metrics->values;
        metrics->values += values_of(&rows[i]);
    }
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
    free(metrics->places);
    free(metrics);
}

_Atomic int64_t *metrics_block(struct metrics *metrics)
{
    struct block *block = mem_zalloc(sizeof(*block));
    /* A block has whole cache lines to itself, so that counters of two threads never share one. */
    size_t bytes = (metrics->values * sizeof(int64_t) + CACHE_LINE) / CACHE_LINE * CACHE_LINE;
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
    assert(id < metrics->values);
    const struct block *block = atomic_load_explicit(&metrics->blocks, memory_order_acquire);
    for (; block != NULL; block = block->next)
        sum += atomic_load_explicit(&block->values[id], memory_order_relaxed);
    return sum;
}

int64_t metrics_row_sum(struct metrics *metrics, size_t row)
{
    assert(row < metrics->n);
    return metrics_sum(metrics, metrics->places[row]);
}

static void render_histogram(struct metrics *metrics, const struct metric_row *row, size_t at,
                             struct exposition *to)
{
    int64_t slots[HISTOGRAM_SLOTS], count = 0;
    for (size_t i = 0; i < HISTOGRAM_SLOTS; i++) {
        slots[i] = metrics_sum(metrics, at + i);
        count += i != HISTOGRAM_SUM ? slots[i] : 0;
    }
    if (count > 0 || row->labels == NULL)
        exposition_histogram(to, row, row->labels, slots);
}

/* The help of a name is with its first row, which may be a histogram that is left out. */
void metrics_render(struct metrics *metrics, struct exposition *to)
{
    const struct metric_row *first = metrics->rows;
    for (size_t i = 0; i < metrics->n; i++) {
        size_t at = metrics->places[i];
        struct metric_row row = metrics->rows[i];
        if (strcmp(first->name, row.name) != 0)
            first = &metrics->rows[i];
        row.name = first->name;
        row.help = first->help;
        if (row.type == METRIC_HISTOGRAM)
            render_histogram(metrics, &row, at, to);
        else
            exposition_int(to, &row, row.labels, metrics_sum(metrics, at));
    }
}

/* --- docs/metrics.md --- */

static void document_bounds(const struct metric_row *row, FILE *out)
{
    if (row->type == METRIC_HISTOGRAM)
        fprintf(out, " Buckets from %g to %g s.", (double)histogram_bounds[row->first] / 1e6,
                (double)histogram_bounds[row->last] / 1e6);
}

void metrics_document_rows(const struct metric_row *rows, size_t n, FILE *out)
{
    for (size_t i = 0; i < n; i++) {
        const struct metric_row *row = &rows[i];
        const char *quote = row->labels != NULL ? "`" : "";
        fprintf(out, "| `%s` | %s | %s%s%s | ", row->name, metric_type_name(row->type), quote,
                row->labels != NULL ? row->labels : "", quote);
        fputs(*row->help != '\0' ? row->help : "as above", out);
        if (*row->help != '\0')
            document_bounds(row, out);
        fputs(" |\n", out);
    }
}

void metrics_document(const struct metric_row *rows, size_t n, const char *title, FILE *out)
{
    fprintf(out, "## %s\n\n| metric | type | labels | meaning |\n| --- | --- | --- | --- |\n",
            title);
    metrics_document_rows(rows, n, out);
}
