/* One script renews the own lease, prunes and reads; its answer decides what we are:
 *
 *                 held                              lost: a new epoch, again at once
 *   SEEKING ─────────────────► HOLDING ─────────────────────────────────────┐
 *    ▲  ▲ └─ other, full: after renew_ms │ other: a new epoch                │
 *    │  └────────────────────────────────┘                                  │
 *    └──────────────────────────────────────────────────────────────────────┘
 *
 * No answer changes nothing: the last lists stay in force. When Redis is back without its data,
 * members that are missing are kept for ttl_ms more, so that they can renew before they look dead.
 */
#include "common/membership.h"
#include "common/ids.h"
#include "common/log.h"
#include "common/mem.h"
#include "common/membership_internal.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

/* After no answer: sooner than renew_ms, because commands to a Redis that is away fail at once and
 * for free. */
enum { RETRY_MS = 100, EPOCH_RANDOM_BITS = 20 };

static const char SEEN_KEY[] = "imc:members:seen";
static const char *const KIND_KEYS[MEMBER_KINDS] = {
    [MEMBER_COMET] = "imc:members:comet",
    [MEMBER_LOGIC] = "imc:members:logic",
    [MEMBER_ROUTER] = "imc:members:router",
    [MEMBER_JOB] = "imc:members:job",
};

enum trouble { TROUBLE_NONE, TROUBLE_OTHER, TROUBLE_FULL, TROUBLE_ERROR };

struct membership {
    struct loop *loop;
    struct redis *redis;
    enum member_kind kind;
    unsigned watch;
    int64_t renew_ms, ttl_ms;
    struct member self;
    struct membership_events events;
    void *arg;
    uv_timer_t timer;

    bool holding, ever_held;
    enum trouble told;   /* the trouble that the log has */
    unsigned read;       /* kinds that were read */
    bool away;           /* the last renewal was not answered */
    int64_t connects;    /* of Redis, at the last answer */
    uint64_t keep_until; /* loop time until which missing members are kept */
    struct member_list lists[MEMBER_KINDS];

    unsigned calls; /* under way: their arg is this struct */
    bool leaving, closed, timer_closed;
    void (*left)(void *arg);
    void *left_arg;
};

static void renew(struct membership *membership);
static void leave_now(struct membership *membership);

static uint64_t new_epoch(uint64_t after)
{
    uint32_t random = 0;
    if (getrandom(&random, sizeof random, GRND_NONBLOCK) != (ssize_t)sizeof random)
        random = (uint32_t)uv_hrtime();
    random &= (1U << EPOCH_RANDOM_BITS) - 1;
    uint64_t epoch = unix_now_ms() << EPOCH_RANDOM_BITS | random;
    return epoch > after ? epoch : after + 1;
}

static void maybe_free(struct membership *membership)
{
    if (!membership->timer_closed || membership->calls > 0)
        return;
    for (int kind = 0; kind < MEMBER_KINDS; kind++)
        member_list_free(&membership->lists[kind]);
    free(membership);
}

/* --- the answer --- */

/* Logs a trouble once, not at every attempt. */
static bool is_news(struct membership *membership, enum trouble trouble)
{
    bool news = membership->told != trouble;
    membership->told = trouble;
    return news;
}

static void take_list(struct membership *membership, enum member_kind kind, const redisReply *reply)
{
    struct member_list *old = &membership->lists[kind], list = member_list_decode(reply);
    if (loop_now_ms(membership->loop) < membership->keep_until)
        member_list_keep(&list, old);
    membership->read |= 1U << kind;
    if (member_list_same(&list, old)) { /* those who hold the pointer see the new counts */
        for (size_t i = 0; i < list.n; i++)
            old->members[i].connections = list.members[i].connections;
        member_list_free(&list);
        return;
    }
    struct member_list gone = *old;
    *old = list;
    if (membership->events.changed != NULL)
        membership->events.changed(membership, kind, membership->arg);
    member_list_free(&gone);
}

/* We hold the lease no more: what comes next is another life. */
static void give_up_epoch(struct membership *membership)
{
    membership->holding = false;
    membership->self.epoch = new_epoch(membership->self.epoch);
}

static void take_held(struct membership *membership, uint32_t node)
{
    membership->told = TROUBLE_NONE;
    if (membership->holding)
        return;
    bool lost = membership->ever_held;
    membership->holding = membership->ever_held = true;
    membership->self.node = node;
    log_info("lease held", "id=%s epoch=%" PRIu64 " node=%u lost=%s", membership->self.id,
             membership->self.epoch, node, lost ? "yes" : "no");
    if (membership->events.held != NULL)
        membership->events.held(membership, lost, membership->arg);
}

