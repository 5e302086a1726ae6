/* comet: holds the clients' connections and fans messages out to them.
 *
 *   main loop: lease,   ──posts views──► worker loops:   ◄──posts batches── rpc thread:
 *   who is alive                         sessions, rooms                    batches from job
 *
 * The main loop owns Redis, the lease and the admin pages. A worker owns its sessions (worker.h).
 * Threads share only immutable views, batches and atomic counters. */
#include "comet/advertise.h"
#include "comet/base/cluster_view.h"
#include "comet/base/comet.h"
#include "comet/base/metrics.h"
#include "comet/goim/calls.h"
#include "comet/job/broadcast_gaps.h"
#include "comet/job/job_batches.h"
#include "comet/job/room_grants.h"
#include "comet/net/addresses.h"
#include "comet/net/client_address.h"
#include "comet/net/conn.h"
#include "comet/wire/origin.h"
#include "comet/worker_control.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/protocol/json_scan.h"
#include "common/tls/kernel.h"
#include "common/trace/tracer.h"
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum { TICK_MS = 100, JOB_CONNECTS_MS = 5000, DRAIN_TOLD_MS = 5000 };

static void comet_publish(struct comet *comet)
{
    struct cluster_view *view =
        cluster_view_new(membership_list(comet->membership, MEMBER_LOGIC),
                         membership_list(comet->membership, MEMBER_ROUTER),
                         atomic_load_explicit(&comet->epoch, memory_order_relaxed), comet->lapsed);

    comet->n_logics = view->n_logics;
    for (int i = 0; i < comet->n_workers; i++)
        worker_post_view(&comet->workers[i], view);
    cluster_view_unref(view);
}

static void comet_members_changed(struct membership *membership, enum member_kind kind, void *arg)
{
    struct comet *comet = arg;

    if (kind != MEMBER_JOB && membership == comet->membership)
        comet_publish(comet);
}

static void comet_lease_held(struct membership *membership, bool lost, void *arg)
{
    struct comet *comet = arg;
    const struct member *self = membership_self(membership);

    if (lost)
        log_warn("lease had lapsed, registering every session again", "comet=%s epoch=%llu",
                 self->id, (unsigned long long)self->epoch);
    comet->lapsed = comet->lapsed || lost;
    comet->membership = membership;
    broadcast_gaps_epoch(comet->standings, self->epoch, loop_now_ms(&comet->daemon->loop));
    atomic_store_explicit(&comet->epoch, self->epoch, memory_order_release);
    comet_publish(comet);
}

static void comet_accept(struct comet *comet)
{
    comet->accepting = true;
    for (int i = 0; i < comet->n_workers; i++)
        worker_post_accept(&comet->workers[i]);
}

static const struct membership_events comet_membership_events = {
    .changed = comet_members_changed,
    .held = comet_lease_held,
};

/* Clients get what our own needs leave of the limit of open files. */
static void comet_share_files(struct daemon *daemon)
{
    struct comet_config *config = daemon->config;
    const struct daemon_descriptors *files = daemon_descriptors(daemon);

    if (config->max_connections > files->clients)
        log_warn("conn.max is beyond the limit of open files",
                 "conn_max=%lld limit=%lld using=%lld", (long long)config->max_connections,
                 (long long)files->limit, (long long)files->clients);
    config->most_clients = config->max_connections > 0 && config->max_connections < files->clients
                               ? config->max_connections
                               : files->clients;
}

static int comet_open_tls(struct comet *comet, const char *listen, const char *name,
                          const char *alpn, struct tls_server **out)
{
    const struct tls_server_options options = {.name = name, .alpn = alpn};
    char err[TLS_ERROR_MAX];

    if (listen[0] == '\0')
        return 0;
    int failed = tls_server_open(comet->daemon->tls, &options, out, err, sizeof err);
    if (failed != 0)
        log_error("cannot speak TLS", "on %s.listen: %s", name, err);
    return failed;
}

