/* SettleBatch ─► per message: mailbox_store ─► router_lookup ─┬─ nobody there: mailbox_trim
 *                                     │                       │             └─────► STORED
 *                                     └─ not stored: FAILED   ├─ not complete ────► UNKNOWN
 *                                                             └─ sessions: mailbox_store
 *                                                                owed to them ├───► STORED
 *                                                                             └───► FAILED
 *     (a message that is behind another which is not there is not stored: TOO_EARLY)
 *
 *     SettleReply ◄── the last one's settle_batch_drop()
 *
 * Routers are asked about one that FAILED as well, and its sessions told: job gives it to them, so
 * that who is online does not wait until Redis takes writes again.
 *
 * Only when a user is known to be away is the mailbox cut to what is kept for those who are: it may
 * hold more for a user who is there while routers are away, or who has just come back. */
#include "logic/peers/settle_requests.h"
#include "logic/mailbox/mailbox.h"
#include "logic/mailbox/receivers.h"
#include "logic/peers/waiting.h"
#include "logic/push/job_backlog.h"
#include "logic/router/routers.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* Sessions in one reply, which has to stay below what a message may be. */
enum { REPLY_BYTES = 3 << 20, SESSION_OVERHEAD = 4 };

struct settle_batch;

struct settle_item {
    struct settle_batch *sb;
    const Imc__V1__Settle *in;
    Imc__V1__SettleResult *result;
    struct router_reply *reply; /* keeps the result's sessions alive */
    struct mailbox_there there; /* when it had been stored */
    uint64_t behind;            /* what must be there before it */
    bool ended;                 /* nothing to store */
    bool failed;                /* not stored; but who is there shall be told */
};

struct settle_batch {
    struct stream_batch *batch;
    struct logic *logic;
    const Imc__V1__SettleBatch *in;
    Imc__V1__SettleReply reply;
    size_t pending;            /* items without a result, + 1 while they are being started */
    size_t bytes_left;         /* of the reply, for sessions */
    struct settle_item *items; /* outlive the arena: see settle_batch_drop() */
};

static void settle_batch_drop(struct settle_batch *sb)
{
    assert(sb->pending > 0);
    if (--sb->pending > 0)
        return;
    struct settle_item *items = sb->items;
    size_t n = sb->in->n_settles;
    stream_reply(sb->batch, &sb->reply.base); /* frees SB, not what its results point to */
    for (size_t i = 0; i < n; i++)
        router_reply_unref(items[i].reply);
    free(items);
}

/* Says why, once. Called from within an answer of Redis. */
static void batch_failed(struct settle_batch *sb)
{
    if (sb->reply.why[0] != '\0' || sb->logic->redis == NULL)
        return;
    const char *said = redis_said(sb->logic->redis);
    size_t size = strlen(said) + 1;
    sb->reply.why = memcpy(arena_alloc(&sb->batch->arena, size), said, size);
}

static void item_result(struct settle_item *item, Imc__V1__SettleResult__Status status)
{
    static const enum logic_metric rows[] = {
        [IMC__V1__SETTLE_RESULT__STATUS__STORED] = LOGIC_SETTLED_STORED,
        [IMC__V1__SETTLE_RESULT__STATUS__UNKNOWN] = LOGIC_SETTLED_UNKNOWN,
        [IMC__V1__SETTLE_RESULT__STATUS__FAILED] = LOGIC_SETTLED_FAILED,
        [IMC__V1__SETTLE_RESULT__STATUS__TOO_EARLY] = LOGIC_SETTLED_EARLY,
    };

    item->result->status = status;
    logic_count(item->sb->logic, rows[status], 1);
    if (status == IMC__V1__SETTLE_RESULT__STATUS__FAILED)
        batch_failed(item->sb);
}

/* Of an item that was waited for. */
static void item_done(struct settle_item *item, Imc__V1__SettleResult__Status status)
{
    item_result(item, status);
    settle_batch_drop(item->sb);
}

static void item_store(struct settle_item *item, enum mailbox_by by, const char *owed,
                       mailbox_fn fn)
{
    struct mailbox_put put = {
        .by = by,
        .uid = item->in->uid,
        .message = mailbox_message_of(item->in->message),
        .behind = by == MAILBOX_SETTLE ? item->behind : 0,
        .owed = owed,
        .there = by == MAILBOX_SETTLE ? &item->there : NULL,
    };

    mailbox_store(item->sb->logic, &put, fn, item);
}

static void on_owed(void *arg, int err)
{
    struct settle_item *item = arg;

    if (err != 0) /* they shall be told, and not be given what is in the mailbox */
        item->result->n_sessions = 0;
    item_done(item, err == 0 ? IMC__V1__SETTLE_RESULT__STATUS__STORED
                             : IMC__V1__SETTLE_RESULT__STATUS__FAILED);
}

/* Each session that is poked must find it, whoever else confirms it first: another one that is
 * poked, or one that connects now. What has been confirmed since it was stored was so by a session
 * that was connecting: the only one that is there had it; of several, the others had not. */
static void item_owe(struct settle_item *item)
{
    const Imc__V1__SettleResult *result = item->result;
    struct receivers owed = {0};
    char token[RECEIVERS_TOKEN_MAX];

    for (size_t i = 0; i < result->n_sessions; i++) {
        const Imc__V1__Session *session = result->sessions[i];
        receivers_add(&owed, token, receivers_token(session->comet, session->handle, token));
    }
    item_store(item, result->n_sessions == 1 ? MAILBOX_OWE_IF_THERE : MAILBOX_OWE, owed.text,
               on_owed);
    receivers_free(&owed);
}

