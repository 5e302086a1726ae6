/* POST /1/admin/revoke and /1/admin/unrevoke: what is revoked lets nobody in, and its sessions end.
 *
 *   token             that token: an opaque one is deleted
 *   uid, until        the user is refused for UNTIL seconds
 *   uid, before       JWTs issued before that Unix time (default: now), and the opaque token it has
 *   uid, jti          JWTs with that id
 *
 *   parse ─► whose token? ─► opaque: deleted ─► revoked_add ─► room_order: the sessions end
 *                                                                 │ not all: again, until
 *        {"ret":1,"data":{"sessions":2}} ◄───────────────────────┴─ revoke.timeout, then 503
 *
 * What is written is in force even if the answer is 503. */
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/protocol/ops.h"
#include "logic/http/routes.h"
#include "logic/peers/room_orders.h"
#include "logic/tokens/revoked.h"
#include "logic/tokens/tokens.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { AGAIN_MS = 100, JTI_MAX = 256, REVOKE_TOKEN_MAX = 16384 };

struct revoke_call {
    struct logic *logic;
    struct http_request *request;
    bool undo;
    const char *token; /* the request's, as is all text; NULL: a uid is named */
    struct revoked what;
    struct room_change change;
    struct session_close close;
    uint64_t deadline_ms; /* loop time */
    size_t ended;         /* sessions */
    uv_timer_t again;
};

static void on_timer_closed(uv_handle_t *handle)
{
    free(container_of((uv_timer_t *)handle, struct revoke_call, again));
}

static void call_free(struct revoke_call *call)
{
    uv_close((uv_handle_t *)&call->again, on_timer_closed);
}

static void refuse(struct revoke_call *call, enum api_error error, const char *text)
{
    api_error(call->logic, call->request, error, text);
    call_free(call);
}

static void refuse_for_now(struct revoke_call *call, enum logic_metric cause, const char *text)
{
    api_unavailable(call->logic, call->request, cause, text);
    call_free(call);
}

/* --- the sessions --- */

static void call_end_sessions(struct revoke_call *call);

static void respond(struct revoke_call *call)
{
    char body[96];
    int n = snprintf(body, sizeof body, "{\"ret\":1,\"data\":{\"sessions\":%zu}}", call->ended);

    logic_count(call->logic,
                call->what.kind == REVOKED_USER || call->what.kind == REVOKED_BEFORE
                    ? LOGIC_REVOKED
                    : LOGIC_REVOKED_TOKENS,
                1);
    api_json(call->logic, call->request, body, (size_t)n);
    call_free(call);
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
        respond(call);
    } else if (changed->error != ROOM_ORDER_CLOSED &&
               loop_now_ms(call->logic->loop) + AGAIN_MS < call->deadline_ms) {
        uv_timer_start(&call->again, on_again, AGAIN_MS, 0);
    } else {
        snprintf(text, sizeof text,
                 "it lets nobody in any more, but sessions may still be open: call again (%s)",
                 changed->why);
        refuse_for_now(
            call, changed->error == ROOM_ORDER_ROUTER ? LOGIC_REFUSED_ROUTER : LOGIC_REFUSED_COMET,
            text);
    }
}

static void call_end_sessions(struct revoke_call *call)
{
    if (room_order(call->logic->room_orders, &call->change, on_ended, call))
        return;
    api_overloaded(call->logic, call->request, LOGIC_REFUSED_ORDERS,
                   "it lets nobody in any more, but too many calls are under way: call again");
    call_free(call);
}

/* --- Redis --- */

