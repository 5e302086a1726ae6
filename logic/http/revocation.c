#include "logic/http/revocation.h"
#include "common/base/mem.h"
#include "common/protocol/ops.h"
#include "logic/tokens/tokens.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { AGAIN_MS = 100 };

struct revoke_call {
    struct logic *logic;
    struct revocation revocation;
    struct room_change change;
    revocation_fn fn;
    void *arg;
    uint64_t deadline_ms; /* loop time */
    size_t ended;         /* sessions */
    uv_timer_t again;
};

static void on_timer_closed(uv_handle_t *handle)
{
    free(container_of((uv_timer_t *)handle, struct revoke_call, again));
}

static void call_end(struct revoke_call *call, const struct api_refusal *refusal)
{
    call->fn(call->arg, refusal, call->ended);
    uv_close((uv_handle_t *)&call->again, on_timer_closed);
}

static void refuse(struct revoke_call *call, enum api_error error, enum logic_metric cause,
                   const char *text)
{
    call_end(call, &(struct api_refusal){error, cause, error == API_UNAVAILABLE, text});
}

static void refuse_for_redis(struct revoke_call *call)
{
    refuse(call, API_UNAVAILABLE, LOGIC_REFUSED_REDIS, redis_said(call->logic->redis));
}

/* --- the sessions --- */

static void call_end_sessions(struct revoke_call *call);

static void call_done(struct revoke_call *call)
{
    enum revoked_kind kind = call->revocation.what.kind;

    logic_count(
        call->logic,
        kind == REVOKED_USER || kind == REVOKED_BEFORE ? LOGIC_REVOKED : LOGIC_REVOKED_TOKENS, 1);
    call_end(call, NULL);
}

static void on_again(uv_timer_t *timer)
{
    call_end_sessions(container_of(timer, struct revoke_call, again));
}

static void on_ended(void *arg, const struct room_changed *changed)
{
    struct revoke_call *call = arg;
    char text[320];

    call->ended += changed->sessions;
    logic_count(call->logic, LOGIC_REVOKED_SESSIONS, (int64_t)changed->sessions);
    if (changed->error == ROOM_ORDER_OK) {
        call_done(call);
    } else if (changed->error != ROOM_ORDER_CLOSED &&
               loop_now_ms(call->logic->loop) + AGAIN_MS < call->deadline_ms) {
        uv_timer_start(&call->again, on_again, AGAIN_MS, 0);
    } else {
        snprintf(text, sizeof text,
                 "it lets nobody in any more, but sessions may still be open: call again (%s)",
                 changed->why);
        refuse(call, API_UNAVAILABLE,
               changed->error == ROOM_ORDER_ROUTER ? LOGIC_REFUSED_ROUTER : LOGIC_REFUSED_COMET,
               text);
    }
}

static void call_end_sessions(struct revoke_call *call)
{
    static const struct api_refusal many = {
        API_UNAVAILABLE, LOGIC_REFUSED_ORDERS, 5,
        "it lets nobody in any more, but too many calls are under way: call again"};

    if (!room_order(call->logic->room_orders, &call->change, on_ended, call))
        call_end(call, &many);
}

/* --- Redis --- */

static void on_added(void *arg, int err, int64_t count)
{
    struct revoke_call *call = arg;

    (void)count;
    if (err == -E2BIG) {
        refuse(call, API_PARAMETER, LOGIC_REFUSED_PARAMETER,
               "uid: so much of it is revoked already (revoke.per_uid): revoke the uid itself");
    } else if (err != 0) {
        refuse_for_redis(call);
    } else {
        call->deadline_ms =
            loop_now_ms(call->logic->loop) + (uint64_t)call->logic->config->revoke_timeout_ms;
        call_end_sessions(call);
    }
}

/* The opaque token is gone, or there was none. */
static void on_deleted(void *arg, int err)
{
    struct revoke_call *call = arg;

    if (err != 0 && err != -ENOENT)
        refuse_for_redis(call);
    else
        revoked_add(call->logic, &call->revocation.what, on_added, call);
}

static void on_dropped(void *arg, int err, int64_t count)
{
    struct revoke_call *call = arg;

    if (err != 0)
        refuse_for_redis(call);
    else if (count == 0)
        refuse(call, API_TOKEN, LOGIC_REFUSED_TOKEN, "nothing of that is revoked");
    else
        call_end(call, NULL);
}

