/* SettleBatch ─► per message: mailbox_store ─► router_lookup ─┬─ nobody there: mailbox_tell
 *                                     │                       │        └─ mailbox_trim ─► STORED
 *                                     └─ not stored: FAILED   ├─ not complete ────► UNKNOWN
 *                                                             └─ sessions: mailbox_store
 *                                                                owed to them ├───► STORED
 *                                                                             └───► FAILED
 *     (a message that is behind another which is not there is not stored: TOO_EARLY)
 *
 *     SettleReply ◄── the last one's settle_batch_drop()
 *
 * For a message that FAILED routers are asked as well, and job is told the sessions. Job sends the
 * message to them. So users who are online do not wait until Redis takes writes again.
 *
 * An acknowledged session with a key stands for its device: the device is owed the message, in this
 * session or a later one. Job names the devices that had such sessions when the message was
 * accepted, and they are owed it from the first store on.
 *
 * If only sessions with certain keys are meant, others do not count: they are owed nothing, and a
 * message that finds no session with such a key waits for whoever connects next. But as long as the
 * user has any session, the mailbox is not trimmed, because it may hold what that session is about
 * to be owed.
 *
 * The mailbox is trimmed to mailbox.limit only when the user is known to be away. It may hold more
 * for a user who is online while routers are away, or who has just come back. */
#include "logic/peers/settle_requests.h"
#include "common/base/hash.h"
#include "common/base/saturate.h"
#include "logic/base/pb.h"
#include "logic/mailbox/mailbox.h"
#include "logic/mailbox/mailbox_trace.h"
#include "logic/mailbox/receivers.h"
#include "logic/peers/waiting.h"
#include "logic/push/job_backlog.h"
#include "logic/push/push_message.h"
#include "logic/router/routers.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Limits the sessions in a reply, because a message has a largest size. */
enum { REPLY_BYTES = 3 << 20, SESSION_OVERHEAD = 4 };

enum { COLLAPSE_MAX = PUSH_COLLAPSE_MAX + 1 + 16 + 1 };

struct settle_batch;

struct settle_item {
    struct settle_batch *sb;
    const Imc__V1__Settle *in;
    Imc__V1__SettleResult *result;
    struct router_reply *reply; /* owns the sessions in the result */
    struct mailbox_there there; /* what was in the mailbox after the store */
    uint64_t behind;            /* id of the message that must be there before this one */
    bool ended;                 /* it has expired: nothing to store */
    bool failed;                /* not stored, but sessions of the user still get it */
    bool away;                  /* its user has no session at all */
};

struct settle_batch {
    struct stream_batch *batch;
    struct logic *logic;
    const Imc__V1__SettleBatch *in;
    Imc__V1__SettleReply reply;
    size_t pending;            /* items without a result, plus 1 while items are being started */
    size_t bytes_left;         /* what sessions may still take of the reply */
    struct settle_item *items; /* they outlive the arena, see settle_batch_drop() */
};

static void settle_batch_drop(struct settle_batch *sb)
{
    assert(sb->pending > 0);
    if (--sb->pending > 0)
        return;
    struct settle_item *items = sb->items;
    size_t n = sb->in->n_settles;
    stream_reply(sb->batch, &sb->reply.base); /* frees SB, but not what its results point to */
    for (size_t i = 0; i < n; i++)
        router_reply_unref(items[i].reply);
    free(items);
}

