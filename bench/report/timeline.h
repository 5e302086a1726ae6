/* timeline.h - takes a sample every half second, for the progress line and the plot. Controller
 * only. */
#ifndef IMC_BENCH_REPORT_TIMELINE_H
#define IMC_BENCH_REPORT_TIMELINE_H

#include "bench/load/crew.h"
#include "bench/report/usage.h"

struct sample {
    double at_s; /* since the timeline began */
    double online, pushes_s, deliveries_s, connects_s;
    double p50_ms, p99_ms;        /* of what was delivered in this interval */
    double comet_cpu, server_cpu; /* cores */
    double faults;                /* so far: late, twice, stray, malformed, dropped */
    double unused, tcp_buffers;   /* bytes of the machine, see machine_memory.h */
};

struct timeline;

struct timeline *timeline_new(const struct config *config, const struct crew *crew);
void timeline_free(struct timeline *timeline);
/* Takes a sample if it is time, and shows it on the terminal, after PHASE. */
void timeline_tick(struct timeline *timeline, const char *phase);
/* Ends the progress line. */
void timeline_pause(struct timeline *timeline);
const struct sample *timeline_samples(const struct timeline *timeline, size_t *n);
/* OUT gets the latencies of all workers, by kind of push. */
void timeline_latency(const struct crew *crew, struct hist out[STREAM_KINDS]);

#endif
