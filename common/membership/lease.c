/* Leases. One script renews our lease, removes leases that lapsed and reads the others. Its answer
 * decides what we are:
 *
 *                 held                              lost: a new epoch, again at once
 *   SEEKING ─────────────────► HOLDING ─────────────────────────────────────┐
 *    ▲  ▲ └─ other, full: after renew_ms │ other: a new epoch               │
 *    │  └────────────────────────────────┘                                  │
 *    └──────────────────────────────────────────────────────────────────────┘
 *
 * If Redis does not answer, nothing changes: the last lists stay in force. When Redis is back
 * without its data, missing members are kept for ttl_ms. So they can renew before anybody takes
 * them for dead. */
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/membership/internal.h"
#include "common/membership/lease_leave.lua.h"
#include "common/membership/lease_renew.lua.h"
#include "common/membership/membership.h"
#include "common/protocol/message_id.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* When Redis did not answer, we try again sooner than renew_ms. Commands to a Redis that is away
 * fail at once, without any cost. */
enum { RETRY_MS = 100 };

static struct redis_script renew_script = {.source = lease_renew_lua};
static struct redis_script leave_script = {.source = lease_leave_lua};

static const char SEEN_KEY[] = "imc:members:seen";
static const char *const KIND_KEYS[MEMBER_KINDS] = {
    [MEMBER_COMET] = "imc:members:comet",
    [MEMBER_LOGIC] = "imc:members:logic",
    [MEMBER_ROUTER] = "imc:members:router",
    [MEMBER_JOB] = "imc:members:job",
};

enum { ANSWER_LISTS = 4 }; /* the index in the answer at which lists begin */

enum trouble { TROUBLE_NONE, TROUBLE_OTHER, TROUBLE_FULL, TROUBLE_ERROR };

struct leases {
    struct membership base;
    struct redis *redis;
    uv_timer_t timer;
    enum trouble told;   /* the trouble that was logged last */
    bool dated;          /* our epoch goes by Redis's clock */
    bool away;           /* Redis did not answer the last renewal */
    bool hurried;        /* the next renewal is due at once */
    int64_t connects;    /* redis_stats.connects at the last answer */
    uint64_t keep_until; /* loop time until which missing members are kept */
    unsigned calls;      /* commands without an answer: their arg is this struct */
    bool timer_closed;
};

static void renew(struct leases *leases);
static void leave_now(struct leases *leases);

static struct leases *leases_of(struct membership *membership)
{
    return container_of(membership, struct leases, base);
}

static void maybe_free(struct leases *leases)
{
    if (leases->timer_closed && leases->calls == 0)
        membership_free(&leases->base);
}

/* --- the answer --- */

/* Is TROUBLE another one than the log has? So each is logged once, not at every attempt. */
static bool is_news(struct leases *leases, enum trouble trouble)
{
    bool news = leases->told != trouble;
    leases->told = trouble;
    return news;
}

static void take_list(struct leases *leases, enum member_kind kind, const redisReply *reply)
{
    struct member_list list = member_list_decode(reply);
    if (loop_now_ms(leases->base.loop) < leases->keep_until)
        member_list_keep(&list, &leases->base.lists[kind]);
    membership_take_list(&leases->base, kind, list);
}

/* Takes the status in REPLY. True: the next attempt is due at once. */
static bool take_status(struct leases *leases, const redisReply *reply)
{
    const char *status = reply->element[0]->str, *rpc = reply->element[2]->str;
    if (strcmp(status, "held") == 0) {
        leases->told = TROUBLE_NONE;
        membership_hold(&leases->base, (uint32_t)reply->element[1]->integer);
        return false;
    }
    if (strcmp(status, "lost") == 0) {
        log_warn("lease lapsed", "id=%s: others may have taken us for dead; starting a new life",
                 leases->base.self.id);
        membership_give_up(&leases->base);
        return true;
    }
    if (leases->base.holding)
        membership_give_up(&leases->base);
    if (strcmp(status, "other") == 0 && is_news(leases, TROUBLE_OTHER))
        log_error("lease refused",
                  "id %s is held by another process (rpc \"%s\"); waiting until it ends: if it is "
                  "meant to live, set lease.id",
                  leases->base.self.id, rpc);
    else if (strcmp(status, "full") == 0 && is_news(leases, TROUBLE_FULL))
        log_error("lease refused", "all %d node numbers are in use; stop some of the daemons",
                  MESSAGE_ID_MAX_NODE + 1);
    return false;
}

