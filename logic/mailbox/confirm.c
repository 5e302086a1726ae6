/* Messages leave a mailbox when they are confirmed, but not while they are owed to others. The
 * fields of a message are its tokens in the hashes owed and devices (mailbox.h).
 *
 *   mailbox_confirm ─► own token gone ─┬─ no other: ZREM, HDEL ─────────────► confirmed
 *                                      └─ others: stays, marked '+' ─► kept; told to the caller if
 *   mailbox_waive ─► tokens gone ─┬─ others: stays                    it was not owed it himself
 *                                 ├─ no other, '+': ZREM, HDEL ─────────────► confirmed
 *                                 └─ no other, nobody had it: HDEL; waits for whoever comes
 *   mailbox_trim ─► the oldest beyond the limit ──────────────────────────────► trimmed
 *   mailbox_forget ─► HDEL in owed: owed to no session, waits for whoever comes
 *
 * A '+' among the tokens of a field says that some session has had the message. */
#include "common/base/mem.h"
#include "common/events/event_types.h"
#include "logic/mailbox/confirm.lua.h"
#include "logic/mailbox/confirm_upto.lua.h"
#include "logic/mailbox/forget.lua.h"
#include "logic/mailbox/internal.h"
#include "logic/mailbox/mailbox_trace.h"
#include "logic/mailbox/receivers.h"
#include "logic/mailbox/trim.lua.h"
#include "logic/mailbox/waive.lua.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static struct redis_script confirm_script = {.source = confirm_lua};

static struct redis_script waive_script = {.source = waive_lua};

static struct redis_script upto_script = {.source = confirm_upto_lua};

static struct redis_script trim_script = {.source = trim_lua};

static struct redis_script forget_script = {.source = forget_lua};

/* --- confirm --- */

/* Reads the pairs behind {removed, kept}, up to the traced ones. The first bad pair ends the
 * list. */
static void confirm_tell(struct mailbox_call *call, const redisReply *reply)
{
    size_t most = reply->elements / 2;
    uint64_t *ids = mem_alloc((most + 1) * sizeof *ids);
    struct receivers owed = {0};
    struct mailbox_debts left = {.uid = call->uid, .ids = ids};

    for (size_t i = 2; i + 1 < reply->elements; i += 2) {
        const redisReply *id = reply->element[i], *list = reply->element[i + 1];
        if (id->type != REDIS_REPLY_STRING || id->len != MAILBOX_ID ||
            list->type != REDIS_REPLY_STRING)
            break;
        ids[left.n++] = mailbox_get_id(id->str);
        const char *at = list->str, *end = at + list->len, *token;
        size_t len;
        while ((token = receivers_next(&at, end, &len)) != NULL)
            receivers_add(&owed, token, len);
    }
    left.owed = owed.text != NULL ? owed.text : "";
    call->confirm_fn(call->arg, 0, &left);
    receivers_free(&owed);
    free(ids);
}

static void confirm_on_reply(struct redis *redis, const redisReply *reply, void *arg)
{
    static const struct mailbox_debts none = {.owed = ""};
    struct mailbox_call *call = arg;

    (void)redis;
    if (mailbox_reply_is(reply, REDIS_REPLY_ARRAY, "confirm") && reply->elements >= 2) {
        logic_count(call->logic, LOGIC_CONFIRMED, reply->element[0]->integer);
        logic_count(call->logic, LOGIC_CONFIRMED_KEPT, reply->element[1]->integer);
        mailbox_trace_list(call->logic, call->uid, reply->element[reply->elements - 1], TRACE_TAKEN,
                           NULL);
        confirm_tell(call, reply);
    } else {
        call->confirm_fn(call->arg, -EAGAIN, &none);
    }
    free(call);
}

