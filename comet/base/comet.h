/* comet.h - the daemon: what its threads have in common. Struct only: main.c fills it. */
#ifndef IMC_COMET_BASE_COMET_H
#define IMC_COMET_BASE_COMET_H

#include "comet/base/config.h"
#include "comet/base/worker.h"

struct job_batches;
struct broadcast_gaps;
struct goim_calls;
struct room_grants;
struct tracer;

struct comet {
    struct daemon *daemon;
    const struct comet_config *config;
    char id[64]; /* of our lease */
    /* The main loop writes these two, everybody reads them. */
    _Atomic uint64_t epoch;        /* of our lease, 0 before it is held */
    _Atomic uint64_t process;      /* membership's; 0 before it is known */
    struct tls_server *tcps, *wss; /* NULL: that listener is off */
    bool tls_kernel;               /* the kernel seals what is sent: tls.kernel, and it can */
    struct worker *workers;
    size_t n_logics; /* alive; main loop only */
    int n_workers;
    struct broadcast_gaps *standings;
    struct room_grants *grants; /* comet/job/room_grants.h */
    struct redis *redis;
    struct tracer *tracer; /* common/trace/tracer.h; there before the loops run */
    struct membership *membership;
    struct rpc_server *server;
    struct job_batches *jobs;
    struct goim_calls *goim;
    uint64_t deaf_since_ms; /* loop time since which a job is missing; 0: each is connected */
    bool accepting;
    _Atomic int loops_accepting;
    bool full;             /* conn.max is nearly reached, and clients are sent elsewhere */
    bool draining, ending; /* SIGTERM or POST /drain; SIGTERM */
    /* A logic orders a drain, or its end; main loop. main.c sets it. */
    void (*drain_ordered)(struct comet *comet, bool ends);
    bool drain_empty;       /* the log has said that nobody is left */
    uint64_t drain_told_ms; /* loop time of the last line about it in the log */
    bool lapsed;            /* the lease had lapsed: sessions fetch once they are registered */
    int workers_drained;
    uv_timer_t *tick; /* tells membership the number of connections */
};

#endif
