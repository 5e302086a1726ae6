/* imc-logic: admits sessions, accepts pushes, keeps mailboxes and serves the HTTP API. base/logic.h
 * draws how its parts are connected. */
#include "common/base/log.h"
#include "common/http/http.h"
#include "common/kafka/shutdown.h"
#include "common/protocol/json_scan.h"
#include "common/trace/tracer.h"
#include "logic/console/console.h"
#include "logic/events/facts.h"
#include "logic/events/session_log.h"
#include "logic/feed/feed.h"
#include "logic/goim/calls.h"
#include "logic/hook/hook.h"
#include "logic/http/callers.h"
#include "logic/http/goim_online.h"
#include "logic/http/local_callers.h"
#include "logic/http/route_times.h"
#include "logic/http/routes.h"
#include "logic/http/v1/events.h"
#include "logic/http/v1/markdown.h"
#include "logic/http/v1/openapi.h"
#include "logic/http/v1/operations.h"
#include "logic/http/v1/scheduled.h"
#include "logic/jwt/verifier.h"
#include "logic/mailbox/abandoned.h"
#include "logic/mailbox/gone_receivers.h"
#include "logic/nodes/nodes.h"
#include "logic/peers/connect.h"
#include "logic/peers/drain_orders.h"
#include "logic/peers/questions.h"
#include "logic/peers/room_orders.h"
#include "logic/peers/session_requests.h"
#include "logic/peers/settle_requests.h"
#include "logic/peers/streams.h"
#include "logic/push/job_backlog.h"
#include "logic/push/kafka_producer.h"
#include "logic/push/push.h"
#include "logic/push/repartition.h"
#include "logic/push/room_rates.h"
#include "logic/router/routers.h"
#include "logic/trace/traces.h"
#include "logic/upstream/upstream.h"

#include <errno.h>

enum {
    ALL_KINDS = (1 << MEMBER_KINDS) - 1,
    NEEDS_MS = 200,     /* between two looks at what this logic lacks */
    DRAIN_LOOK_MS = 10, /* between two looks whether all is answered */
    STOP_TURNS = 3,     /* of the loop: an answer may lead to another, which is put off again */
};

static struct logic the_logic;
static uv_timer_t needs_timer;

/* --- what others are told --- */

static void tell_routers(struct logic *logic)
{
    if (logic->routers == NULL)
        return; /* logic_stop() has run */
    bool any = routers_count(logic->routers) > 0;
    bool up = routers_up(logic->routers) > 0;

    daemon_ready(logic->daemon, "router", up,
                 any ? "no router answers" : "no router holds a lease");
}

/* Looks whether jobs are there, and tells comets whether sessions can come in. */
static void on_needs(uv_timer_t *timer)
{
    struct logic *logic = timer->data;
    char why[STREAM_CLOSED_WHY];

    daemon_ready(logic->daemon, "jobs", !job_backlogs_silent(logic->backlogs),
                 "no job has reported for push.max_lag: pushes are refused");
    daemon_lacks(logic->daemon, USE_CONNECT, why, sizeof why);
    if (!logic->draining)
        streams_admit(logic->streams, why);
}

static void on_members(struct membership *membership, enum member_kind kind, void *arg)
{
    struct logic *logic = arg;

    logic->membership = membership;
    former_members_update(&logic->former, kind, membership_list(membership, kind),
                          logic_now_ms(logic));
    if (kind == MEMBER_COMET && logic->nodes != NULL)
        nodes_update(logic->nodes, membership_list(membership, MEMBER_COMET));
    if (kind != MEMBER_ROUTER || logic->routers == NULL)
        return;
    routers_update(logic->routers);
    tell_routers(logic);
}

static void on_lease(struct membership *membership, bool lost, void *arg)
{
    struct logic *logic = arg;
    uint32_t node = membership_self(membership)->node;

    if (lost)
        log_warn("lease was lost and taken anew", "node=%u", node);
    if (logic->has_node)
        message_id_renumber(&logic->ids, node);
    else
        message_id_init(&logic->ids, node);
    logic->has_node = true;
}