/* Runs SCRIPT with the tokens, then score and id of each message. */
static void debts_eval(struct mailbox_call *call, const struct mailbox_debts *debts,
                       struct redis_script *script, const char *letters, redis_fn fn)
{
    const struct mailbox_tells tells = {letters, debts->session != NULL ? debts->session : ""};
    struct mailbox_key key = mailbox_key_of(call->logic, debts->uid);
    size_t n = debts->n;
    struct mailbox_number *scores = mem_alloc((n + 1) * sizeof *scores);
    uint8_t(*ids)[MAILBOX_ID] = mem_alloc((n + 1) * sizeof *ids);
    const char **argv = mem_alloc((2 * n + 3) * sizeof *argv);
    size_t *argvlen = mem_alloc((2 * n + 3) * sizeof *argvlen);

    argv[0] = key.text;
    argvlen[0] = key.len;
    argv[1] = debts->owed;
    argvlen[1] = strlen(debts->owed);
    argv[2] = mailbox_text(debts->device);
    argvlen[2] = strlen(argv[2]);
    for (size_t i = 0; i < n; i++) {
        scores[i] = mailbox_number(message_id_millis(debts->ids[i]));
        mailbox_put_id(ids[i], debts->ids[i]);
        argv[2 * i + 3] = scores[i].text;
        argvlen[2 * i + 3] = scores[i].len;
        argv[2 * i + 4] = (const char *)ids[i];
        argvlen[2 * i + 4] = MAILBOX_ID;
    }
    mailbox_eval(call->logic,
                 &(struct redis_eval){.script = script,
                                      .shard = key.shard,
                                      .keys = 1,
                                      .argc = (int)(2 * n + 3),
                                      .argv = argv,
                                      .argvlen = argvlen},
                 &tells, fn, call);
    free(argvlen);
    free(argv);
    free(ids);
    free(scores);
}

/* What the business wants to know of a message that a session confirms. */
static const char *confirm_letter(const struct logic *logic, const struct mailbox_debts *debts)
{
    enum event_type type = debts->acked ? EVENT_ACKNOWLEDGED : EVENT_DELIVERED;

    if (debts->session == NULL || (logic->event_types & 1U << type) == 0)
        return "";
    return debts->acked ? "a" : "d";
}

void mailbox_confirm(struct logic *logic, const struct mailbox_debts *debts, mailbox_confirm_fn fn,
                     void *arg)
{
    struct mailbox_call *call = mailbox_call_new(logic, debts->uid, arg);

    loop_assert_owner(logic->loop);
    call->confirm_fn = fn;
    debts_eval(call, debts, &confirm_script, confirm_letter(logic, debts), confirm_on_reply);
}

/* --- what is no session's own --- */

/* Answers the caller. ROW counts the messages that the script has removed. */
static void removal_tell(struct mailbox_call *call, const redisReply *reply, const char *what,
                         enum logic_metric row)
{
    bool good = mailbox_reply_is(reply, REDIS_REPLY_INTEGER, what);

    assert(!good || reply != NULL);
    if (good)
        logic_count(call->logic, row, reply->integer);
    call->fn(call->arg, good ? 0 : -EAGAIN);
    free(call);
}

static void removed_on_reply(struct redis *redis, const redisReply *reply, void *arg)
{
    struct mailbox_call *call = arg;
    bool whole = reply != NULL && reply->type == REDIS_REPLY_ARRAY && reply->elements == 2;

    (void)redis;
    if (whole)
        mailbox_trace_list(call->logic, call->uid, reply->element[1], TRACE_TAKEN, NULL);
    removal_tell(call, whole ? reply->element[0] : reply, "confirm", LOGIC_CONFIRMED);
}

static void trim_on_reply(struct redis *redis, const redisReply *reply, void *arg)
{
    struct mailbox_call *call = arg;
    bool whole = reply != NULL && reply->type == REDIS_REPLY_ARRAY && reply->elements >= 2;

    (void)redis;
    if (whole && reply->elements > 2)
        mailbox_trace_list(call->logic, call->uid, reply->element[2], TRACE_TRIMMED,
                           "mailbox.limit");
    bool kept =
        whole && reply->element[1]->type == REDIS_REPLY_INTEGER && reply->element[1]->integer != 0;
    if (kept && call->logic->mailbox_kept != NULL)
        call->logic->mailbox_kept(call->logic, call->uid, call->upto);
    removal_tell(call, whole ? reply->element[0] : reply, "trim", LOGIC_TRIMMED);
}