/* Stored it is in any case; but if nobody asked again, what could not be cut now might stay. */
static void on_trimmed(void *arg, int err)
{
    item_done(arg, err == 0 ? IMC__V1__SETTLE_RESULT__STATUS__STORED
                            : IMC__V1__SETTLE_RESULT__STATUS__FAILED);
}

/* All that was there when this one had been stored was so before routers were asked. It is cut, and
 * not only what is older than this one: two logics, or one whose commands overtake each other,
 * store in any order, and the last one to look must leave no more than the limit. */
static void item_trim(struct settle_item *item)
{
    struct logic *logic = item->sb->logic;
    uint64_t own = item->in->message->id, newest = item->there.newest;

    if (item->there.n > (uint64_t)logic->config->mailbox_limit)
        mailbox_trim(logic, item->in->uid, newest > own ? newest : own, on_trimmed, item);
    else
        item_done(item, IMC__V1__SETTLE_RESULT__STATUS__STORED);
}

/* What does not fit the reply any more is settled again, in another one. */
static bool item_fits(struct settle_item *item, const struct router_answer *answer)
{
    struct settle_batch *sb = item->sb;
    size_t size = 0;

    for (size_t i = 0; i < answer->n_sessions; i++)
        size += imc__v1__session__get_packed_size(answer->sessions[i]) + SESSION_OVERHEAD;
    if (size > sb->bytes_left && sb->bytes_left < REPLY_BYTES)
        return false;
    sb->bytes_left -= size < sb->bytes_left ? size : sb->bytes_left;
    return true;
}

static void on_lookup(void *arg, const struct router_answer *answer)
{
    struct settle_item *item = arg;

    bool fits = item_fits(item, answer);
    bool known = answer->result == ROUTER_OK && answer->complete && fits;

    item->result->n_sessions = known || (fits && !item->failed) ? answer->n_sessions : 0;
    item->result->sessions = answer->sessions;
    item->reply = router_reply_ref(answer->reply);
    if (item->failed)
        item_done(item, IMC__V1__SETTLE_RESULT__STATUS__FAILED);
    else if (!known)
        item_done(item, IMC__V1__SETTLE_RESULT__STATUS__UNKNOWN);
    else if (answer->n_sessions == 0)
        item_trim(item);
    else
        item_owe(item);
}

static void on_stored(void *arg, int err)
{
    struct settle_item *item = arg;
    struct logic *logic = item->sb->logic;

    item->failed = err != 0;
    if (err == -ENOENT) {
        item_done(item, IMC__V1__SETTLE_RESULT__STATUS__TOO_EARLY);
    } else if (logic->routers == NULL) { /* we are stopping */
        item_done(item, IMC__V1__SETTLE_RESULT__STATUS__FAILED);
    } else {
        if (item->failed)
            batch_failed(item->sb);
        router_lookup(logic->routers, item->in->uid, (uint64_t)logic->config->lookup_timeout_ms,
                      on_lookup, item);
    }
}

static bool is_to_be_kept(struct logic *logic, const Imc__V1__Settle *in)
{
    if (in->message == NULL || in->message->id == 0)
        return false;
    struct mailbox_message message = mailbox_message_of(in->message);
    return !mailbox_refuses(logic, &message);
}

/* Job sends what is behind one another in one go. What has ended is not stored: then it is what
 * that one was behind. */
static uint64_t item_behind(const struct settle_batch *sb, size_t i)
{
    const struct settle_item *before = i > 0 ? &sb->items[i - 1] : NULL;
    const Imc__V1__Settle *in = sb->in->settles[i];

    if (before == NULL || !before->ended || before->in->uid != in->uid ||
        before->in->message == NULL || before->in->message->id != in->behind)
        return in->behind;
    return before->behind;
}

static void start_item(struct settle_batch *sb, size_t i)
{
    const Imc__V1__Settle *in = sb->in->settles[i];
    struct settle_item *item = &sb->items[i];
    Imc__V1__SettleResult *result = arena_alloc(&sb->batch->arena, sizeof *result);

    imc__v1__settle_result__init(result);
    sb->reply.results[i] = result;
    *item = (struct settle_item){.sb = sb, .in = in, .result = result};
    item->behind = item_behind(sb, i);
    item->ended = !is_to_be_kept(sb->logic, in);
    if (item->ended) {
        item_result(item, IMC__V1__SETTLE_RESULT__STATUS__STORED); /* and nobody to poke */
        return;
    }
    sb->pending++;
    item_store(item, MAILBOX_SETTLE, NULL, on_stored);
}

static void take_backlog(const struct settle_batch *sb)
{
    const Imc__V1__Backlog *in = sb->in->backlog;
    struct job_backlog_report told = {
        .lag_ms = in->lag_ms,
        .used_permille = in->used_permille,
        .stalled = in->stalled,
        .why = in->why,
    };

    job_backlogs_take(sb->logic->backlogs, sb->in->job, &told);
}

void settle_requests_handle(struct stream_batch *batch)
{
    struct settle_batch *sb = arena_alloc(&batch->arena, sizeof *sb);

    *sb = (struct settle_batch){
        .batch = batch,
        .logic = batch->logic,
        .in = (const Imc__V1__SettleBatch *)batch->message,
        .pending = 1,
        .bytes_left = REPLY_BYTES,
    };
    imc__v1__settle_reply__init(&sb->reply);
    if (sb->in->backlog != NULL && batch->logic->backlogs != NULL)
        take_backlog(sb);
    sb->reply.seq = sb->in->seq;
    sb->reply.n_results = sb->in->n_settles;
    sb->reply.results = arena_alloc(&batch->arena, sb->in->n_settles * sizeof(void *));
    sb->items = mem_zalloc((sb->in->n_settles + 1) * sizeof *sb->items);
    for (size_t i = 0; i < sb->in->n_settles; i++)
        start_item(sb, i);
    settle_batch_drop(sb);
}