/* tls.kernel: does Linux seal what clients get? */
static int comet_probe_kernel(struct comet *comet)
{
    const char *mode = comet->config->tls_kernel;
    bool on = strcmp(mode, "on") == 0;

    if (strcmp(mode, "off") == 0 || (comet->tcps == NULL && comet->wss == NULL))
        return 0;
    int rc = kernel_probe(&kernel_calls);
    const char *why = rc == -EBUSY    ? "Linux before 6.14 cannot change keys"
                      : rc == -ENOENT ? "Linux's module tls is not loaded: modprobe tls"
                                      : uv_strerror(rc);
    comet->tls_kernel = rc == 0 || (rc == -EBUSY && on);
    if (rc == -EBUSY && on)
        log_warn("tls.kernel = on", "%s; a client that asks for it is cut", why);
    else if (rc < 0 && !on)
        log_info("tls.kernel = auto: comet encrypts itself", "reason=\"%s\"", why);
    else if (rc < 0)
        log_error("unavailable: tls.kernel = on", "%s; or set tls.kernel = auto", why);
    return rc < 0 && rc != -EBUSY && on ? rc : 0;
}

static int comet_open_workers(struct comet *comet)
{
    char err[256] = "";
    int n =
        comet->config->workers > 0 ? (int)comet->config->workers : (int)uv_available_parallelism();

    comet->workers = mem_zalloc((size_t)n * sizeof *comet->workers);
    comet->n_workers = n;
    comet->grants = room_grants_open(&comet->daemon->loop, n, comet->daemon->counters);
    for (int i = 0; i < n; i++) {
        int failed = worker_open(&comet->workers[i], comet, i, err, sizeof err);
        if (failed != 0) {
            log_error("cannot open worker", "%s", err[0] != '\0' ? err : uv_strerror(failed));
            return failed;
        }
    }
    return 0;
}

static void push_opened(struct rpc_stream *stream, void *arg)
{
    job_batches_opened(stream, ((struct comet *)arg)->jobs);
}

static const struct rpc_method comet_methods[] = {
    {"/imc.v1.Comet/Push", push_opened, NULL},
    {"/goim.comet.Comet/PushMsg", NULL, goim_push_called},
    {"/goim.comet.Comet/Broadcast", NULL, goim_broadcast_called},
    {"/goim.comet.Comet/BroadcastRoom", NULL, goim_room_called},
    {"/goim.comet.Comet/Rooms", NULL, goim_rooms_called},
    {.path = NULL},
};

static int comet_open_server(struct comet *comet)
{
    const char *address = comet->config->daemon.rpc_listen;

    comet->jobs = job_batches_open(comet, workers_recall);
    comet->goim = goim_calls_open(comet);
    int failed = rpc_server_open(comet->daemon->rpc, address, comet_methods, comet, &comet->server);
    if (failed != 0) {
        daemon_listen_failed(comet->daemon, address, "rpc", "listen", failed);
        return failed;
    }
    daemon_set_rpc_port(comet->daemon, rpc_server_port(comet->server));
    return 0;
}

static void comet_tell_logic(struct comet *comet)
{
    int access = LOGIC_ADMITS;

    for (int i = 0; i < comet->n_workers; i++) {
        int own = atomic_load_explicit(&comet->workers[i].logic_access, memory_order_relaxed);
        access = own < access ? own : access;
    }
    daemon_ready(comet->daemon, "logic", comet->n_logics > 0 && access == LOGIC_ADMITS,
                 comet->n_logics == 0 ? "no logic is alive"
                 : access == LOGIC_CLOSED
                     ? "no logic can let sessions in: /readyz?for=connect of each says why"
                     : "no logic can be reached at the address that it advertises");
}

/* Is every living job connected? One that is not cannot bring what is pushed. It keeps its lease
 * for some time after it has died, and needs some time to connect. */
static void comet_tell_job(struct comet *comet)
{
    const int64_t grace_ms = comet->config->daemon.lease_ttl_ms + JOB_CONNECTS_MS;
    uint64_t now = loop_now_ms(&comet->daemon->loop);
    int64_t streams = metrics_sum(comet->daemon->metrics, COMET_JOB_STREAMS);
    const struct member_list *jobs = membership_list(comet->membership, MEMBER_JOB);
    char why[160];

    if ((int64_t)jobs->n <= streams)
        comet->deaf_since_ms = 0;
    else if (comet->deaf_since_ms == 0)
        comet->deaf_since_ms = now;
    bool deaf = comet->deaf_since_ms != 0 && now - comet->deaf_since_ms >= (uint64_t)grace_ms;
    snprintf(why, sizeof why, "%lld of %zu jobs are connected to %s: see rpc.advertise",
             (long long)streams, jobs->n, daemon_advertised(comet->daemon));
    daemon_ready(comet->daemon, "job", !deaf, why);
}

/* Are so many clients here that others had better not be sent? Ends later than it begins, so that
 * it does not change with every client. */