static unsigned count_bits(unsigned bits)
{
    return (unsigned)__builtin_popcount(bits);
}

/* Does REPLY have the form that the script gives it? Redis may answer with an error instead: out of
 * memory, or a read-only replica. */
static bool is_answer(const struct leases *leases, const redisReply *reply)
{
    size_t lists = count_bits(leases->base.watch);
    if (reply->type != REDIS_REPLY_ARRAY || reply->elements != ANSWER_LISTS + lists ||
        reply->element[0]->type != REDIS_REPLY_STRING ||
        reply->element[1]->type != REDIS_REPLY_INTEGER ||
        reply->element[2]->type != REDIS_REPLY_STRING ||
        reply->element[3]->type != REDIS_REPLY_INTEGER)
        return false;
    for (size_t i = 0; i < lists; i++) {
        if (reply->element[ANSWER_LISTS + i]->type != REDIS_REPLY_ARRAY)
            return false;
    }
    return true;
}

/* Has our own lease vanished? Redis may lose its data without an outage: by FLUSHALL, or because
 * its name leads to another Redis. Then the leases of all others are gone too. */
static bool lost_data(const redisReply *reply)
{
    return reply->element[3]->integer != 0 && strcmp(reply->element[0]->str, "lost") == 0;
}

static void after_outage(struct leases *leases, const redisReply *reply)
{
    int64_t connects = redis_stats(leases->redis)->connects;
    if (leases->base.read != 0 &&
        (leases->away || lost_data(reply) || connects != leases->connects))
        leases->keep_until = loop_now_ms(leases->base.loop) + (uint64_t)leases->base.ttl_ms;
    leases->away = false;
    leases->connects = connects;
}

static bool take_answer(struct leases *leases, const redisReply *reply)
{
    size_t next = ANSWER_LISTS;
    after_outage(leases, reply);
    for (int kind = 0; kind < MEMBER_KINDS && !leases->base.closed; kind++) {
        if ((leases->base.watch >> kind & 1) != 0)
            take_list(leases, (enum member_kind)kind, reply->element[next++]);
    }
    return !leases->base.closed && take_status(leases, reply);
}

static void on_timer(uv_timer_t *timer)
{
    renew(timer->data);
}

static void on_renewed(struct redis *redis, const redisReply *reply, void *arg)
{
    struct leases *leases = arg;
    uint64_t next_ms = (uint64_t)leases->base.renew_ms;
    (void)redis;
    /* leases->calls goes down only at the end, because an event may close us. */
    if (leases->base.closed) {
        leases->calls--;
        maybe_free(leases);
        return;
    }
    if (reply == NULL || !is_answer(leases, reply)) {
        if (reply != NULL && is_news(leases, TROUBLE_ERROR))
            log_error("lease not renewed", "id=%s redis says \"%s\"", leases->base.self.id,
                      reply->type == REDIS_REPLY_ERROR ? reply->str : "something unexpected");
        leases->away = true;
        next_ms = next_ms < RETRY_MS ? next_ms : RETRY_MS;
    } else if (!leases->base.leaving && (take_answer(leases, reply) || leases->hurried)) {
        next_ms = 0;
    }
    leases->calls--;
    if (leases->base.closed)
        maybe_free(leases);
    else if (leases->base.leaving)
        leave_now(leases);
    else
        uv_timer_start(&leases->timer, on_timer, next_ms, 0);
}

/* --- asking --- */

