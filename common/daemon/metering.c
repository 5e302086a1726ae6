#include "common/daemon/metering.h"
#include "common/base/loop_metrics.h"
#include "common/base/mem.h"
#include "common/base/memory_budget.h"
#include "common/daemon/internal.h"
#include "proto/session.pb-c.h"

#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

enum { MINUTE_MS = 60000, PER_POWER = 4 };

/* Has a counter with this in its name to do with what somebody was not given? */
static const char *const refusal_words[] = {"refused", "dropped", "malformed",   "limited",
                                            "let_go",  "failed",  "implausible", "cut",
                                            "kicked",  "unread"};
enum { REFUSAL_WORDS = sizeof refusal_words / sizeof refusal_words[0] };

void metering_init(struct metering *metering, struct daemon *daemon)
{
    *metering = (struct metering){.daemon = daemon};
    metering->minutes =
        mem_zalloc(daemon->spec->n_metrics * METERING_MINUTES * sizeof *metering->minutes);
}

void metering_end(struct metering *metering)
{
    free(metering->minutes);
    metering->minutes = NULL;
}

/* --- times --- */

static size_t time_index(uint64_t us)
{
    unsigned power =
        us < PER_POWER ? 0 : 61 - (unsigned)__builtin_clzll(us); /* us >> power is 4…7 */
    size_t index = us < PER_POWER ? us : (power + 1) * PER_POWER + (us >> power) - PER_POWER;

    return index < METERING_TIMES ? index : METERING_TIMES - 1;
}

/* The highest time that has this INDEX. */
static int64_t time_of(size_t index)
{
    if (index < PER_POWER)
        return (int64_t)index;
    size_t power = index / PER_POWER - 1;
    return (int64_t)(((index % PER_POWER + PER_POWER + 1) << power) - 1);
}

void metering_took(struct metering *metering, uint64_t us)
{
    metering->times[time_index(us)]++;
}

/* What one in a hundred exceeds. Begins anew. */
static int64_t take_time(struct metering *metering)
{
    uint64_t n = 0, seen = 0;
    size_t index = 0;

    for (size_t i = 0; i < METERING_TIMES; i++)
        n += metering->times[i];
    while (n > 0 && index < METERING_TIMES - 1) {
        seen += metering->times[index];
        if (seen * 100 >= n * 99)
            break;
        index++;
    }
    memset(metering->times, 0, sizeof metering->times);
    return n > 0 ? time_of(index) : 0;
}

int64_t metering_percentile(const int64_t counts[HISTOGRAM_BOUNDS + 1], unsigned percent)
{
    int64_t n = 0, seen = 0;
    size_t slot = 0;

    for (size_t i = 0; i <= HISTOGRAM_BOUNDS; i++)
        n += counts[i];
    if (n == 0)
        return 0;
    while (slot < HISTOGRAM_BOUNDS && (seen + counts[slot]) * 100 < n * percent)
        seen += counts[slot++];
    int64_t low = slot > 0 ? (int64_t)histogram_bounds[slot - 1] : 0;
    if (slot == HISTOGRAM_BOUNDS) /* longer than any bound */
        return low;
    int64_t high = (int64_t)histogram_bounds[slot];
    return low + (high - low) * (n * percent - seen * 100) / (counts[slot] * 100);
}

/* Adds histogram ID, as it is now, to VALUES. */
static void add_histogram(struct metrics *metrics, size_t id, int64_t values[HISTOGRAM_BOUNDS + 1])
{
    for (size_t i = 0; i <= HISTOGRAM_BOUNDS; i++)
        values[i] += metrics_sum(metrics, id + i);
}

static void end_slot(struct metering_times *times, const int64_t values[HISTOGRAM_BOUNDS + 1])
{
    for (size_t i = 0; i <= HISTOGRAM_BOUNDS; i++) {
        times->counts[i] = values[i] - times->totals[i];
        times->totals[i] = values[i];
    }
}

static void take_times(struct metering *metering)
{
    const struct daemon *daemon = metering->daemon;
    int64_t lag[HISTOGRAM_BOUNDS + 1] = {0}, delivery[HISTOGRAM_BOUNDS + 1] = {0};

    if (daemon->loop_metrics != NULL)
        add_histogram(daemon->loop_metrics, LOOP_LAG, lag);
    end_slot(&metering->lag, lag);
    for (const size_t *id = daemon->spec->delivery; id != NULL && *id != SERIES_END; id++)
        add_histogram(daemon->metrics, *id, delivery);
    end_slot(&metering->delivery, delivery);
}

/* --- samples --- */

static int64_t cpu_ms(void)
{
    struct rusage use;

    getrusage(RUSAGE_SELF, &use);
    return (use.ru_utime.tv_sec + use.ru_stime.tv_sec) * 1000 +
           (use.ru_utime.tv_usec + use.ru_stime.tv_usec) / 1000;
}

