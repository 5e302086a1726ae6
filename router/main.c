/* imc-router: who is where. The router keeps all of it in memory; comets tell it through logic.
 *
 *   leases, list ───► membership ──► shard ◄── batches ── server ◄══ logic
 *                                      │
 *                              sweep, a slice per turn      main loop; server.c: rpc thread too */
#include "common/base/log.h"
#include "common/base/mem.h"
#include "router/server.h"
#include <stdlib.h>
#include <string.h>

enum { TICK_MS = 500, LINGER_MS = 1000 };

static void sweep_run(struct loop *loop, struct loop_task *task)
{
    struct router *router = container_of(task, struct router, sweep);

    if (map_shard_sweep(&router->shard) && !router->stopping)
        loop_defer(loop, task);
}

static void on_members(struct membership *membership, enum member_kind kind, void *arg)
{
    struct router *router = arg;
    const struct member_list *list = membership_list(membership, kind);

    router->shard.now_ms = loop_now_ms(&router->daemon->loop);
    if (kind == MEMBER_COMET)
        map_shard_comets(&router->shard, list);
    else if (kind == MEMBER_ROUTER)
        map_shard_routers(&router->shard, list, membership_self(membership)->id);
    router->shard.completeness.ready = membership_ready(membership);
    router_sweep(router);
}

static void on_held(struct membership *membership, bool lost, void *arg)
{
    struct router *router = arg;

    router->shard.completeness.ready = membership_ready(membership);
    if (lost)
        map_shard_lost(&router->shard);
    router_sweep(router);
}

static const struct membership_events membership_events = {
    .changed = on_members,
    .held = on_held,
};

static void on_tick(uv_timer_t *timer)
{
    struct router *router = timer->data;

    router->shard.completeness.ready = membership_ready(router->membership);
    map_shard_tick(&router->shard, loop_now_ms(&router->daemon->loop),
                   membership_fresh(router->membership));
    membership_set_connections(router->membership, (int64_t)router->shard.comets->live_sessions);
    router_sweep(router);
}

static void router_open_timers(struct router *router)
{
    uv_loop_t *uv = &router->daemon->loop.uv;

    uv_timer_init(uv, &router->linger);
    router->linger.data = router;
    uv_timer_init(uv, &router->tick);
    router->tick.data = router;
    uv_timer_start(&router->tick, on_tick, TICK_MS, TICK_MS);
}

static int router_join(struct router *router)
{
    struct member self = {0};
    unsigned watch = 1U << MEMBER_COMET | 1U << MEMBER_ROUTER;

    return daemon_join(router->daemon, &self, watch, &membership_events, router, &router->redis,
                       &router->membership);
}

static int router_start(struct daemon *daemon)
{
    const struct router_config *config = daemon->config;
    struct router *router = mem_zalloc(sizeof *router);
    struct map_shard_limits limits = {
        .comet_grace_ms =
            (uint64_t)(config->daemon.lease_ttl_ms + 2 * config->daemon.lease_renew_ms),
        .sweep_slice = (uint32_t)config->sweep_slice,
        .max_counted = (uint32_t)config->max_counted,
    };

    daemon->state = router;
    router->daemon = daemon;
    router->sweep.run = sweep_run;
    map_shard_init(&router->shard, &limits, daemon->counters);
    map_shard_tick(&router->shard, loop_now_ms(&daemon->loop), false);
    /* First the port, then the lease: nobody must learn of a router that does not answer yet. */
    int err = server_open(router, config->daemon.rpc_listen);
    if (err != 0) {
        daemon_listen_failed(daemon, config->daemon.rpc_listen, "rpc", "listen", err);
        goto fail_shard;
    }
    err = router_join(router);
    if (err != 0)
        goto fail_server;
    router_open_timers(router);
    return 0;

fail_server:
    server_close(router);
fail_shard:
    map_shard_close(&router->shard);
    free(router);
    daemon->state = NULL;
    return err;
}

static void on_linger(uv_timer_t *timer)
{
    struct router *router = timer->data;

    daemon_drained(router->daemon);
}

/* Goes on answering while logics may still ask us. Within one renewal they notice that we left, and
 * ask the next router of the ring. */
static void router_drain(struct daemon *daemon)
{
    struct router *router = daemon->state;

    daemon_leave(daemon);
    uv_timer_start(&router->linger, on_linger, LINGER_MS, 0);
}

static void router_stop(struct daemon *daemon)
{
    struct router *router = daemon->state;

    router->stopping = true;
    uv_close((uv_handle_t *)&router->tick, NULL);
    uv_close((uv_handle_t *)&router->linger, NULL);
    server_close(router);
    /* Lets the loop forget timers and the sweep's task, whose memory is freed next. */
    uv_run(&daemon->loop.uv, UV_RUN_NOWAIT);
    map_shard_close(&router->shard);
    free(router);
    daemon->state = NULL;
}

static void router_scrape(struct daemon *daemon)
{
    struct router *router = daemon->state;

    if (router != NULL)
        map_shard_scrape(&router->shard);
}

static void router_memory(struct daemon *daemon, enum memory_level level)
{
    struct router *router = daemon->state;

    router->shard.refuses = level != MEMORY_OK;
}

/* No use needs Redis: the map is in memory. Redis is needed to become a member, which is condition
 * "lease". */
static const struct daemon_need router_needs[] = {
    {"redis", 0},
    {"redis_write", 0},
    {"clock", 0},
    {NULL, 0},
};

static const struct series_row router_series[] = {
    {SERIES_SESSIONS, ROUTER_SESSIONS},   {SERIES_REQUESTS, ROUTER_BATCHES},
    {SERIES_ERRORS, ROUTER_MALFORMED},    {SERIES_ERRORS, ROUTER_NO_MEMORY},
    {SERIES_REFUSED, ROUTER_PUT_REFUSED}, {SERIES_REFUSED, ROUTER_PUT_TOO_MANY},
    {SERIES_COUNT, SERIES_END},
};

static const struct daemon_spec router_spec = {
    .name = "router",
    .summary = "keeps its share of the map from users to their sessions",
    .kind = MEMBER_ROUTER,
    .admin_default = "127.0.0.1:7273",
    .rpc_default = "127.0.0.1:7270",
    .rows = router_config_rows,
    .config_size = sizeof(struct router_config),
    .needs = router_needs,
    .metrics = router_metric_rows,
    .n_metrics = ROUTER_METRIC_ROWS,
    .series = router_series,
    .start = router_start,
    .drain = router_drain,
    .stop = router_stop,
    .scrape = router_scrape,
    .memory = router_memory,
    .memory_refused = "sessions of users who have none here",
};

int main(int argc, char **argv)
{
    return daemon_main(&router_spec, argc, argv);
}