/* --- start --- */

static int reload_callers(struct daemon *daemon, void *arg, char *err, size_t errlen)
{
    const struct logic *logic = daemon->state;

    (void)arg;
    return logic->callers != NULL ? callers_reload(logic->callers, err, errlen) : 0;
}

static int reload_jwts(struct daemon *daemon, void *arg, char *err, size_t errlen)
{
    const struct logic *logic = daemon->state;

    (void)arg;
    return logic->jwts != NULL ? jwts_reload(logic->jwts, err, errlen) : 0;
}

static int reload_traces(struct daemon *daemon, void *arg, char *err, size_t errlen)
{
    const struct logic *logic = daemon->state;

    (void)arg;
    return logic->traces != NULL ? traces_reload(logic->traces, err, errlen) : 0;
}

static int join(struct logic *logic)
{
    static const struct membership_events events = {.changed = on_members, .held = on_lease};
    struct member self = {0};

    int err = daemon_join(logic->daemon, &self, ALL_KINDS, &events, logic, &logic->redis,
                          &logic->membership);
    if (err != 0)
        return err;
    logic->tracer = tracer_open(logic->loop, &(struct tracer_options){
                                                 .redis = logic->redis,
                                                 .service = "imc-logic",
                                                 .member = self.id,
                                                 .counters = logic->counters,
                                                 .first_metric = LOGIC_TRACE_KEPT,
                                                 .config = &logic->config->tracer,
                                                 .tls = logic->daemon->tls,
                                             });
    return logic->tracer != NULL ? 0 : -EINVAL;
}

static void logic_stop(struct daemon *daemon);

static void warn_of_trust(const struct logic_config *config)
{
    if (config->auth_trust_mid)
        log_warn("auth.trust_mid is on: a goim client is whoever it says, without a token",
                 "hint=\"whoever reaches a comet can be any user: only on a trusted network\"");
    if (config->goim_comets)
        log_warn("goim.comets is on: goim's comets may use this logic",
                 "hint=\"whoever reaches rpc.listen can name sessions, and get what is pushed to "
                 "their users: only on a network that strangers do not reach\"");
}

static void open_parts(struct logic *logic)
{
    logic->routers = routers_open(logic);
    logic->routers_told = tell_routers;
    logic->lanes = push_lanes_open(logic);
    logic->backlogs = job_backlogs_open(logic);
    logic->connects = connects_open(logic);
    logic->gone_receivers = gone_receivers_open(logic);
    logic->room_orders = room_orders_open(logic);
    logic->questions = questions_open(logic);
    logic->drain_orders = drain_orders_open(logic);
    logic->abandoned = abandoned_open(logic);
    logic->mailbox_kept = abandoned_take;
    logic->nodes = nodes_open(logic->loop, logic->config, logic->counters);
    logic->online = goim_online_open();
    logic->feed = feed_open(logic);
    logic->room_rates = room_rates_new();
}

/* The parts that may fail; callers of the HTTP API come last. */
static int open_outside(struct logic *logic)
{
    static const struct stream_services services = {session_requests_handle, settle_requests_handle,
                                                    goim_call_came, console_report};

    int err = jwts_open(logic, &logic->jwts);
    if (err == 0)
        err = hook_open(logic, &logic->hook);
    if (err == 0)
        err = streams_open(logic, &services, &logic->streams);
    if (err == 0)
        err = kafka_producer_open(logic, &logic->bus);
    if (err == 0)
        err = upstream_open(logic);
    if (err == 0)
        err = session_log_open(logic);
    if (err == 0)
        err = traces_open(logic, &logic->traces);
    if (err == 0)
        err = join(logic);
    if (err == 0)
        logic->later = later_open(logic, v1_scheduled_deliver);
    if (err == 0)
        logic->facts = facts_open(logic);
    logic->more_routes = &v1_routes;
    console_open(logic);
    return err == 0 ? routes_open(logic) : err;
}

