/* shared_page.h - the page that controller, workers and driver share; mapped before they are
 * forked.
 *
 *   controller ── orders ──► worker 1 … K    hold the client connections, judge what they receive
 *              ◄─ stats ──
 *              ── orders ──► driver          pushes over HTTP
 *              ◄─ stats ──
 *   driver ── accepted[] ──► workers         how many messages of each stream were accepted
 *          ── due_ns[]   ──►                 when messages without a stamp were meant to be sent
 *
 * Every field has one writer. All access goes through the functions below, so nobody waits. */
#ifndef IMC_BENCH_RUN_SHARED_PAGE_H
#define IMC_BENCH_RUN_SHARED_PAGE_H

#include "bench/base/histogram.h"
#include "bench/run/stamp.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { WORKERS_MAX = 128, NUMBERED_MAX = 1 << 22 };

/* What a worker has seen since it was forked; gauges are marked. */
#define WORKER_STATS(X)                                                     \
    X(online)           /* gauge */                                         \
    X(connecting)       /* gauge */                                         \
    X(connects)         /* reached online */                                \
    X(connect_failures) /* refused by kernel or server before online */     \
    X(dropped)          /* online connections that the server ended */      \
    X(tokens)           /* made */                                          \
    X(token_failures)                                                       \
    X(reads)                                                                \
    X(bytes)                                                                \
    X(deliveries) /* messages of this run */                                \
    X(fresh)      /* of these, not seen before */                           \
    X(late)       /* out of order */                                        \
    X(twice)                                                                \
    X(gaps)    /* times that a number was skipped; what is late fills it */ \
    X(stray)   /* a message of this run that another should have got */     \
    X(foreign) /* messages of others */                                     \
    X(malformed)                                                            \
    X(lost)     /* set by the last verification */                          \
    X(verified) /* number of the last verification */                       \
    X(last_delivery_ns)                                                     \
    X(last_connect_ns)

struct worker_stats {
#define X(name) _Atomic uint64_t name;
    WORKER_STATS(X)
#undef X
    struct hist latency[STREAM_KINDS]; /* intended sending to reading */
    struct hist connect;               /* connect() to the auth reply */
    char trouble[160];                 /* why the first connection was lost */
};

struct worker_orders {
    _Atomic uint64_t make_tokens;  /* make this many, then connect */
    _Atomic uint64_t wanted;       /* connections to hold */
    _Atomic uint64_t connect_rate; /* per second, 0 = as fast as it goes */
    _Atomic uint64_t churn_rate;   /* per second: so many leave and come again */
    _Atomic uint64_t churn_first;  /* connections from this index of the worker on may */
    _Atomic uint64_t gone;         /* 1 + the index of the comet that has died, 0: none: who was
                                    * there comes back to the others */
    _Atomic uint64_t verify;       /* number of the verification that is ordered */
};

#define DRIVER_STATS(X)                                             \
    X(running) /* number of the plan that runs, 0: none */          \
    X(done)    /* number of the last plan that ended */             \
    X(meant)   /* pushes whose time has come */                     \
    X(sent)                                                         \
    X(accepted)                                                     \
    X(refused)  /* answered with an error */                        \
    X(unknown)  /* no answer: may have been accepted */             \
    X(expected) /* deliveries that the accepted ones should give */ \
    X(start_ns)                                                     \
    X(end_ns)

struct driver_stats {
#define X(name) _Atomic uint64_t name;
    DRIVER_STATS(X)
#undef X
    struct hist answer; /* intended sending to the HTTP answer */
    char refusal[160];  /* the first */
};

/* What to push. The controller sets it before it raises `plan`. */
struct driver_orders {
    _Atomic uint64_t plan; /* number of the plan to run; 0 none */
    _Atomic uint64_t stop; /* number of the plan to end early */
    uint64_t
        share[STREAM_KINDS]; /* of the pushes, relative; without a rate only one may have any */
    _Atomic uint64_t rate;   /* pushes per second, 0 = as fast as they are accepted */
    _Atomic uint64_t rounds; /* end after so many pushes to each stream, 0 = by time */
    _Atomic uint64_t duration_ms;
    _Atomic uint64_t
        backlog; /* without a rate: wait while so many deliveries are missing; 0 = never */
};

struct shared {
    struct worker_orders worker_orders[WORKERS_MAX];
    struct worker_stats workers[WORKERS_MAX];
    struct driver_orders driver_orders;
    struct driver_stats driver;
    char failure[256]; /* why the first process could not go on */
    _Atomic uint64_t failed;
    size_t first_of_kind[STREAM_KINDS]; /* into accepted */
    size_t streams;
    _Atomic uint64_t *due_ns;    /* when push K was due; NULL if messages carry stamps */
    _Atomic uint32_t accepted[]; /* per stream: messages that the server accepted */
};

/* STREAMS: per kind, lanes included. NUMBERED: with room for the due times of NUMBERED_MAX pushes.
 * Aborts if there is no memory. */
struct shared *shared_open(const size_t streams[STREAM_KINDS], bool numbered);
void shared_close(struct shared *shared);
/* Any process: notes WHAT keeps it from going on. The first note stays. */
void shared_fail(struct shared *shared, const char *what);

static inline uint64_t shared_get(const _Atomic uint64_t *field)
{
    return atomic_load_explicit(field, memory_order_acquire);
}

static inline void shared_set(_Atomic uint64_t *field, uint64_t value)
{
    atomic_store_explicit(field, value, memory_order_release);
}

/* To be called by the field's only writer. */
static inline void shared_add(_Atomic uint64_t *field, uint64_t value)
{
    uint64_t before = atomic_load_explicit(field, memory_order_relaxed);

    atomic_store_explicit(field, before + value, memory_order_relaxed);
}

#endif
