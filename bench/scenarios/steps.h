/* steps.h - the steps that scenarios are made of. Each shows its progress and is bounded in time.
 * If it cannot go on, it ends early, with a message. Controller only. */
#ifndef IMC_BENCH_SCENARIOS_STEPS_H
#define IMC_BENCH_SCENARIOS_STEPS_H

#include "bench/load/crew.h"
#include "bench/raw/raw.h"
#include "bench/report/report.h"
#include "bench/report/scrape.h"
#include "bench/report/timeline.h"
#include "bench/report/usage.h"
#include "bench/run/config.h"

struct run {
    const struct config *config;
    struct crew crew;
    struct timeline *timeline;
    struct report *report;
    struct raw_result raw_before, raw_after;
    int faults;       /* more than 0: the program ends with 1 */
    bool unfinished;  /* messages were still coming when the time was over */
    uint64_t push_ns; /* when the present plan began */
    char err[256];
};

/* All that is read before and after a step, and subtracted to measure it. */
struct mark {
    uint64_t at_ns;
    struct usage usage;
    struct scrape comets; /* zero without --admin */
    uint64_t deliveries, fresh, connects;
    struct driver_stats driver;
    struct hist latency[STREAM_KINDS], connect;
};

/* What to push; share: see run/shared_page.h. */
struct push_plan {
    uint64_t share[STREAM_KINDS];
    uint64_t rate, rounds;
    double seconds;
    bool unbounded; /* without a rate: not even config.backlog holds it back */
};

/* All return 0, or -E… with run->err filled. */
int run_make_tokens(struct run *run);
/* Connects, or closes, until N connections are online; RATE a second, 0: as fast as they are
 * admitted. */
int run_connect(struct run *run, size_t n, uint64_t rate);
/* Pushes, until all pushes are answered. */
int run_push(struct run *run, const struct push_plan *plan);
/* Do the same in two steps, for callers that have something to do meanwhile. */
void run_push_begin(struct run *run, const struct push_plan *plan);
int run_push_end(struct run *run, const struct push_plan *plan);
/* Ends the present plan early. run_push_end() follows. */
void run_push_stop(struct run *run);
/* Waits until all that was accepted has come, or until nothing came for a sixth of drain_s. If
 * messages still come after drain_s, it ends and sets run->unfinished. */
int run_drain(struct run *run);
/* Compares what came with what was accepted. LOST: the number of messages that did not come. */
int run_verify(struct run *run, uint64_t *lost);
int run_wait(struct run *run, const char *phase, double seconds);
/* Waits until the server's side does next to nothing. */
int run_settle(struct run *run, const char *phase, double most_s);
/* Makes connections leave and come again, RATE a second. Of each worker, those behind its share
 * FIRST (0 to 1) do so. */
void run_churn(struct run *run, double first, uint64_t rate);
/* The comet with index TARGET is about to be killed. Who has its connections is WORKER: they come
 * back to the others, and are not verified. */
void run_target_gone(struct run *run, size_t worker, size_t target);
/* Measures the raw limit with frames of BYTES; does nothing if that is switched off. */
int run_raw(struct run *run, size_t bytes, struct raw_result *out);

void mark_take(struct run *run, struct mark *mark);
/* Does the same without asking the comets, which takes time while they are busy. */
void mark_take_quick(struct run *run, struct mark *mark);
/* MARK becomes what happened since EARLIER. */
void mark_since(struct mark *mark, const struct mark *earlier);

#endif