static void call_go(struct revoke_call *call)
{
    const struct revoked *what = &call->revocation.what;

    call->change.uid = what->uid;
    if (call->revocation.undo)
        revoked_drop(call->logic, what, on_dropped, call);
    else if (what->kind == REVOKED_OPAQUE)
        tokens_del(call->logic, call->revocation.token, on_deleted, call);
    else if (what->kind == REVOKED_BEFORE)
        tokens_del_uid(call->logic, what->uid, on_deleted, call);
    else
        revoked_add(call->logic, what, on_added, call);
}

/* --- a token --- */

static void take_token(struct revocation *revocation, const struct token_value *value)
{
    struct revoked *what = &revocation->what;

    what->uid = value->uid;
    what->kind = value->identity.jwt ? REVOKED_TOKEN : REVOKED_OPAQUE;
    revocation->close.opaque = !value->identity.jwt;
    if (!value->identity.jwt)
        return;
    memcpy(what->hash, value->identity.token, TOKEN_HASH);
    revocation->close.token = token_number(value->identity.token);
    if (value->ends_ms != 0)
        what->until_ms = value->ends_ms + 1000;
}

static void on_token(void *arg, size_t index, int err, const struct token_value *value,
                     const char *why)
{
    struct revoke_call *call = arg;

    (void)index;
    if (err == -ENOENT) {
        refuse(call, API_TOKEN, LOGIC_REFUSED_TOKEN, why);
        return;
    }
    if (err != 0) {
        refuse(call, API_UNAVAILABLE, LOGIC_REFUSED_REDIS, why);
        return;
    }
    take_token(&call->revocation, value);
    if (call->revocation.undo && !value->identity.jwt)
        refuse(call, API_PARAMETER, LOGIC_REFUSED_PARAMETER,
               "token: an opaque one is deleted when it is revoked");
    else
        call_go(call);
}

void revocation_begin(struct logic *logic, const struct revocation *revocation, revocation_fn fn,
                      void *arg)
{
    struct revoke_call *call = mem_zalloc(sizeof *call);

    call->logic = logic;
    call->revocation = *revocation;
    call->change.close = &call->revocation.close;
    call->fn = fn;
    call->arg = arg;
    uv_timer_init(&logic->loop->uv, &call->again);
    if (revocation->token == NULL) {
        call_go(call);
        return;
    }
    const struct token_ref ref = {revocation->token, strlen(revocation->token)};
    tokens_find(logic, &ref, 1, on_token, call);
}

/* --- what --- */

static struct revocation revocation_of(const struct logic *logic, int64_t uid,
                                       enum revoked_kind kind)
{
    return (struct revocation){
        .what = {.kind = kind,
                 .uid = uid,
                 .until_ms = logic_now_ms(logic) + (uint64_t)logic->config->revoke_keep_ms},
        .close = {.code = CLOSE_BAD_TOKEN, .reason = "the token was revoked"}};
}

struct revocation revocation_of_tokens(const struct logic *logic, int64_t uid)
{
    struct revocation revocation = revocation_of(logic, uid, REVOKED_BEFORE);

    revocation.what.before_s = (int64_t)((logic_now_ms(logic) + 999) / 1000);
    return revocation;
}

struct revocation revocation_of_token(const struct logic *logic, const char *token)
{
    struct revocation revocation = revocation_of(logic, 0, REVOKED_TOKEN);

    revocation.token = token;
    return revocation;
}

struct revocation revocation_of_id(const struct logic *logic, int64_t uid, const char *jti)
{
    struct revocation revocation = revocation_of(logic, uid, REVOKED_ID);

    token_hash(jti, strlen(jti), revocation.what.hash);
    revocation.close.token_id = token_number(revocation.what.hash);
    return revocation;
}

struct revocation revocation_of_user(const struct logic *logic, int64_t uid, int64_t seconds,
                                     const char *reason)
{
    struct revocation revocation = revocation_of(logic, uid, REVOKED_USER);

    revocation.what.until_ms = logic_now_ms(logic) + (uint64_t)seconds * 1000;
    revocation.close.code = CLOSE_KICKED;
    revocation.close.reason = reason != NULL ? reason : "the business refuses this user for now";
    return revocation;
}