static int logic_start(struct daemon *daemon)
{
    static struct daemon_reload jwts = {.what = "jwt", .run = reload_jwts};
    static struct daemon_reload callers = {.what = "api.keys_file", .run = reload_callers};
    static struct daemon_reload traces = {.what = "trace.users_file", .run = reload_traces};
    struct logic *logic = &the_logic;

    logic_init(logic);
    logic->daemon = daemon;
    logic->config = daemon->config;
    logic->loop = &daemon->loop;
    logic->counters = daemon->counters;
    daemon->state = logic;
    warn_of_trust(logic->config);
    daemon_ready(daemon, "router", false, "no router holds a lease");
    open_parts(logic);
    int err = open_outside(logic);
    if (err != 0) {
        logic_stop(daemon);
        return err;
    }
    if (logic->jwts != NULL)
        daemon_on_reload(daemon, &jwts);
    if (logic->config->api_keys_file[0] != '\0')
        daemon_on_reload(daemon, &callers);
    if (logic->config->trace_users_file[0] != '\0')
        daemon_on_reload(daemon, &traces);
    needs_timer.data = logic;
    uv_timer_init(&daemon->loop.uv, &needs_timer);
    uv_timer_start(&needs_timer, on_needs, 0, NEEDS_MS);
    return 0;
}

/* --- drain --- */

static void on_drain_look(uv_timer_t *timer)
{
    struct logic *logic = timer->data;

    /* First answer all requests that were accepted over HTTP. They may still need routers and
     * Redis. */
    if (http_server_pending(logic->http) > 0 || push_pending(logic->lanes) > 0 ||
        streams_count(logic->streams) > 0)
        return;
    uv_timer_stop(timer);
    uv_close((uv_handle_t *)timer, NULL);
    daemon_drained(logic->daemon);
}

/* Gives the lease back at once, so that comets and jobs turn to other logics. Meanwhile this logic
 * finishes its requests. */
static void logic_drain(struct daemon *daemon)
{
    static uv_timer_t look;
    struct logic *logic = daemon->state;

    logic->draining = true;
    daemon_leave(daemon);
    http_server_drain(logic->http);
    streams_drain(logic->streams);
    look.data = logic;
    uv_timer_init(&logic->loop->uv, &look);
    uv_timer_start(&look, on_drain_look, 0, DRAIN_LOOK_MS);
}

/* --- stop --- */

/* Ends what waits for an answer from elsewhere: it answers its callers, as far as it can. */
static void stop_asking(struct logic *logic)
{
    jwts_close(logic->jwts);
    logic->jwts = NULL;
    hook_close(logic->hook);
    logic->hook = NULL;
    connects_close(logic->connects);
    gone_receivers_close(logic->gone_receivers);
    logic->gone_receivers = NULL;
    abandoned_close(logic->abandoned);
    logic->abandoned = NULL;
    routers_close(logic->routers);
    logic->routers = NULL;
    kafka_producer_close(logic->bus);
    logic->bus = NULL;
    upstream_close(logic->upstream);
    logic->upstream = NULL;
    facts_close(logic->facts);
    logic->facts = NULL;
    ordered_producer_close(logic->session_log);
    logic->session_log = NULL;
    for (int i = 0; i < STOP_TURNS; i++)
        uv_run(&logic->loop->uv, UV_RUN_NOWAIT); /* run what was put off to the end of the turn:
                                                  * answers */
    room_orders_close(logic->room_orders);
    logic->room_orders = NULL;
    questions_close(logic->questions);
    logic->questions = NULL;
    drain_orders_close(logic->drain_orders);
    logic->drain_orders = NULL;
}

/* Closes everything: comets' streams, then what asks others, so that callers of the HTTP API get
 * their answers, then the rest. Redis is closed only after this. Commands that wait for it end
 * then, and their callbacks use our state. So the state is in static memory and stays. */
