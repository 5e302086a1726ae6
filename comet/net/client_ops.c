/* input ─► verb_run ─► row of the operation ─► reply, session_connect(), or conn_kick() */
#include "comet/net/client_ops.h"
#include "comet/net/conn_internal.h"
#include "comet/session/session.h"

#include <inttypes.h>
#include <stdio.h>

static void verb_heartbeat(struct conn *conn, const struct verb_request *request)
{
    conn_reply(conn, request->version, OP_HEARTBEAT_REPLY, request->seq, NULL, 0);
}

/* There is no business to hand it to yet: answered as imgo answers. */
static void verb_send(struct conn *conn, const struct verb_request *request)
{
    conn_count(conn, COMET_UPSTREAM_UNHANDLED, 1);
    conn_reply(conn, request->version, OP_SEND_REPLY, request->seq, NULL, 0);
}

static void verb_test(struct conn *conn, const struct verb_request *request)
{
    static const char body[] = "{\"test\":\"come on\"}";
    conn_reply(conn, request->version, OP_TEST_REPLY, request->seq, body, sizeof body - 1);
}

/* imgo's clients on TCP send the token bare or with the quotes of a JSON string. */
static void trim_quotes(struct verb_request *token)
{
    if (token->body_len > 0 && token->body[0] == '"') {
        token->body++;
        token->body_len--;
    }
    if (token->body_len > 0 && token->body[token->body_len - 1] == '"')
        token->body_len--;
}

static void verb_auth(struct conn *conn, const struct verb_request *request)
{
    struct verb_request token = *request;
    if (token.kind == BODY_OBJECT ||
        (token.kind == BODY_BYTES && token.body_len > 0 && token.body[0] == '{')) {
        conn_kick(conn, CLOSE_MALFORMED,
                  "auth: goim v2 sessions are not supported yet, send an imgo token string");
        return;
    }
    if (token.kind == BODY_BYTES)
        trim_quotes(&token);
    else if (token.kind != BODY_STRING)
        token.body_len = 0;
    if (token.body_len == 0) {
        conn_kick(conn, CLOSE_MALFORMED, "auth: the body must be a token string");
        return;
    }
    if (!conn_keep(conn, token.body_len + 1)) {
        conn_count(conn, COMET_STRANGERS_BYTES, 1);
        conn_kick(conn, CLOSE_UNAVAILABLE, "too many clients are connecting, try again");
        return;
    }
    conn->auth_version = token.version;
    session_connect(conn, token.body, token.body_len, token.seq);
}

static const struct verb {
    int32_t op;
    enum conn_state state; /* the only one it is allowed in */
    void (*run)(struct conn *conn, const struct verb_request *request);
} verbs[] = {
    {OP_HEARTBEAT, CONN_OPEN, verb_heartbeat},
    {OP_SEND, CONN_OPEN, verb_send},
    {OP_AUTH, CONN_AUTH, verb_auth},
    {OP_TEST, CONN_OPEN, verb_test},
};

static const struct verb *verb_find(int32_t op)
{
    for (size_t i = 0; i < sizeof verbs / sizeof verbs[0]; i++) {
        if (verbs[i].op == op)
            return &verbs[i];
    }
    return NULL;
}

void verb_run(struct conn *conn, const struct verb_request *request)
{
    char why[80];
    const struct verb *verb = verb_find(request->op);

    conn_count(conn, COMET_FRAMES_IN, 1);
    conn_heard(conn);
    if (conn->state == CONN_AUTH && request->op != OP_AUTH) {
        (void)snprintf(why, sizeof why, "operation %" PRId32 " before auth (operation 7)",
                       request->op);
        conn_kick(conn, CLOSE_MALFORMED, why);
    } else if (verb == NULL) {
        (void)snprintf(why, sizeof why, "unknown operation %" PRId32, request->op);
        conn_kick(conn, CLOSE_UNKNOWN_OP, why);
    } else if (verb->state != conn->state) {
        conn_kick(conn, CLOSE_MALFORMED, "a second auth");
    } else {
        verb->run(conn, request);
    }
}
