/* comet.h - the daemon: what its threads have in common. Struct only: main.c fills it. */
#ifndef IMC_COMET_BASE_COMET_H
#define IMC_COMET_BASE_COMET_H

#include "comet/base/config.h"
#include "comet/base/worker.h"

struct job_batches;
struct broadcast_gaps;

struct comet {
    struct daemon *daemon;
    const struct comet_config *config;
    char id[64];      /* of our lease */
    uint64_t epoch;   /* of our lease, 0 before it is held; atomic: the main loop writes, everybody
                         reads */
    uint64_t process; /* membership's; 0 before it is known; atomic */
    struct worker *workers;
    size_t n_logics; /* alive; main loop only */
    int n_workers;
    struct broadcast_gaps *standings;
    struct redis *redis;
    struct membership *membership;
    struct rpc_server *server;
    struct job_batches *jobs;
    bool accepting;
    int loops_accepting; /* atomic */
    bool lapsed;         /* the lease had lapsed: sessions fetch once they are registered */
    int workers_drained;
    uv_timer_t *tick; /* tells membership the number of connections */
};

#endif
