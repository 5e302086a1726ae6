/* client_op_frame (TCP, and goim's WebSocket) ──┐
 * client_op_message (WebSocket) ─► ws_json ─────┴─► client_op_run ─► row of the operation
 *                                             ─► conn_reply, session_connect(), or conn_kick()
 *
 * What a goim client asks for after auth is in goim_ops.c. */
#include "comet/session/client_ops.h"
#include "comet/base/metrics.h"
#include "comet/base/worker.h"
#include "comet/net/conn.h"
#include "comet/net/passed_headers.h"
#include "comet/session/acks.h"
#include "comet/session/goim_ops.h"
#include "comet/session/renewals.h"
#include "comet/session/room_ops.h"
#include "comet/session/session.h"
#include "comet/session/upstream.h"
#include "comet/wire/client_request.h"
#include "comet/wire/ws_json.h"
#include "comet/wire/ws_reader.h"
#include "common/base/mem.h"
#include "common/protocol/frame.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static void client_op_heartbeat(struct conn *conn, const struct client_request *request)
{
    conn_reply(conn, request->version, OP_HEARTBEAT_REPLY, request->seq, NULL, 0);
}

/* For the business. */
static void client_op_send(struct conn *conn, const struct client_request *request)
{
    upstream_take(conn, request, OP_SEND_REPLY);
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

static bool is_object(const struct client_request *request)
{
    return request->kind == BODY_OBJECT ||
           (request->kind == BODY_BYTES && request->body_len > 0 && request->body[0] == '{');
}

/* In JSON mode who began with a string goes on with strings. */
static bool may_be_object(const struct conn *conn, const struct client_request *token)
{
    return wire_is_goim(conn->wire) ||
           (token->kind == BODY_OBJECT && (conn->state == CONN_AUTH || conn->by_object));
}

static const char *why_no_token(const struct conn *conn, const struct client_request *token)
{
    if (is_object(token))
        return may_be_object(conn, token) ? "auth: a number in the object has more than 64 bits"
                                          : "auth: an object is goim's; here send a token string";
    return "auth: the body must be a token string";
}

/* False: it is none, and the client was kicked. *TEXT is to be freed after TOKEN was used. */
static bool read_token(struct conn *conn, struct client_request *token, char **text)
{
    const char *why = why_no_token(conn, token);

    *text = NULL;
    if ((is_object(token) && !may_be_object(conn, token)) ||
        (token->kind != BODY_BYTES && token->kind != BODY_STRING && token->kind != BODY_OBJECT)) {
        token->body_len = 0;
    } else if (token->kind == BODY_OBJECT) {
        *text = ws_json_body_text(token);
        token->body = (const uint8_t *)*text;
        token->body_len = *text != NULL ? strlen(*text) : 0;
    } else if (token->kind == BODY_BYTES && !is_object(token)) {
        trim_quotes(token);
    }
    if (token->body_len == 0) {
        conn_kick(conn, CLOSE_MALFORMED, why);
        return false;
    }
    if (token->body_len <= conn_max_body(conn))
        return true;
    conn_kick_too_large(conn);
    mem_wiped_free_text(*text);
    return false;
}

static void auth_begin(struct conn *conn, const struct client_request *token)
{
    if (!conn_keep(conn, token->body_len + 1 + passed_headers_held(conn))) {
        metric_add(conn->worker->counters, COMET_STRANGERS_BYTES, 1);
        conn_kick(conn, CLOSE_UNAVAILABLE, "too many clients are connecting, try again");
        return;
    }
    conn->auth_version = token->version;
    session_connect(conn, token->body, token->body_len, token->seq);
}

static void client_op_auth(struct conn *conn, const struct client_request *request)
{
    struct client_request token = *request;
    char *text;

    conn->by_object = is_object(&token);
    if (conn->by_object && conn->wire == WIRE_TCP)
        conn->wire = WIRE_GOIM_TCP;
    if (!read_token(conn, &token, &text))
        return;
    auth_begin(conn, &token);
    mem_wiped_free_text(text);
}

/* An auth in an open session: another token. */
static void client_op_renew(struct conn *conn, const struct client_request *request)
{
    struct client_request token = *request;
    char *text;

    if (!read_token(conn, &token, &text))
        return;
    renewals_take(conn, &token);
    mem_wiped_free_text(text);
}

typedef void client_op_fn(struct conn *conn, const struct client_request *request);

/* By the client's family. NULL: unknown to it. */
static const struct client_op {
    int32_t op;
    enum conn_state state; /* the only state in which it is allowed; an auth later is a renewal */
    client_op_fn *imgo, *goim;
} client_ops[] = {
    {OP_HEARTBEAT, CONN_OPEN, client_op_heartbeat, goim_op_heartbeat},
    {OP_SEND, CONN_OPEN, client_op_send, NULL},
    {OP_AUTH, CONN_AUTH, client_op_auth, client_op_auth},
    {OP_CHANGE_ROOM, CONN_OPEN, NULL, goim_op_change_room},
    {OP_SUBSCRIBE, CONN_OPEN, NULL, goim_op_subscribe},
    {OP_UNSUBSCRIBE, CONN_OPEN, NULL, goim_op_unsubscribe},
    {OP_ACK, CONN_OPEN, acks_take, acks_take},
    {OP_JOIN, CONN_OPEN, client_op_join, client_op_join},
    {OP_LEAVE, CONN_OPEN, client_op_leave, client_op_leave},
    {OP_TEST, CONN_OPEN, client_op_test, client_op_test},
};

/* A session that did not ask for acknowledgements does not know operation 18. */
static const struct client_op *client_op_find(const struct conn *conn, int32_t op)
{
    for (size_t i = 0; i < sizeof client_ops / sizeof client_ops[0]; i++) {
        if (client_ops[i].op == op)
            return op != OP_ACK || acks_of(conn) != NULL ? &client_ops[i] : NULL;
    }
    return NULL;
}

static void client_op_run(struct conn *conn, const struct client_request *request)
{
    char why[80];
    bool goim = wire_is_goim(conn->wire);
    const struct client_op *op = client_op_find(conn, request->op);
    client_op_fn *run = op == NULL ? NULL : goim ? op->goim : op->imgo;

    metric_add(conn->worker->counters, COMET_FRAMES_IN, 1);
    if (conn->state == CONN_AUTH && request->op != OP_AUTH) {
        (void)snprintf(why, sizeof why, "operation %" PRId32 " before auth (operation 7)",
                       request->op);
        conn_kick(conn, CLOSE_MALFORMED, why);
    } else if (run == NULL && goim) {
        goim_op_other(conn, request);
    } else if (run == NULL) {
        (void)snprintf(why, sizeof why, "unknown operation %" PRId32, request->op);
        conn_kick(conn, CLOSE_UNKNOWN_OP, why);
    } else if (op->state != conn->state) {
        client_op_renew(conn, request);
    } else {
        run(conn, request);
    }
}

/* --- what it came in --- */

/* The first message decides: text is JSON mode, binary is goim's. But imgo took JSON in binary,
 * too. */
static bool is_json_mode(const struct ws_item *item)
{
    size_t at = 0;
    if (item->text)
        return true;
    while (at < item->len && strchr(" \t\r\n", item->data[at]) != NULL && item->data[at] != '\0')
        at++;
    return at < item->len && item->data[at] == '{';
}

void client_op_frame(struct conn *conn, const struct frame *frame)
{
    loop_assert_owner(&conn->worker->loop);
    const struct client_request request = {
        .version = frame->version,
        .op = frame->op,
        .seq = frame->seq,
        .kind = BODY_BYTES,
        .body = frame->body,
        .body_len = frame->body_len,
    };
    client_op_run(conn, &request);
}

/* One message is one frame. */
static void client_op_binary(struct conn *conn, const struct ws_item *item)
{
    struct frame frame;
    long taken = frame_parse(item->data, item->len, conn_max_body(conn), &frame);

    if (taken == -EMSGSIZE)
        conn_kick_too_large(conn);
    else if (item->text)
        conn_kick(conn, CLOSE_MALFORMED, "text, where binary messages began the connection");
    else if (taken <= 0 || (size_t)taken != item->len)
        conn_kick(conn, CLOSE_MALFORMED, "a binary message must be one frame, header and body");
    else
        client_op_frame(conn, &frame);
}

void client_op_message(struct conn *conn, const struct ws_item *item)
{
    struct client_request request;
    char why[160];
    void *keep;

    loop_assert_owner(&conn->worker->loop);
    if (conn->state == CONN_AUTH && !is_json_mode(item))
        conn->wire = WIRE_GOIM_WS;
    if (conn->wire == WIRE_GOIM_WS) {
        client_op_binary(conn, item);
        return;
    }
    if (ws_json_parse(item->data, item->len, &request, &keep, why, sizeof why) != 0) {
        conn_kick(conn, CLOSE_MALFORMED, why);
        return;
    }
    if (request.body_len > conn_max_body(conn))
        conn_kick_too_large(conn);
    else
        client_op_run(conn, &request);
    ws_json_free(keep);
}