static void logic_stop(struct daemon *daemon)
{
    struct logic *logic = daemon->state;

    if (needs_timer.data != NULL)
        uv_close((uv_handle_t *)&needs_timer, NULL);
    needs_timer.data = NULL;
    streams_close(logic->streams);
    stop_asking(logic);
    v1_followers_close(logic);
    http_server_close(logic->http);
    logic->http = NULL;
    console_close(logic->console);
    route_times_close(logic->route_times);
    logic->route_times = NULL;
    later_close(logic->later);
    logic->later = NULL;
    push_lanes_close(logic->lanes);
    room_rates_free(logic->room_rates);
    logic->room_rates = NULL;
    tracer_close(logic->tracer);
    logic->tracer = NULL;
    traces_close(logic->traces);
    logic->traces = NULL;
    job_backlogs_close(logic->backlogs);
    logic->backlogs = NULL;
    feed_close(logic->feed);
    logic->feed = NULL;
    openapi_free(logic->openapi);
    callers_close(logic->callers);
    logic->callers = NULL;
    local_callers_close(logic->local);
    logic->local = NULL;
    goim_online_close(logic->online);
    logic->online = NULL;
    nodes_close(logic->nodes);
    logic->nodes = NULL;
    former_members_free(&logic->former);
    logic->lanes = NULL;
    if (kafka_shutdowns_wait() > 0)
        daemon_abandon(daemon);
}

/* --- what the daemon asks for --- */

static void logic_scrape(struct daemon *daemon)
{
    struct logic *logic = daemon->state;

    if (logic == NULL || logic->bus == NULL || logic->http == NULL)
        return; /* logic is starting or stopping */
    metric_set(logic->counters, LOGIC_OUTSTANDING, (int64_t)push_pending(logic->lanes));
    metric_set(logic->counters, LOGIC_PARTITIONS, kafka_producer_partitions(logic->bus));
    if (logic->upstream != NULL)
        upstream_scrape(logic->upstream);
    if (logic->session_log != NULL)
        metric_set(logic->counters, LOGIC_EVENTS_WAITING,
                   (int64_t)ordered_producer_waiting(logic->session_log));
    facts_scrape(logic->facts);
    job_backlogs_scrape(logic->backlogs);
    nodes_scrape(logic->nodes);
    if (logic->jwts != NULL)
        jwts_scrape(logic->jwts);
    if (logic->hook != NULL)
        hook_scrape(logic->hook);
    metric_set(logic->counters, LOGIC_HTTP_HELD, http_server_held(logic->http));
    metric_set(logic->counters, LOGIC_HTTP_PENDING, (int64_t)http_server_pending(logic->http));
    struct http_stats stats;
    http_server_stats(logic->http, &stats);
    metric_set(logic->counters, LOGIC_HTTP_CONNECTIONS, (int64_t)stats.connections);
    metric_set(logic->counters, LOGIC_HTTP_FULL, (int64_t)stats.full);
    metric_set(logic->counters, LOGIC_HTTP_GAVE_WAY, (int64_t)stats.gave_way);
    metric_set(logic->counters, LOGIC_HTTP_ANSWERS, http_server_answers(logic->http));
    metric_set(logic->counters, LOGIC_HTTP_UNREAD, (int64_t)stats.unread);
    metric_set(logic->counters, LOGIC_HTTP_ACCEPT_ERRORS, (int64_t)stats.accept_errors);
}

static void logic_render(struct daemon *daemon, struct exposition *to)
{
    const struct logic *logic = daemon->state;

    if (logic == NULL)
        return;
    route_times_render(logic->route_times, to);
    callers_render(logic->callers, to);
}

static void logic_document_live(FILE *out)
{
    metrics_document_rows(&route_times_row, 1, out);
    metrics_document_rows(&callers_pushed_row, 1, out);
}

static void logic_memory(struct daemon *daemon, enum memory_level level)
{
    struct logic *logic = daemon->state;

    logic->memory = level;
}