static bool comet_full(const struct comet *comet)
{
    int64_t n = conn_total(), most = comet->config->most_clients;

    return comet->full ? n >= most - most / 16 : n >= most - most / 32;
}

/* Tells the others how many clients are here, and whether more may come. */
static void comet_tell_clients(struct comet *comet)
{
    char why[256];

    daemon_lacks(comet->daemon, USE_CONNECT, why, sizeof why);
    comet->full = comet_full(comet);
    metric_set(comet->daemon->counters, COMET_ADDRESSES, addresses_known());
    membership_set_connections(comet->membership,
                               metrics_sum(comet->daemon->metrics, COMET_SESSIONS));
    membership_set_clients(comet->membership,
                           &(struct member_clients){.ips = addresses_with_sessions(),
                                                    .refuses = comet->full || why[0] != '\0',
                                                    .draining = comet->draining});
}

/* --- drain --- */

static void comet_workers_drain(struct comet *comet, enum worker_drain how)
{
    /* First, so that those who are told to go are not sent here again. */
    comet_tell_clients(comet);
    for (int i = 0; i < comet->n_workers; i++)
        worker_post_drain(&comet->workers[i], how);
}

/* A line in the log every five seconds, and when nobody is left. */
static void comet_tell_drain(struct comet *comet)
{
    uint64_t now = loop_now_ms(&comet->daemon->loop);
    int64_t left = conn_total();

    if (!comet->draining || (left > 0 && now - comet->drain_told_ms < DRAIN_TOLD_MS))
        return;
    comet->drain_told_ms = now;
    if (left > 0 || !comet->drain_empty)
        log_info(left > 0 ? "draining" : "drained", "left=%lld rate=%lld", (long long)left,
                 (long long)comet->config->drain_rate);
    comet->drain_empty = left == 0;
}

static void comet_drain_begin(struct comet *comet, const char *by)
{
    struct daemon *daemon = comet->daemon;

    if (comet->draining)
        return;
    log_warn("draining until it is told to end", "by=\"%s\" left=%lld rate=%lld", by,
             (long long)conn_total(), (long long)comet->config->drain_rate);
    comet->draining = true;
    comet->drain_empty = false;
    comet->drain_told_ms = loop_now_ms(&daemon->loop);
    daemon_ready(daemon, "drain", false,
                 "a drain was asked for; POST /undrain, or imc undrain, ends it");
    comet_workers_drain(comet, DRAIN_UNTIL_EMPTY);
}

static void comet_drain_end(struct comet *comet, const char *by)
{
    if (!comet->draining)
        return;
    log_warn("drain ended", "by=\"%s\" left=%lld", by, (long long)conn_total());
    comet->draining = false;
    daemon_ready(comet->daemon, "drain", true, "");
    comet_tell_clients(comet);
    for (int i = 0; i < comet->n_workers && comet->accepting; i++)
        worker_post_drain(&comet->workers[i], DRAIN_NO_MORE);
}

/* A logic orders it: POST /v1/comets/drain and undrain. */
static void comet_drain_ordered(struct comet *comet, bool ends)
{
    if (comet->membership == NULL || comet->ending)
        return;
    if (ends)
        comet_drain_end(comet, "/v1/comets/undrain");
    else
        comet_drain_begin(comet, "/v1/comets/drain");
}

static int comet_drain_asked(struct daemon *daemon, FILE *out)
{
    struct comet *comet = daemon->state;

    if (comet->membership == NULL || comet->ending) {
        fputs("comet starts or ends\n", out);
        return 409;
    }
    fprintf(out, "draining, %lld connections are left: see imc_comet_drain_left\n",
            (long long)conn_total());
    comet_drain_begin(comet, "POST /drain");
    return 200;
}

static int comet_undrain_asked(struct daemon *daemon, FILE *out)
{
    struct comet *comet = daemon->state;

    if (comet->membership == NULL || comet->ending) {
        fputs("comet starts or ends\n", out);
        return 409;
    }
    fputs("taking clients\n", out);
    comet_drain_end(comet, "POST /undrain");
    return 200;
}

static const struct daemon_action comet_actions[] = {
    {"/drain", comet_drain_asked},
    {"/undrain", comet_undrain_asked},
    {NULL, NULL},
};

static void comet_tell_clock(struct comet *comet)
{
    for (int i = 0; comet->redis != NULL && i < comet->n_workers; i++)
        atomic_store_explicit(&comet->workers[i].clock_offset_us,
                              redis_clock_offset_us(comet->redis), memory_order_relaxed);
}

