#include "bench/report/timeline.h"

#include "bench/base/clock.h"
#include "common/base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { INTERVAL_NS = 500000000, SHOW_EVERY = 10 /* in samples, without a terminal */ };

struct counts {
    uint64_t at_ns, accepted, deliveries, connects;
    struct usage usage;
    struct hist latency;
};

struct timeline {
    const struct config *config;
    const struct crew *crew;
    uint64_t begin_ns;
    struct counts last, now;
    struct sample *samples;
    size_t n;
    bool terminal, dirty;
};

static void add_latency(const struct crew *crew, enum stream_kind kind, struct hist *out)
{
    for (size_t i = 0; i < crew->n_workers; i++)
        hist_add(out, &crew->shared->workers[i].latency[kind]);
}

void timeline_latency(const struct crew *crew, struct hist out[STREAM_KINDS])
{
    for (int kind = 0; kind < STREAM_KINDS; kind++) {
        out[kind] = (struct hist){0};
        add_latency(crew, kind, &out[kind]);
    }
}

static void count(const struct timeline *timeline, struct counts *out)
{
    out->at_ns = clock_ns();
    out->accepted = shared_get(&timeline->crew->shared->driver.accepted);
    out->deliveries = CREW_SUM(timeline->crew, deliveries);
    out->connects = CREW_SUM(timeline->crew, connects);
    usage_read(timeline->config, timeline->crew, &out->usage);
    out->latency = (struct hist){0};
    for (int kind = 0; kind < STREAM_KINDS; kind++)
        add_latency(timeline->crew, kind, &out->latency);
}

struct timeline *timeline_new(const struct config *config, const struct crew *crew)
{
    struct timeline *timeline = mem_zalloc(sizeof *timeline);

    timeline->config = config;
    timeline->crew = crew;
    timeline->terminal = isatty(STDERR_FILENO) == 1;
    count(timeline, &timeline->last);
    timeline->begin_ns = timeline->last.at_ns;
    return timeline;
}

void timeline_free(struct timeline *timeline)
{
    if (timeline == NULL)
        return;
    free(timeline->samples);
    free(timeline);
}

static double rate(uint64_t now, uint64_t before, double seconds)
{
    return (double)(now - before) / seconds;
}

static void make_sample(struct timeline *timeline, struct sample *sample)
{
    const struct counts *now = &timeline->now, *last = &timeline->last;
    const struct crew *crew = timeline->crew;
    double seconds = (double)(now->at_ns - last->at_ns) / 1e9;
    struct hist latency = now->latency;

    hist_since(&latency, &last->latency);
    *sample = (struct sample){
        .at_s = (double)(now->at_ns - timeline->begin_ns) / 1e9,
        .online = (double)CREW_SUM(crew, online),
        .pushes_s = rate(now->accepted, last->accepted, seconds),
        .deliveries_s = rate(now->deliveries, last->deliveries, seconds),
        .connects_s = rate(now->connects, last->connects, seconds),
        .p50_ms = (double)hist_quantile(&latency, 0.5) / 1e6,
        .p99_ms = (double)hist_quantile(&latency, 0.99) / 1e6,
        .comet_cpu = (now->usage.cpu_s[USAGE_COMET] - last->usage.cpu_s[USAGE_COMET]) / seconds,
        .server_cpu = (usage_server_cpu(&now->usage) - usage_server_cpu(&last->usage)) / seconds,
        .faults = (double)(CREW_SUM(crew, late) + CREW_SUM(crew, twice) + CREW_SUM(crew, stray) +
                           CREW_SUM(crew, malformed) + CREW_SUM(crew, dropped)),
        .unused = (double)now->usage.machine.unused,
        .tcp_buffers = (double)now->usage.machine.tcp_buffers,
    };
}

static void show(struct timeline *timeline, const char *phase, const struct sample *sample)
{
    if (timeline->config->quiet || (!timeline->terminal && timeline->n % SHOW_EVERY != 0))
        return;
    fprintf(stderr,
            "%s%-8s %6.1f s  online %.0f (+%.0f/s)  push/s %.0f  deliveries/s %.0f  p50 %.1f  "
            "p99 %.1f ms  CPU comet %.2f all %.2f  memory free %.0f MiB  faults %.0f%s",
            timeline->terminal ? "\r\033[K" : "", phase, sample->at_s, sample->online,
            sample->connects_s, sample->pushes_s, sample->deliveries_s, sample->p50_ms,
            sample->p99_ms, sample->comet_cpu, sample->server_cpu, sample->unused / 1048576,
            sample->faults, timeline->terminal ? "" : "\n");
    timeline->dirty = timeline->terminal;
}

void timeline_tick(struct timeline *timeline, const char *phase)
{
    struct sample *sample;

    if (clock_ns() - timeline->last.at_ns < INTERVAL_NS)
        return;
    count(timeline, &timeline->now);
    timeline->samples =
        mem_realloc(timeline->samples, (timeline->n + 1) * sizeof *timeline->samples);
    sample = &timeline->samples[timeline->n++];
    make_sample(timeline, sample);
    show(timeline, phase, sample);
    timeline->last = timeline->now;
}

void timeline_pause(struct timeline *timeline)
{
    if (timeline->dirty)
        fputc('\n', stderr);
    timeline->dirty = false;
}

const struct sample *timeline_samples(const struct timeline *timeline, size_t *n)
{
    *n = timeline->n;
    return timeline->samples;
}