/* True if the next attempt is due at once. */
static bool take_status(struct membership *membership, const redisReply *reply)
{
    const char *status = reply->element[0]->str, *rpc = reply->element[2]->str;
    if (strcmp(status, "held") == 0) {
        take_held(membership, (uint32_t)reply->element[1]->integer);
        return false;
    }
    if (strcmp(status, "lost") == 0) {
        log_warn("lease lapsed", "id=%s: others may have taken us for dead; starting a new life",
                 membership->self.id);
        give_up_epoch(membership);
        return true;
    }
    if (membership->holding)
        give_up_epoch(membership);
    if (strcmp(status, "other") == 0 && is_news(membership, TROUBLE_OTHER))
        log_error("lease refused",
                  "id %s is held by another process (rpc \"%s\"); waiting until it ends: if it is "
                  "meant to live, set lease.id",
                  membership->self.id, rpc);
    else if (strcmp(status, "full") == 0 && is_news(membership, TROUBLE_FULL))
        log_error("lease refused", "all %d node numbers are in use; stop some of the daemons",
                  IDS_MAX_NODE + 1);
    return false;
}

static unsigned count_bits(unsigned bits)
{
    return (unsigned)__builtin_popcount(bits);
}

/* As the script promises? Redis may also answer with an error: out of memory, a read-only replica.
 */
static bool is_answer(const struct membership *membership, const redisReply *reply)
{
    size_t lists = count_bits(membership->watch);
    if (reply->type != REDIS_REPLY_ARRAY || reply->elements != 3 + lists ||
        reply->element[0]->type != REDIS_REPLY_STRING ||
        reply->element[1]->type != REDIS_REPLY_INTEGER ||
        reply->element[2]->type != REDIS_REPLY_STRING)
        return false;
    for (size_t i = 0; i < lists; i++) {
        if (reply->element[3 + i]->type != REDIS_REPLY_ARRAY)
            return false;
    }
    return true;
}

static void after_outage(struct membership *membership)
{
    int64_t connects = redis_stats(membership->redis)->connects;
    if (membership->read != 0 && (membership->away || connects != membership->connects))
        membership->keep_until = loop_now_ms(membership->loop) + (uint64_t)membership->ttl_ms;
    membership->away = false;
    membership->connects = connects;
}

static bool take_answer(struct membership *membership, const redisReply *reply)
{
    size_t next = 3;
    after_outage(membership);
    for (int kind = 0; kind < MEMBER_KINDS && !membership->closed; kind++) {
        if ((membership->watch >> kind & 1) != 0)
            take_list(membership, (enum member_kind)kind, reply->element[next++]);
    }
    return !membership->closed && take_status(membership, reply);
}

static void on_timer(uv_timer_t *timer)
{
    renew(timer->data);
}

static void on_renewed(struct redis *redis, const redisReply *reply, void *arg)
{
    struct membership *membership = arg;
    uint64_t next_ms = (uint64_t)membership->renew_ms;
    (void)redis;
    /* Counted as under way until the end: the events may close us. */
    if (membership->closed) {
        membership->calls--;
        maybe_free(membership);
        return;
    }
    if (reply == NULL || !is_answer(membership, reply)) {
        if (reply != NULL && is_news(membership, TROUBLE_ERROR))
            log_error("lease not renewed", "id=%s redis says \"%s\"", membership->self.id,
                      reply->type == REDIS_REPLY_ERROR ? reply->str : "something unexpected");
        membership->away = true;
        next_ms = next_ms < RETRY_MS ? next_ms : RETRY_MS;
    } else if (!membership->leaving && take_answer(membership, reply)) {
        next_ms = 0;
    }
    membership->calls--;
    if (membership->closed)
        maybe_free(membership);
    else if (membership->leaving)
        leave_now(membership);
    else
        uv_timer_start(&membership->timer, on_timer, next_ms, 0);
}

/* --- asking --- */