static void on_added(void *arg, int err, int64_t count)
{
    struct revoke_call *call = arg;

    (void)count;
    if (err == -E2BIG) {
        refuse(call, API_PARAMETER,
               "uid: so much of it is revoked already (revoke.per_uid): revoke the uid itself");
    } else if (err != 0) {
        refuse_for_now(call, LOGIC_REFUSED_REDIS, redis_said(call->logic->redis));
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
        refuse_for_now(call, LOGIC_REFUSED_REDIS, redis_said(call->logic->redis));
    else
        revoked_add(call->logic, &call->what, on_added, call);
}

static void on_dropped(void *arg, int err, int64_t count)
{
    struct revoke_call *call = arg;

    if (err != 0) {
        refuse_for_now(call, LOGIC_REFUSED_REDIS, redis_said(call->logic->redis));
        return;
    }
    if (count == 0)
        refuse(call, API_TOKEN, "nothing of that is revoked");
    else {
        api_ok(call->logic, call->request);
        call_free(call);
    }
}

static void call_go(struct revoke_call *call)
{
    call->change.uid = call->what.uid;
    if (call->undo)
        revoked_drop(call->logic, &call->what, on_dropped, call);
    else if (call->what.kind == REVOKED_OPAQUE)
        tokens_del(call->logic, call->token, on_deleted, call);
    else if (call->what.kind == REVOKED_BEFORE)
        tokens_del_uid(call->logic, call->what.uid, on_deleted, call);
    else
        revoked_add(call->logic, &call->what, on_added, call);
}

/* --- a token --- */

static void on_token(void *arg, size_t index, int err, const struct token_value *value,
                     const char *why)
{
    struct revoke_call *call = arg;

    (void)index;
    if (err == -ENOENT) {
        refuse(call, API_TOKEN, why);
        return;
    }
    if (err != 0) {
        refuse_for_now(call, LOGIC_REFUSED_REDIS, why);
        return;
    }
    call->what.uid = value->uid;
    call->what.kind = value->identity.jwt ? REVOKED_TOKEN : REVOKED_OPAQUE;
    call->close.opaque = !value->identity.jwt;
    if (value->identity.jwt) {
        memcpy(call->what.hash, value->identity.token, TOKEN_HASH);
        call->close.token = token_number(value->identity.token);
        if (value->ends_ms != 0)
            call->what.until_ms = value->ends_ms + 1000;
    }
    if (call->undo && !value->identity.jwt)
        refuse(call, API_PARAMETER, "token: an opaque one is deleted when it is revoked");
    else
        call_go(call);
}

/* --- parameters --- */

/* From the query, or a form. *VALUE NULL: it is absent. */
static int text_of(struct revoke_call *call, const char *name, const char **value,
                   struct params_error *err)
{
    if (api_query(call->request, name, value, err) != 0)
        return -EINVAL;
    if (*value == NULL)
        *value = http_form(call->request, name, 0);
    return 0;
}

/* What is revoked of uid. */
static int parse_uid(struct revoke_call *call, const char *uid, struct params_error *err)
{
    const char *until, *before, *jti;
    uint64_t now_ms = logic_now_ms(call->logic);
    int64_t seconds = 0;

    if (params_int64("uid", uid, INT64_MIN, INT64_MAX, &call->what.uid, err) != 0 ||
        text_of(call, "until", &until, err) != 0 || text_of(call, "before", &before, err) != 0 ||
        text_of(call, "jti", &jti, err) != 0)
        return -EINVAL;
    if ((until != NULL) + (before != NULL) + (jti != NULL) > 1) {
        snprintf(err->text, sizeof err->text, "until, before, jti: one of them");
        return -EINVAL;
    }
    if (jti != NULL) {
        call->what.kind = REVOKED_ID;
        token_hash(jti, strlen(jti), call->what.hash);
        call->close.token_id = token_number(call->what.hash);
        return params_text("jti", jti, JTI_MAX, err);
    }
    if (until != NULL) {
        call->what.kind = REVOKED_USER;
        if (params_int64("until", until, 1, INT64_C(3660) * 86400, &seconds, err) != 0)
            return -EINVAL;
        call->what.until_ms = now_ms + (uint64_t)seconds * 1000;
        call->close.code = CLOSE_KICKED;
        call->close.reason = "the business refuses this user for now";
        return 0;
    }
    call->what.kind = REVOKED_BEFORE;
    call->what.before_s = (int64_t)((now_ms + 999) / 1000);
    return before == NULL ? 0
                          : params_int64("before", before, 0, INT64_C(253402300799),
                                         &call->what.before_s, err);
}

/* *UID is NULL if a token is named. */
static int parse(struct revoke_call *call, const char **uid, struct params_error *err)
{
    if (text_of(call, "token", &call->token, err) != 0 || text_of(call, "uid", uid, err) != 0)
        return -EINVAL;
    if ((call->token != NULL) == (*uid != NULL)) {
        snprintf(err->text, sizeof err->text, "token, uid: exactly one of them");
        return -EINVAL;
    }
    if (call->token != NULL)
        return params_text("token", call->token, REVOKE_TOKEN_MAX, err);
    return parse_uid(call, *uid, err);
}

static void revoke_handle(struct logic *logic, struct http_request *request, bool undo)
{
    struct revoke_call *call = mem_zalloc(sizeof *call);
    struct params_error err;
    const char *uid;

    call->logic = logic;
    call->request = request;
    call->undo = undo;
    call->what.until_ms = logic_now_ms(logic) + (uint64_t)logic->config->revoke_keep_ms;
    call->close =
        (struct session_close){.code = CLOSE_BAD_TOKEN, .reason = "the token was revoked"};
    call->change.close = &call->close;
    uv_timer_init(&logic->loop->uv, &call->again);
    if (parse(call, &uid, &err) != 0) {
        refuse(call, API_PARAMETER, err.text);
        return;
    }
    if (call->token == NULL) {
        call_go(call);
        return;
    }
    const struct token_ref ref = {call->token, strlen(call->token)};
    tokens_find(logic, &ref, 1, on_token, call);
}

void api_revoke(struct logic *logic, struct http_request *request)
{
    revoke_handle(logic, request, false);
}

void api_unrevoke(struct logic *logic, struct http_request *request)
{
    revoke_handle(logic, request, true);
}