static void comet_on_tick(uv_timer_t *tick)
{
    struct comet *comet = tick->data;
    unsigned missed = broadcast_gaps_overdue(comet->standings, loop_now_ms(&comet->daemon->loop),
                                             (uint64_t)comet->config->vouch_ms);

    if (missed != 0)
        workers_recall(comet, missed, "no job has vouched that nothing was missed");
    comet_tell_clock(comet);
    comet_tell_logic(comet);
    comet_tell_job(comet);
    comet_tell_clients(comet);
    room_grants_look(comet->grants);
    /* Accept only when jobs know of us. They read the list of comets once per renewal, and a client
     * that came before would miss what is pushed to its room. */
    comet_tell_drain(comet);
    if (!comet->accepting && !comet->draining && membership_known(comet->membership))
        comet_accept(comet);
}

static int comet_start(struct daemon *daemon)
{
    struct comet *comet = mem_zalloc(sizeof *comet);
    struct member self = {0};

    daemon->state = comet;
    comet->daemon = daemon;
    comet->config = daemon->config;
    comet->standings = broadcast_gaps_new();
    comet->drain_ordered = comet_drain_ordered;
    comet_share_files(daemon);
    daemon_ready(daemon, "logic", false, "no logic is known yet");
    daemon_ready(daemon, "clients", false, "none are let in before jobs know of this comet");
    int failed = comet_open_tls(comet, comet->config->tcps_listen, "tcps", NULL, &comet->tcps);
    if (failed == 0)
        failed = comet_open_tls(comet, comet->config->wss_listen, "wss", "http/1.1", &comet->wss);
    if (failed == 0)
        failed = comet_probe_kernel(comet);
    if (failed == 0)
        failed = comet_open_workers(comet);
    if (failed == 0)
        failed = comet_open_server(comet);
    if (failed != 0)
        return failed;
    advertise_fill(comet->config, daemon_advertised(daemon), &self);
    self.loops = (uint32_t)comet->n_workers;
    failed = daemon_join(daemon, &self, 1U << MEMBER_LOGIC | 1U << MEMBER_ROUTER | 1U << MEMBER_JOB,
                         &comet_membership_events, comet, &comet->redis, &comet->membership);
    if (failed != 0)
        return failed;
    /* set before others can read our lease */
    atomic_store_explicit(&comet->process, membership_self(comet->membership)->process,
                          memory_order_release);
    snprintf(comet->id, sizeof comet->id, "%s", membership_self(comet->membership)->id);
    comet->tracer = tracer_open(&daemon->loop, &(struct tracer_options){
                                                   .redis = comet->redis,
                                                   .service = "imc-comet",
                                                   .member = comet->id,
                                                   .counters = daemon->counters,
                                                   .first_metric = COMET_TRACE_KEPT,
                                                   .config = &comet->config->tracer,
                                                   .tls = daemon->tls,
                                               });
    if (comet->tracer == NULL)
        return -EINVAL;
    comet->tick = mem_alloc(sizeof *comet->tick);
    uv_timer_init(&daemon->loop.uv, comet->tick);
    comet->tick->data = comet;
    uv_timer_start(comet->tick, comet_on_tick, TICK_MS, TICK_MS);
    for (int i = 0; i < comet->n_workers && failed == 0; i++)
        failed = loop_start(&comet->workers[i].loop);
    return failed;
}

static void comet_worker_drained(struct loop *loop, struct inbox_item *item)
{
    struct daemon *daemon = container_of(loop, struct daemon, loop);
    struct comet *comet = daemon->state;

    free(item);
    if (++comet->workers_drained == comet->n_workers)
        daemon_drained(daemon);
}

static void comet_drain(struct daemon *daemon)
{
    struct comet *comet = daemon->state;

    comet->draining = comet->ending = true;
    comet->drain_told_ms = loop_now_ms(&daemon->loop);
    for (int i = 0; i < comet->n_workers; i++)
        comet->workers[i].drained_run = comet_worker_drained;
    comet_workers_drain(comet, DRAIN_TO_END);
}

static void comet_tick_closed(uv_handle_t *handle)
{
    free(handle);
}

