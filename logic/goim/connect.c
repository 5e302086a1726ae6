/* connect.c - goim.logic.Logic/Connect: who a client of a goim comet is.
 *
 *   auth ─goim_connect_read─► a token? ─tokens_find─► uid ─► key ─foreign_put─► noted in Redis
 *                                └─ none: auth.trust_mid                          └─► answered */
#include "common/protocol/goim_key.h"
#include "common/protocol/name.h"
#include "common/protocol/ops.h"
#include "logic/base/pb.h"
#include "logic/goim/calls_internal.h"
#include "logic/peers/goim_connect.h"
#include "logic/tokens/device_keys.h"
#include "logic/tokens/revoked.h"
#include "logic/tokens/tokens.h"
#include "proto/goim/logic.pb-c.h"

#include <errno.h>
#include <string.h>

enum { NS_PER_MS = 1000000 };

/* A session that connects; in the call's arena. */
struct admission {
    struct goim_call *call;
    struct goim_connect goim;
    Imc__V1__ConnectResult result;
    const char *key, *room;
};

static const Goim__Logic__ConnectReq *request_of(const struct goim_call *call)
{
    return (const Goim__Logic__ConnectReq *)call->in;
}

static void admission_refuse(struct admission *admission, enum rpc_refusal refusal, const char *why)
{
    struct logic *logic = admission->call->batch.logic;

    logic_count(logic,
                refusal == RPC_UNAUTHENTICATED ? LOGIC_CONNECT_TOKEN
                : refusal == RPC_INVALID       ? LOGIC_CONNECT_MALFORMED
                                               : LOGIC_CONNECT_UNAVAILABLE,
                1);
    goim_call_refuse(admission->call, refusal, why);
}

static void admission_answer(struct admission *admission)
{
    struct goim_call *call = admission->call;
    const struct logic_config *config = call->batch.logic->config;
    Goim__Logic__ConnectReply reply;

    logic_count(call->batch.logic, LOGIC_CONNECT_OK, 1);
    goim__logic__connect_reply__init(&reply);
    reply.mid = call->uid;
    reply.key = pb_text(admission->key);
    reply.roomid = pb_text(admission->room);
    reply.accepts = admission->result.accepts;
    reply.n_accepts = admission->result.n_accepts;
    reply.heartbeat = config->nodes_heartbeat_ms * config->nodes_heartbeat_max * NS_PER_MS;
    goim_call_answer(call, &reply.base);
}

static void on_key_taken(void *arg, int err)
{
    if (err != 0)
        admission_refuse(arg, RPC_UNAVAILABLE, "Redis does not answer: connect again later");
    else
        admission_answer(arg);
}

static void on_noted(void *arg, int result)
{
    struct admission *admission = arg;
    struct goim_call *call = admission->call;

    if (result == -EUSERS)
        admission_refuse(admission, RPC_EXHAUSTED, "too many sessions: sessions.max_per_uid");
    else if (result < 0)
        admission_refuse(admission, RPC_UNAVAILABLE, "Redis does not answer: connect again later");
    else if (goim_key_is_made(admission->key, NULL))
        admission_answer(admission);
    else
        device_keys_take(call->batch.logic, admission->key, call->uid, on_key_taken, admission);
}

static void on_revoked(void *arg, uint32_t code, const char *why)
{
    struct admission *admission = arg;
    struct goim_call *call = admission->call;
    size_t room_len = strlen(admission->room);

    if (code != CLOSE_NONE) {
        admission_refuse(admission,
                         code == CLOSE_UNAVAILABLE ? RPC_UNAVAILABLE : RPC_UNAUTHENTICATED, why);
        return;
    }
    if (room_len > 0 && !room_name_is_valid(admission->room, room_len)) {
        admission_refuse(admission, RPC_INVALID,
                         "auth: room_id is not UTF-8 without control characters");
        return;
    }
    admission->key = goim_connect_key(&call->sb, &admission->goim, call->uid);
    if (admission->key == NULL) {
        admission_refuse(admission, RPC_UNAUTHENTICATED,
                         "auth: the key was made up for another user");
        return;
    }
    struct foreign_session session = {
        .uid = call->uid, .key = admission->key, .server = request_of(call)->server};
    if (goim_call_names(call, session.key, session.server))
        foreign_put(call->batch.logic, &session, true, on_noted, admission);
}

/* It is known who connects. Sessions on goim's comets cannot be ended from here. So one that
 * connects while it is revoked may stay. */
static void admission_note(struct admission *admission, int64_t uid,
                           const struct token_identity *identity)
{
    admission->call->uid = uid;
    revoked_check(admission->call->batch.logic, uid, identity, on_revoked, admission);
}

static void on_token(void *arg, size_t index, int err, const struct token_value *value,
                     const char *why)
{
    struct admission *admission = arg;

    (void)index;
    if (err == -ENOENT) {
        admission_refuse(admission, RPC_UNAUTHENTICATED, why);
        return;
    }
    if (err != 0) {
        admission_refuse(admission, RPC_UNAVAILABLE, "Redis does not answer: connect again later");
        return;
    }
    why = goim_connect_token(&admission->call->sb, &admission->goim, value, &admission->room,
                             &admission->result);
    if (why != NULL)
        admission_refuse(admission, RPC_UNAUTHENTICATED, why);
    else
        admission_note(admission, value->uid, &value->identity);
}

void goim_call_connect(struct goim_call *call)
{
    const Goim__Logic__ConnectReq *in = request_of(call);
    struct admission *admission = arena_alloc(&call->batch.arena, sizeof *admission);
    const char *why;

    *admission = (struct admission){.call = call};
    imc__v1__connect_result__init(&admission->result);
    uint32_t code =
        goim_connect_read(&call->sb, &in->token, &admission->result, &admission->goim, &why);
    if (code != CLOSE_NONE) {
        admission_refuse(admission, code == CLOSE_BAD_TOKEN ? RPC_UNAUTHENTICATED : RPC_INVALID,
                         why);
        return;
    }
    admission->room = admission->goim.room;
    if (admission->goim.token.len > 0)
        tokens_find(call->batch.logic, &admission->goim.token, 1, on_token, admission);
    else
        admission_note(admission, admission->goim.uid, NULL);
}
