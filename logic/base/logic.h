/* logic.h - the struct that all folders of the daemon share. main.c fills it. Everything in logic
 * belongs to the main loop (daemon->loop). The rpc thread only unpacks messages of streams
 * (logic/peers/streams.c, logic/router/router_peer.c) and posts them to this loop.
 *
 *   business ── http/routes ─┬─ http/push ─► push/push ─┬─► push/kafka_producer ════► Kafka
 *                            │   └ idempotency          └─► router/routers ═════════► router
 *                            ├─ http/token ─► tokens/ ══════════════════════════════► Redis
 *                            ├─ http/count ─► router/routers
 *                            ├─ http/rooms ─► peers/room_orders ─► routers; ═ streams ═► comet
 *                            └─ http/msg_get ─► mailbox/mailbox ════════════════════► Redis
 *   client, by its business ── nodes/nodes: which comet to connect to
 *   comet ═ peers/streams ─ peers/session_requests ─► connect ─► tokens, routers, mailbox
 *                                               ├───► mailbox/gone_receivers ─► routers, mailbox
 *                                               ├───► upstream_requests ─► upstream/ ═► Kafka
 *                                               └───► session_event_requests ─► events/ ═► Kafka
 *   job ═══ peers/streams ─ peers/settle_requests ──► mailbox, routers, push/job_backlog */
#ifndef IMC_LOGIC_BASE_LOGIC_H
#define IMC_LOGIC_BASE_LOGIC_H

#include "common/base/list.h"
#include "common/base/time.h"
#include "common/membership/former.h"
#include "common/protocol/message_id.h"
#include "logic/base/config.h"
#include "logic/base/metrics.h"

struct routers;
struct kafka_producer;
struct streams;
struct upstream;
struct push_lanes;
struct room_rates;
struct job_backlogs;
struct connects;
struct gone_receivers;
struct room_orders;
struct questions;
struct drain_orders;
struct facts;
struct feed;
struct followers;
struct later;
struct openapi;
struct callers;
struct local_callers;
struct http_server;
struct http_request;
struct console;
struct route_set;
struct nodes;
struct goim_online;
struct ordered_producer;
struct jwts;
struct hook;
struct tracer;
struct traces;

struct logic {
    struct daemon *daemon;
    const struct logic_config *config;
    struct loop *loop;
    _Atomic int64_t *counters;
    struct redis *redis;
    struct membership *membership;
    struct former_members former;
    struct message_ids ids;
    bool has_node; /* the lease gave us a node number, so we can make message ids */
    bool draining;
    enum memory_level memory;
    struct routers *routers;
    void (*routers_told)(struct logic *logic); /* a router has begun or ceased to answer; may be
                                                * NULL */
    struct kafka_producer *bus;
    struct upstream *upstream;            /* NULL: upstream.topic and upstream.url are empty */
    struct ordered_producer *session_log; /* events/session_log.h; NULL: events.log is empty */
    struct facts *facts;                  /* events/facts.h; NULL: nobody is told of messages */
    struct feed *feed;                    /* feed/feed.h: events, while somebody looks at them */
    struct followers *followers; /* http/v1/events.h; NULL: nobody has waited for events yet */
    unsigned event_types; /* a bit per enum event_type that is wanted; 0: events.log is empty */
    struct streams *streams;
    struct push_lanes *lanes;
    struct room_rates *room_rates; /* push/room_rates.h; NULL: nothing is counted */
    struct job_backlogs *backlogs;
    struct connects *connects;
    struct hook *hook; /* hook/hook.h; NULL: auth.url is empty, and tokens decide who connects */
    struct gone_receivers *gone_receivers;
    struct room_orders *room_orders;
    struct questions *questions;
    struct drain_orders *drain_orders;
    struct abandoned *abandoned;
    /* A mailbox of a user who is away keeps more than mailbox.limit, because messages up to UPTO
     * are owed to sessions; may be NULL. */
    void (*mailbox_kept)(struct logic *logic, int64_t uid, uint64_t upto);
    struct tracer *tracer;       /* common/trace/tracer.h; NULL: not open yet */
    struct traces *traces;       /* trace/traces.h: which messages are traced */
    struct later *later;         /* later/later.h: messages that wait for their time */
    struct openapi *openapi;     /* http/v1/openapi.h; NULL: nobody has asked for it yet */
    struct callers *callers;     /* http/callers.h: who calls the HTTP API */
    struct local_callers *local; /* who may call while no key is set */
    struct http_server *http;
    struct route_times *route_times; /* http/route_times.h; NULL: nothing is timed */
    /* http/route.h: those of http/v1, and of console/; NULL: none */
    const struct route_set *more_routes, *console_routes;
    struct console *console; /* console/console.h; NULL: console.enabled is not set */
    /* The digest of the key with which the sender of REQUEST has logged in at the console. NULL: he
     * has not; if he says so, *WHY says what is wrong with it. May be NULL. */
    const uint8_t *(*logged_in)(struct logic *logic, const struct http_request *request,
                                const char **why);
    struct jwts *jwts; /* jwt/verifier.h; NULL: no key is configured */
    struct goim_online *online;
    struct nodes *nodes; /* nodes/nodes.h: which comets clients are told of */
    /* Pages of mailboxes that Redis is asked for, and those that wait for their turn: mailbox.c. */
    size_t pages_out;
    STAILQ_HEAD(, mailbox_call) pages_waiting;
    /* Calls of /1/msg/get: http/msg_get.c. */
    LIST_HEAD(, get_call) gets_reading;
    TAILQ_HEAD(, get_call) gets_waiting;
};

/* For a LOGIC that is all zero: nothing waits yet. */
static inline void logic_init(struct logic *logic)
{
    STAILQ_INIT(&logic->pages_waiting);
    LIST_INIT(&logic->gets_reading);
    TAILQ_INIT(&logic->gets_waiting);
}

static inline void logic_count(struct logic *logic, enum logic_metric metric, int64_t by)
{
    metric_add(logic->counters, metric, by);
}

/* What METRIC, a histogram, measures took from SINCE_US, by time_mono_us(), until now. */
static inline void logic_took(struct logic *logic, size_t metric, int64_t since_us)
{
    metric_observe(logic->counters, metric, time_mono_us() - since_us, 1);
}

/* Unix time by Redis's clock, which all logics share. Message ids and the age of messages go by
 * it. */
static inline uint64_t logic_now_us(const struct logic *logic)
{
    return logic->redis != NULL ? redis_now_us(logic->redis) : time_unix_us();
}

static inline uint64_t logic_now_ms(const struct logic *logic)
{
    return logic_now_us(logic) / 1000;
}

#endif