static void comet_stop(struct daemon *daemon)
{
    struct comet *comet = daemon->state;

    if (comet == NULL)
        return;
    rpc_server_close(comet->server, 500);
    for (int i = 0; i < comet->n_workers; i++) {
        if (comet->workers[i].loop.thread == 0)
            continue;
        loop_stop(&comet->workers[i].loop);
        loop_join(&comet->workers[i].loop);
    }
    room_grants_close(comet->grants);
    for (int i = 0; i < comet->n_workers; i++)
        worker_close(&comet->workers[i]);
    job_batches_close(comet->jobs);
    goim_calls_close(comet->goim);
    tracer_close(comet->tracer);
    broadcast_gaps_free(comet->standings);
    if (comet->tick != NULL)
        uv_close((uv_handle_t *)comet->tick, comet_tick_closed);
    free(comet->workers);
    free(comet);
}

static void comet_memory(struct daemon *daemon, enum memory_level level)
{
    struct comet *comet = daemon->state;

    for (int i = 0; i < comet->n_workers; i++)
        worker_post_memory(&comet->workers[i], level);
}

/* Clients that are connected stay and get pushes without Redis and logics. Clients that connect
 * need both. */
static const struct daemon_need comet_needs[] = {
    {"redis", USE_CONNECT},
    {"redis_write", 0},
    {"clock", USE_CONNECT},
    {"logic", USE_CONNECT | USE_STORE},
    {"clients", USE_CONNECT},
    {"job", USE_PUSH | USE_CONNECT},
    {"rpc", USE_PUSH | USE_STORE},
    {"drain", USE_CONNECT},
    {NULL, 0},
};

static int comet_check(const void *config, char *err, size_t errlen)
{
    int bad = comet_config_check(config, err, errlen);

    if (bad == 0)
        bad = client_address_check(config, err, errlen);
    if (bad == 0)
        bad =
            origin_check_list(((const struct comet_config *)config)->allowed_origins, err, errlen);
    return bad != 0 ? bad : advertise_check(config, err, errlen);
}

/* From logic's acceptance to the kernel; what waited in mailboxes is left out. */
static const size_t comet_delivery[] = {COMET_DELIVERY_UID, COMET_DELIVERY_ROOM, COMET_DELIVERY_ALL,
                                        SERIES_END};
static const struct series_row comet_series[] = {
    {SERIES_CONNECTIONS, COMET_CONNECTIONS},    {SERIES_SESSIONS, COMET_SESSIONS},
    {SERIES_CONNECTS, COMET_CONNECTS_OK},       {SERIES_DELIVERIES, COMET_DELIVERIES_UID},
    {SERIES_DELIVERIES, COMET_DELIVERIES_ROOM}, {SERIES_DELIVERIES, COMET_DELIVERIES_ALL},
    {SERIES_DELIVERIES, COMET_DELIVERIES_KEY},  {SERIES_DELIVERIES, COMET_DELIVERIES_WAITING},
    {SERIES_REQUESTS, COMET_FRAMES_IN},         {SERIES_ERRORS, COMET_CONNECTS_FAILED},
    {SERIES_ERRORS, COMET_SPILL_FAILED},        {SERIES_ERRORS, COMET_BATCHES_MALFORMED},
    {SERIES_REFUSED, COMET_CONNECTS_REFUSED},   {SERIES_REFUSED, COMET_REFUSED_FULL},
    {SERIES_REFUSED, COMET_REFUSED_MEMORY},     {SERIES_REFUSED, COMET_REFUSED_ADDRESS},
    {SERIES_REFUSED, COMET_REFUSED_RATE},       {SERIES_REFUSED, COMET_RATE_FRAMES},
    {SERIES_REFUSED, COMET_RATE_BYTES},         {SERIES_COUNT, SERIES_END},
};

static const struct daemon_spec comet_spec = {
    .name = "comet",
    .summary = "holds client connections (TCP, WebSocket) and fans messages out to them",
    .kind = MEMBER_COMET,
    .admin_default = "127.0.0.1:8093",
    .rpc_default = "127.0.0.1:8092",
    .rows = comet_config_rows,
    .config_size = sizeof(struct comet_config),
    .needs = comet_needs,
    .metrics = comet_metric_rows,
    .n_metrics = COMET_METRIC_ROWS,
    .series = comet_series,
    .delivery = comet_delivery,
    .check = comet_check,
    .start = comet_start,
    .drain = comet_drain,
    .actions = comet_actions,
    .stop = comet_stop,
    .memory = comet_memory,
    .memory_refused = "connections; near the limit slow readers and strangers are let go",
};

int main(int argc, char **argv)
{
    json_wipe_what_is_freed(); /* tokens come in JSON */
    return daemon_main(&comet_spec, argc, argv);
}
