/* input ─► client_op_run ─► row of the operation ─► reply, session_connect(), or conn_kick() */
#include "comet/net/client_ops.h"
#include "comet/net/conn_internal.h"
#include "comet/session/session.h"

#include <inttypes.h>
#include <stdio.h>

static void client_op_heartbeat(struct conn *conn, const struct client_request *request)
{
    conn_reply(conn, request->version, OP_HEARTBEAT_REPLY, request->seq, NULL, 0);
}

/* There is no business to hand it to yet: answered as imgo answers. */
static void client_op_send(struct conn *conn, const struct client_request *request)
{
    conn_count(conn, COMET_UPSTREAM_UNHANDLED, 1);
    conn_reply(conn, request->version, OP_SEND_REPLY, request->seq, NULL, 0);
}

static void client_op_test(struct conn *conn, const struct client_request *request)
{
    static const char body[] = "{\"test\":\"come on\"}";
    conn_reply(conn, request->version, OP_TEST_REPLY, request->seq, body, sizeof body - 1);
}

/* imgo's clients on TCP send the token bare or with the quotes of a JSON string. */
static void trim_quotes(struct client_request *token)
{
    if (token->body_len > 0 && token->body[0] == '"') {
        token->body++;
        token->body_len--;
    }
    if (token->body_len > 0 && token->body[token->body_len - 1] == '"')
        token->body_len--;
}

static void client_op_auth(struct conn *conn, const struct client_request *request)
{
    struct client_request token = *request;
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

static const struct client_op {
    int32_t op;
    enum conn_state state; /* the only one it is allowed in */
    void (*run)(struct conn *conn, const struct client_request *request);
} client_ops[] = {
    {OP_HEARTBEAT, CONN_OPEN, client_op_heartbeat},
    {OP_SEND, CONN_OPEN, client_op_send},
    {OP_AUTH, CONN_AUTH, client_op_auth},
    {OP_TEST, CONN_OPEN, client_op_test},
};

static const struct client_op *client_op_find(int32_t op)
{
    for (size_t i = 0; i < sizeof client_ops / sizeof client_ops[0]; i++) {
        if (client_ops[i].op == op)
            return &client_ops[i];
    }
    return NULL;
}

void client_op_run(struct conn *conn, const struct client_request *request)
{
    char why[80];
    const struct client_op *verb = client_op_find(request->op);

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