static void renew(struct membership *membership)
{
    char kind[12], watch[12], epoch[24], ttl[24], gap[24], max_node[12];
    int64_t gap_ms = membership->renew_ms * 2 + 100 > membership->ttl_ms / 2
                         ? membership->renew_ms * 2 + 100
                         : membership->ttl_ms / 2;
    char *member = member_encode(&membership->self, membership->ttl_ms);
    (void)snprintf(kind, sizeof kind, "%d", (int)membership->kind);
    (void)snprintf(watch, sizeof watch, "%u", membership->watch);
    (void)snprintf(epoch, sizeof epoch, "%" PRIu64, membership->self.epoch);
    (void)snprintf(ttl, sizeof ttl, "%" PRId64, membership->ttl_ms);
    (void)snprintf(gap, sizeof gap, "%" PRId64, gap_ms);
    (void)snprintf(max_node, sizeof max_node, "%d", IDS_MAX_NODE);
    const char *args[1 + MEMBER_KINDS + 11] = {SEEN_KEY};
    int n = 1;
    for (int i = 0; i < MEMBER_KINDS; i++)
        args[n++] = KIND_KEYS[i];
    int keys = n;
    args[n++] = kind;
    args[n++] = watch;
    args[n++] = membership->self.id;
    args[n++] = epoch;
    args[n++] = membership->self.rpc;
    args[n++] = member;
    args[n++] = ttl;
    args[n++] = gap;
    args[n++] = membership->holding ? "1" : "0";
    /* A port has one owner: whoever comes to life with the rpc address of a live lease replaces a
     * dead process. Only at first, or two who believe in the same address would take turns. */
    args[n++] = membership->ever_held ? "0" : "1";
    args[n++] = membership->kind == MEMBER_LOGIC ? max_node : "-1";
    membership->calls++;
    redis_eval(membership->redis, 0, &membership_renew_script, keys, n, args, NULL, on_renewed,
               membership);
    free(member);
}

static void on_left(struct redis *redis, const redisReply *reply, void *arg)
{
    struct membership *membership = arg;
    (void)redis;
    (void)reply;
    membership->calls--;
    if (membership->closed) {
        maybe_free(membership);
        return;
    }
    if (membership->left != NULL)
        membership->left(membership->left_arg);
}

static void leave_now(struct membership *membership)
{
    char epoch[24];
    (void)snprintf(epoch, sizeof epoch, "%" PRIu64, membership->self.epoch);
    const char *args[] = {KIND_KEYS[membership->kind], membership->self.id, epoch};
    membership->holding = false;
    membership->calls++;
    redis_eval(membership->redis, 0, &membership_leave_script, 1, 3, args, NULL, on_left,
               membership);
}

/* --- the interface --- */

struct membership *membership_open(struct loop *loop, struct redis *redis,
                                   const struct membership_options *options,
                                   const struct membership_events *events, void *arg)
{
    assert(options->renew_ms > 0 && options->ttl_ms > 0);
    struct membership *membership = mem_zalloc(sizeof *membership);
    membership->loop = loop;
    membership->redis = redis;
    membership->kind = options->kind;
    membership->watch = options->watch & ((1U << MEMBER_KINDS) - 1);
    membership->renew_ms = options->renew_ms;
    membership->ttl_ms = options->ttl_ms;
    membership->self = options->self;
    membership->self.epoch = new_epoch(0);
    membership->self.node = 0;
    if (events != NULL)
        membership->events = *events;
    membership->arg = arg;
    uv_timer_init(&loop->uv, &membership->timer);
    membership->timer.data = membership;
    uv_timer_start(&membership->timer, on_timer, 0, 0);
    return membership;
}

const struct member_list *membership_list(const struct membership *membership,
                                          enum member_kind kind)
{
    return &membership->lists[kind];
}

const struct member *membership_find(const struct membership *membership, enum member_kind kind,
                                     const char *id)
{
    return member_list_find(&membership->lists[kind], id);
}

const struct member *membership_self(const struct membership *membership)
{
    return &membership->self;
}

bool membership_ready(const struct membership *membership)
{
    return membership->holding && (membership->read & membership->watch) == membership->watch;
}

void membership_set_connections(struct membership *membership, int64_t connections)
{
    membership->self.connections = connections;
}

void membership_leave(struct membership *membership, void (*done)(void *arg), void *arg)
{
    assert(!membership->closed && !membership->leaving);
    membership->leaving = true;
    membership->left = done;
    membership->left_arg = arg;
    uv_timer_stop(&membership->timer);
    if (membership->calls ==
        0) /* else after the answer: a renewal that loads its script first would overtake us */
        leave_now(membership);
}

static void on_timer_closed(uv_handle_t *handle)
{
    struct membership *membership = handle->data;
    membership->timer_closed = true;
    maybe_free(membership);
}

void membership_close(struct membership *membership)
{
    if (membership == NULL)
        return;
    assert(!membership->closed);
    membership->closed = true;
    uv_close((uv_handle_t *)&membership->timer, on_timer_closed);
}