static int logic_check(const void *arg, char *err, size_t errlen)
{
    const struct logic_config *config = arg;
    int bad = logic_config_check(config, err, errlen);

    if (bad == 0)
        bad = nodes_check(config, err, errlen);
    if (bad == 0)
        bad = hook_check(config, err, errlen);
    if (bad == 0)
        bad = local_callers_check(config->api_trusted, err, errlen);
    if (bad == 0)
        bad = jwts_check(config, err, errlen);
    return bad != 0 ? bad : callers_check(config, err, errlen);
}

static int logic_check_files(const void *config, char *err, size_t errlen)
{
    return traces_check(config, err, errlen);
}

static int print_openapi(struct daemon *daemon, const char *argument)
{
    (void)argument;
    openapi_print(stdout, daemon->config);
    return 0;
}

static int print_calls(struct daemon *daemon, const char *argument)
{
    (void)argument;
    markdown_print(stdout, daemon->config);
    return 0;
}

static const struct daemon_own_command logic_own_commands[] = {
    {"set-partitions", "N",
     "spread pushes over N partitions of bus.topic from now on: docs/operations.md", repartition},
    {"openapi", NULL, "print the OpenAPI document of /v1, as at /openapi.json", print_openapi},
    {"doc-api", NULL, "print the calls of /v1 as Markdown", print_calls},
    {0},
};

/* A push needs Redis only for an idempotency key. When messages for users who are away cannot be
 * stored, jobs report a backlog, and pushes are refused because of that. */
static const struct daemon_need logic_needs[] = {
    {"redis", USE_CONNECT | USE_STORE},
    {"redis_write", USE_STORE},
    {"clock", USE_CONNECT | USE_STORE},
    {"rpc", USE_CONNECT | USE_STORE},
    {"bus", USE_PUSH},
    {"partitions", USE_PUSH},
    {"jobs", USE_PUSH},
    {"events", USE_CONNECT},
    {"upstream", 0}, /* comets keep what clients send, and tell them when it takes too long */
    {NULL, 0},
};

static const struct series_row logic_series[] = {
    {SERIES_PUSHES, LOGIC_PRODUCED_UID}, {SERIES_PUSHES, LOGIC_PRODUCED_ROOM},
    {SERIES_PUSHES, LOGIC_PRODUCED_ALL}, {SERIES_REQUESTS, LOGIC_HTTP_2XX},
    {SERIES_REQUESTS, LOGIC_HTTP_4XX},   {SERIES_REQUESTS, LOGIC_HTTP_5XX},
    {SERIES_ERRORS, LOGIC_HTTP_5XX},     {SERIES_ERRORS, LOGIC_FAILED_UID},
    {SERIES_ERRORS, LOGIC_FAILED_ROOM},  {SERIES_ERRORS, LOGIC_FAILED_ALL},
    {SERIES_REFUSED, LOGIC_HTTP_4XX},    {SERIES_BACKLOG_MS, LOGIC_BACKLOG_LAG_MS},
    {SERIES_COUNT, SERIES_END},
};

static const struct daemon_spec logic_spec = {
    .name = "logic",
    .summary = "auth, routing decisions, mailboxes and the HTTP APIs",
    .kind = MEMBER_LOGIC,
    .admin_default = "127.0.0.1:7173",
    .rpc_default = "127.0.0.1:7170",
    .rows = logic_config_rows,
    .config_size = sizeof(struct logic_config),
    .needs = logic_needs,
    .metrics = logic_metric_rows,
    .n_metrics = LOGIC_METRIC_ROWS,
    .series = logic_series,
    .report = console_report_own,
    .check = logic_check,
    .check_files = logic_check_files,
    .start = logic_start,
    .drain = logic_drain,
    .stop = logic_stop,
    .own_commands = logic_own_commands,
    .scrape = logic_scrape,
    .render = logic_render,
    .document_live = logic_document_live,
    .memory = logic_memory,
    .memory_refused = "pushes; near the limit every call",
};

int main(int argc, char **argv)
{
    json_wipe_what_is_freed(); /* JSON of requests may hold tokens */
    return daemon_main(&logic_spec, argc, argv);
}
