/* router.h - the router daemon: its parts at run time. Main loop only. */
#ifndef IMC_ROUTER_ROUTER_H
#define IMC_ROUTER_ROUTER_H

#include "router/config.h"
#include "router/map_shard.h"

struct router {
    struct daemon *daemon;
    struct map_shard shard;
    bool stopping; /* no more sweeps */
    struct loop_task sweep;
    uv_timer_t tick;
    uv_timer_t linger; /* after SIGTERM: the time for which we go on answering */
    struct redis *redis;
    struct membership *membership;
    struct rpc_server *server;
    _Atomic int64_t *rpc_counters; /* the rpc thread's block of metrics */
};

/* Sweeps, a slice per turn of the loop, until no dead or moved session is left. */
static inline void router_sweep(struct router *router)
{
    if (map_shard_sweep_waits(&router->shard) && !router->stopping)
        loop_defer(&router->daemon->loop, &router->sweep);
}

#endif