static void forget_on_reply(struct redis *redis, const redisReply *reply, void *arg)
{
    struct mailbox_call *call = arg;
    bool good = mailbox_reply_is(reply, REDIS_REPLY_INTEGER, "forget");

    (void)redis;
    call->fn(call->arg, good ? 0 : -EAGAIN);
    free(call);
}

void mailbox_forget(struct logic *logic, int64_t uid, uint64_t upto, mailbox_fn fn, void *arg)
{
    struct mailbox_call *call = mailbox_call_new(logic, uid, arg);
    struct mailbox_key key = mailbox_key_of(logic, uid);
    struct mailbox_number high = mailbox_number(upto >> 32),
                          low = mailbox_number(upto & UINT32_MAX);
    const char *argv[] = {key.text, high.text, low.text};
    size_t argvlen[] = {key.len, high.len, low.len};

    loop_assert_owner(logic->loop);
    call->fn = fn;
    redis_eval(logic->redis,
               &(struct redis_eval){.script = &forget_script,
                                    .shard = key.shard,
                                    .keys = 1,
                                    .argc = 3,
                                    .argv = argv,
                                    .argvlen = argvlen},
               forget_on_reply, call);
}

void mailbox_waive(struct logic *logic, const struct mailbox_debts *debts, mailbox_fn fn, void *arg)
{
    struct mailbox_call *call = mailbox_call_new(logic, debts->uid, arg);

    loop_assert_owner(logic->loop);
    call->fn = fn;
    debts_eval(call, debts, &waive_script, "", removed_on_reply);
}

void mailbox_confirm_upto(struct logic *logic, int64_t uid, uint64_t upto, mailbox_fn fn, void *arg)
{
    struct mailbox_call *call = mailbox_call_new(logic, uid, arg);
    struct mailbox_key key = mailbox_key_of(logic, uid);
    struct mailbox_number high = mailbox_number(upto >> 32),
                          low = mailbox_number(upto & UINT32_MAX);
    const char *argv[] = {key.text, high.text, low.text};
    size_t argvlen[] = {key.len, high.len, low.len};

    loop_assert_owner(logic->loop);
    call->fn = fn;
    redis_eval(logic->redis,
               &(struct redis_eval){.script = &upto_script,
                                    .shard = key.shard,
                                    .keys = 1,
                                    .argc = 3,
                                    .argv = argv,
                                    .argvlen = argvlen},
               removed_on_reply, call);
}

void mailbox_trim(struct logic *logic, int64_t uid, uint64_t upto, mailbox_fn fn, void *arg)
{
    const struct logic_config *config = logic->config;
    struct mailbox_call *call = mailbox_call_new(logic, uid, arg);
    struct mailbox_key key = mailbox_key_of(logic, uid);
    struct mailbox_number score = mailbox_number(message_id_millis(upto)),
                          keep = mailbox_number((uint64_t)config->mailbox_limit),
                          most = mailbox_number((uint64_t)config->mailbox_limit_spilled);
    uint8_t id[MAILBOX_ID];
    const char *argv[] = {key.text, score.text, (const char *)id, keep.text, most.text};
    size_t argvlen[] = {key.len, score.len, sizeof id, keep.len, most.len};

    loop_assert_owner(logic->loop);
    call->fn = fn;
    call->upto = upto;
    mailbox_put_id(id, upto);
    const struct mailbox_tells tells = {mailbox_end_letters(logic), ""};
    mailbox_eval(logic,
                 &(struct redis_eval){.script = &trim_script,
                                      .shard = key.shard,
                                      .keys = 1,
                                      .argc = 5,
                                      .argv = argv,
                                      .argvlen = argvlen},
                 &tells, trim_on_reply, call);
}