static void read_values(const struct metering *metering, int64_t values[SERIES_COUNT])
{
    struct daemon *daemon = metering->daemon;
    const struct series_row *row = daemon->spec->series;

    memset(values, 0, SERIES_COUNT * sizeof *values);
    if (daemon->spec->scrape != NULL)
        daemon->spec->scrape(daemon);
    for (; row != NULL && row->metric != SERIES_END; row++) {
        int64_t value = metrics_sum(daemon->metrics, row->metric);
        if (series_kind_of(row->id) != SERIES_MOST)
            values[row->id] += value;
        else if (values[row->id] < value)
            values[row->id] = value;
    }
    values[SERIES_CPU_MS] = cpu_ms();
    values[SERIES_MEMORY] = (int64_t)memory_budget_resident();
}

static void take_sample(struct metering *metering, uint64_t slot, struct series_sample *sample)
{
    int64_t values[SERIES_COUNT];
    bool first = metering->slot == 0;

    read_values(metering, values);
    sample->slot = slot;
    for (size_t i = 0; i < SERIES_COUNT; i++) {
        bool counts = series_kind_of((enum series_id)i) == SERIES_COUNT_OF;
        sample->values[i] = !counts ? values[i] : first ? 0 : values[i] - metering->totals[i];
        metering->totals[i] = values[i];
    }
    int64_t latency = take_time(metering);
    if (latency > 0)
        sample->values[SERIES_LATENCY_US] = latency;
    take_times(metering);
    if (first)
        return; /* the histograms have what was before, too */
    sample->values[SERIES_LAG_US] = metering_percentile(metering->lag.counts, 99);
    sample->values[SERIES_DELIVERY_US] = metering_percentile(metering->delivery.counts, 99);
    sample->values[SERIES_TYPICAL_US] = metering_percentile(metering->delivery.counts, 50);
}

static void take_minute(struct metering *metering, uint64_t minute)
{
    const struct daemon *daemon = metering->daemon;
    size_t n = daemon->spec->n_metrics;
    int64_t *place = metering->minutes + minute % METERING_MINUTES * n;

    metering->minute = minute;
    for (size_t i = 0; i < n; i++)
        place[i] = metrics_row_sum(daemon->metrics, i);
}

bool metering_look(struct metering *metering, uint64_t now_ms, struct series_sample *sample)
{
    uint64_t slot = series_slot(now_ms);

    if (now_ms / MINUTE_MS != metering->minute)
        take_minute(metering, now_ms / MINUTE_MS);
    if (slot == metering->slot)
        return false;
    /* A clock that was set back leaves old slots as they are. */
    take_sample(metering, slot, sample);
    metering->slot = slot;
    return true;
}

/* --- refusals --- */

static bool is_refusal(const struct metric_row *row)
{
    if (row->type != METRIC_COUNTER)
        return false;
    for (size_t i = 0; i < REFUSAL_WORDS; i++) {
        if (strstr(row->name, refusal_words[i]) != NULL ||
            (row->labels != NULL && strstr(row->labels, refusal_words[i]) != NULL))
            return true;
    }
    return false;
}

static Imc__V1__ReportRefusal *refusal_of(const struct metric_row *row, struct arena *arena)
{
    Imc__V1__ReportRefusal *refusal = arena_alloc(arena, sizeof *refusal);
    const char *labels = row->labels != NULL ? row->labels : "";
    size_t len = strlen(row->name) + strlen(labels) + sizeof "{}";

    imc__v1__report_refusal__init(refusal);
    refusal->name = arena_alloc(arena, len);
    snprintf(refusal->name, len, labels[0] != '\0' ? "%s{%s}" : "%s%s", row->name, labels);
    return refusal;
}

void metering_refusals(const struct metering *metering, Imc__V1__ReportBatch *batch,
                       struct arena *arena)
{
    const struct daemon *daemon = metering->daemon;
    size_t n = daemon->spec->n_metrics;
    /* The oldest of the minutes; while the daemon is young, zeros. */
    const int64_t *before = metering->minutes + (metering->minute + 1) % METERING_MINUTES * n;

    batch->refusals = arena_alloc(arena, METERING_REFUSALS * sizeof(void *));
    for (size_t i = 0; i < n && batch->n_refusals < METERING_REFUSALS; i++) {
        int64_t total = metrics_row_sum(daemon->metrics, i);
        if (total <= 0 || !is_refusal(&daemon->spec->metrics[i]))
            continue;
        Imc__V1__ReportRefusal *refusal = refusal_of(&daemon->spec->metrics[i], arena);
        refusal->total = (uint64_t)total;
        refusal->lately = (uint64_t)(total - before[i]);
        batch->refusals[batch->n_refusals++] = refusal;
    }
}