static void renew(struct leases *leases)
{
    char kind[12], watch[12], epoch[24], ttl[24], gap[24], max_node[12];
    int64_t gap_ms = leases->base.renew_ms * 2 + 100 > leases->base.ttl_ms / 2
                         ? leases->base.renew_ms * 2 + 100
                         : leases->base.ttl_ms / 2;
    if (!leases->dated && redis_is_up(leases->redis)) {
        leases->dated = true;
        membership_date(&leases->base, redis_now_us(leases->redis) / 1000);
    }
    leases->hurried = false;
    char *member = member_encode(&leases->base.self, leases->base.ttl_ms);
    (void)snprintf(kind, sizeof kind, "%d", (int)leases->base.kind);
    (void)snprintf(watch, sizeof watch, "%u", leases->base.watch);
    (void)snprintf(epoch, sizeof epoch, "%" PRIu64, leases->base.self.epoch);
    (void)snprintf(ttl, sizeof ttl, "%" PRId64, leases->base.ttl_ms);
    (void)snprintf(gap, sizeof gap, "%" PRId64, gap_ms);
    (void)snprintf(max_node, sizeof max_node, "%d", MESSAGE_ID_MAX_NODE);
    const char *args[1 + MEMBER_KINDS + 11] = {SEEN_KEY};
    int n = 1;
    for (int i = 0; i < MEMBER_KINDS; i++)
        args[n++] = KIND_KEYS[i];
    int keys = n;
    args[n++] = kind;
    args[n++] = watch;
    args[n++] = leases->base.self.id;
    args[n++] = epoch;
    args[n++] = leases->base.self.rpc;
    args[n++] = member;
    args[n++] = ttl;
    args[n++] = gap;
    args[n++] = leases->base.holding ? "1" : "0";
    /* A port has one owner. So a process that starts with the rpc address of a living lease
     * replaces a dead process. This holds only for its first lease. Otherwise two processes that
     * believe in the same address would replace each other in turn. */
    args[n++] = leases->base.ever_held ? "0" : "1";
    args[n++] = leases->base.kind == MEMBER_LOGIC ? max_node : "-1";
    leases->calls++;
    redis_eval(leases->redis,
               &(struct redis_eval){.script = &renew_script, .keys = keys, .argc = n, .argv = args},
               on_renewed, leases);
    free(member);
}

static void on_left(struct redis *redis, const redisReply *reply, void *arg)
{
    struct leases *leases = arg;
    (void)redis;
    (void)reply;
    leases->calls--;
    if (leases->base.closed) {
        maybe_free(leases);
        return;
    }
    membership_tell_left(&leases->base);
}

static void leave_now(struct leases *leases)
{
    char epoch[24];
    (void)snprintf(epoch, sizeof epoch, "%" PRIu64, leases->base.self.epoch);
    const char *args[] = {KIND_KEYS[leases->base.kind], leases->base.self.id, epoch};
    leases->base.holding = false;
    leases->calls++;
    redis_eval(leases->redis,
               &(struct redis_eval){.script = &leave_script, .keys = 1, .argc = 3, .argv = args},
               on_left, leases);
}

/* --- the backend --- */

static void leases_start(struct membership *membership)
{
    struct leases *leases = leases_of(membership);
    uv_timer_init(&membership->loop->uv, &leases->timer);
    leases->timer.data = leases;
    uv_timer_start(&leases->timer, on_timer, 0, 0);
}

static bool leases_fresh(const struct membership *membership)
{
    return redis_is_up(((const struct leases *)(const void *)membership)->redis);
}

static void leases_leave(struct membership *membership)
{
    struct leases *leases = leases_of(membership);
    uv_timer_stop(&leases->timer);
    if (leases->calls == 0) /* otherwise after the answer: a renewal whose script has to be loaded
                             * would come after our leave */
        leave_now(leases);
}

static void leases_renew(struct membership *membership)
{
    struct leases *leases = leases_of(membership);
    leases->hurried = true;
    if (leases->calls == 0 && !membership->leaving && !membership->closed)
        uv_timer_start(&leases->timer, on_timer, 0, 0);
}

static void on_timer_closed(uv_handle_t *handle)
{
    struct leases *leases = handle->data;
    leases->timer_closed = true;
    maybe_free(leases);
}

static void leases_close(struct membership *membership)
{
    uv_close((uv_handle_t *)&leases_of(membership)->timer, on_timer_closed);
}

static const struct membership_ops ops = {
    .start = leases_start,
    .fresh = leases_fresh,
    .leave = leases_leave,
    .renew = leases_renew,
    .close = leases_close,
};

struct membership *membership_lease_new(struct redis *redis)
{
    struct leases *leases = mem_zalloc(sizeof *leases);
    leases->base.ops = &ops;
    leases->redis = redis;
    return &leases->base;
}