/* Remembers why a store failed, for the reply. Only inside a callback of Redis. */
static void batch_failed(struct settle_batch *sb)
{
    if (sb->reply.why[0] != '\0' || sb->logic->redis == NULL)
        return;
    sb->reply.why = arena_strdup(&sb->batch->arena, redis_said(sb->logic->redis));
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

/* ITEM has its result. */
static void item_done(struct settle_item *item, Imc__V1__SettleResult__Status status)
{
    item_result(item, status);
    settle_batch_drop(item->sb);
}

/* Messages for certain devices replace only those for the same ones. */
static void collapse_write(const Imc__V1__Settle *in, char out[COLLAPSE_MAX])
{
    uint64_t hash = HASH_FNV1A_BEGIN;
    int len = snprintf(out, COLLAPSE_MAX, "%.*s", (int)PUSH_COLLAPSE_MAX, in->collapse);

    for (size_t i = 0; i < in->n_keys; i++)
        hash = hash_fnv1a(hash, in->keys[i], strlen(in->keys[i]) + 1);
    if (len > 0 && in->n_keys > 0)
        (void)snprintf(out + len, COLLAPSE_MAX - (size_t)len, "\n%016" PRIx64, hash);
}

static void item_store(struct settle_item *item, enum mailbox_by by, const struct receivers *owed,
                       const struct receivers *devices, mailbox_fn fn)
{
    char collapse[COLLAPSE_MAX];
    struct mailbox_put put = {
        .by = by,
        .uid = item->in->uid,
        .message = mailbox_message_of(item->in->message),
        .behind = by == MAILBOX_SETTLE ? item->behind : 0,
        .owed = owed->text,
        .devices = devices->text,
        .collapse = collapse,
        .there = by == MAILBOX_SETTLE ? &item->there : NULL,
    };

    collapse_write(item->in, collapse);
    mailbox_store(item->sb->logic, &put, fn, item);
}

static void add_device(struct receivers *devices, const char *key)
{
    char token[RECEIVERS_DEVICE_MAX];
    size_t len = receivers_device(key, token);

    if (len > 0)
        receivers_add(devices, token, len);
}

static void on_owed(void *arg, int err)
{
    struct settle_item *item = arg;

    if (err != 0) /* it is in the mailbox, only owed to nobody yet: job tries again, and sends it to
                     no session */
        item->result->n_sessions = 0;
    item_done(item, err == 0 ? IMC__V1__SETTLE_RESULT__STATUS__STORED
                             : IMC__V1__SETTLE_RESULT__STATUS__FAILED);
}

/* The user has sessions, which job will poke. The message is now owed to them, so that each finds
 * it, even if another session confirms it first. If it was confirmed since the store, a session
 * that was connecting has it. If that is the only session, nothing is stored again. If there are
 * several, the others do not have it, and it is stored again. */
static void item_owe(struct settle_item *item)
{
    const Imc__V1__SettleResult *result = item->result;
    struct receivers owed = {0}, devices = {0};
    char token[RECEIVERS_TOKEN_MAX], device[RECEIVERS_DEVICE_MAX];

    for (size_t i = 0; i < result->n_sessions; i++) {
        const Imc__V1__Session *session = result->sessions[i];
        if (session->acked && receivers_device(session->key, device) > 0)
            add_device(&devices, session->key);
        else
            receivers_add(&owed, token, receivers_token(session->comet, session->handle, token));
    }
    item_store(item, result->n_sessions == 1 ? MAILBOX_OWE_IF_THERE : MAILBOX_OWE, &owed, &devices,
               on_owed);
    receivers_free(&owed);
    receivers_free(&devices);
}

/* The message is stored in any case. But after a failed trim the result is not STORED, so that job
 * asks again and the mailbox is trimmed then. */
static void on_trimmed(void *arg, int err)
{
    item_done(arg, err == 0 ? IMC__V1__SETTLE_RESULT__STATUS__STORED
                            : IMC__V1__SETTLE_RESULT__STATUS__FAILED);
}

/* The user is away: trims the mailbox. All messages that were there after this store were there
 * before routers were asked, so all of them count, not only older ones. Two logics store in any
 * order, and so may one. The last of them to trim has to leave no more than the limit. */
static void item_trim(struct settle_item *item)
{
    struct logic *logic = item->sb->logic;
    uint64_t own = item->in->message->id, newest = item->there.newest;

    if (item->there.n > (uint64_t)logic->config->mailbox_limit)
        mailbox_trim(logic, item->in->uid, newest > own ? newest : own, on_trimmed, item);
    else
        item_done(item, IMC__V1__SETTLE_RESULT__STATUS__STORED);
}

/* It is owed to nobody: who confirms it first takes it away. */
static void item_unclaimed(struct settle_item *item)
{
    if (item->away)
        item_trim(item);
    else
        item_done(item, IMC__V1__SETTLE_RESULT__STATUS__STORED);
}

/* After a failure job asks again. Then it is told again, with the same id. */
static void on_told(void *arg, int err)
{
    struct settle_item *item = arg;

    if (err == 0)
        item_unclaimed(item);
    else
        item_done(item, IMC__V1__SETTLE_RESULT__STATUS__FAILED);
}

/* How many sessions are meant. They come first in ANSWER. */
static size_t sessions_meant(const struct settle_item *item, const struct router_answer *answer)
{
    const Imc__V1__Settle *in = item->in;

    if (in->n_keys == 0)
        return answer->n_sessions;
    return router_sessions_with_keys(answer->sessions, answer->n_sessions, pb_list(in->keys),
                                     in->n_keys);
}

/* Does the result of ITEM, with N sessions, fit the reply? Otherwise job asks for it again. */
static bool item_fits(struct settle_item *item, const struct router_answer *answer, size_t n)
{
    struct settle_batch *sb = item->sb;
    size_t size = 0;

    for (size_t i = 0; i < n; i++)
        size += imc__v1__session__get_packed_size(answer->sessions[i]) + SESSION_OVERHEAD;
    if (size > sb->bytes_left && sb->bytes_left < REPLY_BYTES)
        return false;
    sb->bytes_left = saturate_sub(sb->bytes_left, size);
    return true;
}

static void on_lookup(void *arg, const struct router_answer *answer)
{
    struct settle_item *item = arg;
    struct logic *logic = item->sb->logic;
    size_t n = sessions_meant(item, answer);
    bool fits = item_fits(item, answer, n);
    bool known = answer->result == ROUTER_OK && answer->complete && fits;

    item->result->n_sessions = known || (fits && !item->failed) ? n : 0;
    item->result->sessions = answer->sessions;
    item->reply = router_reply_ref(answer->reply);
    item->away = answer->n_sessions == 0;
    if (item->failed)
        item_done(item, IMC__V1__SETTLE_RESULT__STATUS__FAILED);
    else if (!known)
        item_done(item, IMC__V1__SETTLE_RESULT__STATUS__UNKNOWN);
    else if (n > 0 && !item->in->any)
        item_owe(item);
    else if (n == 0 && mailbox_tells(logic, EVENT_STORED))
        mailbox_tell(logic,
                     &(struct mailbox_fact){item->in->uid, item->in->message->id, EVENT_STORED},
                     on_told, item);
    else
        item_unclaimed(item);
}

/* Only the store that puts it there is told of, not those that job repeats. */
static void item_trace(const struct settle_item *item, int err)
{
    struct mailbox_message message = mailbox_message_of(item->in->message);

    if (err != 0)
        mailbox_trace(item->sb->logic, item->in->uid, &message, TRACE_PUT_OFF,
                      err == -ENOENT ? "the message before it is not stored yet"
                                     : redis_said(item->sb->logic->redis));
    else if (item->there.added)
        mailbox_trace(item->sb->logic, item->in->uid, &message, TRACE_STORED,
                      "no session took it straight away");
}

static void on_stored(void *arg, int err)
{
    struct settle_item *item = arg;
    struct logic *logic = item->sb->logic;

    item->failed = err != 0;
    if (item->in->message->trace.len > 0)
        item_trace(item, err);
    if (err == -ENOENT) {
        item_done(item, IMC__V1__SETTLE_RESULT__STATUS__TOO_EARLY);
    } else if (logic->routers == NULL) { /* logic is stopping */
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

/* The id of the message that has to be there before item I. Job sends such messages in one batch.
 * If the message before it has expired and is not stored, the one before that counts. */
static uint64_t item_behind(const struct settle_batch *sb, size_t i)
{
    const struct settle_item *before = i > 0 ? &sb->items[i - 1] : NULL;
    const Imc__V1__Settle *in = sb->in->settles[i];

    if (before == NULL || !before->ended || before->in->uid != in->uid ||
        before->in->message == NULL || before->in->message->id != in->behind)
        return in->behind;
    return before->behind;
}

static void item_trace_expired(const struct settle_item *item)
{
    struct mailbox_message message = mailbox_message_of(item->in->message);

    mailbox_trace(item->sb->logic, item->in->uid, &message, TRACE_EXPIRED,
                  "no session took it before its time was over");
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
        result->ended = true;
        if (in->message != NULL && in->message->trace.len > 0)
            item_trace_expired(item);
        item_result(item, IMC__V1__SETTLE_RESULT__STATUS__STORED); /* and there is no session to
                                                                    * poke */
        return;
    }
    sb->pending++;
    struct receivers devices = {0};
    for (size_t k = 0; k < in->n_devices && !in->any; k++)
        add_device(&devices, in->devices[k]);
    item_store(item, MAILBOX_SETTLE, &(struct receivers){0}, &devices, on_stored);
    receivers_free(&devices);
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
