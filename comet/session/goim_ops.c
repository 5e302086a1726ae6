#include "comet/session/goim_ops.h"
#include "comet/base/comet.h"
#include "comet/base/config.h"
#include "comet/base/metrics.h"
#include "comet/base/worker.h"
#include "comet/fanout/room.h"
#include "comet/logic/logic_requests.h"
#include "comet/net/conn.h"
#include "comet/net/goim_client.h"
#include "comet/session/acks.h"
#include "comet/session/goim_keys.h"
#include "comet/session/held_joins.h"
#include "comet/session/room_ops.h"
#include "comet/session/room_reports.h"
#include "comet/session/upstream.h"
#include "comet/wire/client_request.h"
#include "common/protocol/json_scan.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

void goim_admitted(struct conn *conn, const struct admission *result)
{
    conn->goim = goim_client_new(result->key);
    goim_keys_add(conn);
    if (result->platform != NULL && result->platform[0] != '\0')
        conn->goim->platform = mem_strdup(result->platform);
    if (!result->accepts_all)
        goim_client_accept_only(conn->goim, result->accepts, result->n_accepts);
}

bool goim_declines(struct conn *conn, const struct push *push, const struct ticket *ticket)
{
    if (goim_client_accepts(conn->goim, push->op))
        return false;
    metric_add(conn->worker->counters, COMET_DECLINED, 1);
    ticket_done(ticket, conn, TICKET_DECLINED);
    return true;
}

static size_t hello_text(char *out, size_t outlen, const char *text)
{
    return json_write_string((const uint8_t *)text, strlen(text), (uint8_t *)out, outlen);
}

size_t goim_hello(const struct conn *conn, char body[GOIM_HELLO_MAX])
{
    const struct worker *worker = conn->worker;
    size_t at = 0;

    at += (size_t)snprintf(body, GOIM_HELLO_MAX, "{\"heartbeat\":%" PRId64 ",\"key\":",
                           worker->config->heartbeat_ms / 1000);
    at += hello_text(body + at, GOIM_HELLO_MAX - at, conn->goim->key);
    at += (size_t)snprintf(body + at, GOIM_HELLO_MAX - at, ",\"server\":");
    at += hello_text(body + at, GOIM_HELLO_MAX - at, worker->comet->id);
    if (acks_of(conn) != NULL)
        at += (size_t)snprintf(body + at, GOIM_HELLO_MAX - at, ",\"ack\":true");
    body[at++] = '}';
    return at;
}

/* goim answers the request's body, except where a comment says otherwise. */
static void goim_reply(struct conn *conn, const struct client_request *request, int32_t op)
{
    conn_reply(conn, request->version, op, request->seq, request->body, request->body_len);
}

/* An empty body leaves the main room. */
void goim_op_change_room(struct conn *conn, const struct client_request *request)
{
    if (request->body_len == 0)
        room_leave(conn);
    else if (!room_op_enter_main(conn, (const char *)request->body, request->body_len))
        return;
    held_joins_reply(conn, request, OP_CHANGE_ROOM_REPLY, request->body, request->body_len);
}

static void goim_changed(struct conn *conn, const struct client_request *request, int32_t op,
                         int err)
{
    if (err == -E2BIG)
        conn_kick(conn, CLOSE_RATE_LIMITED, "too many operations, at most 256 can be kept");
    else
        goim_reply(conn, request, op);
}

void goim_op_subscribe(struct conn *conn, const struct client_request *request)
{
    goim_changed(conn, request, OP_SUBSCRIBE_REPLY,
                 goim_client_subscribe(conn->goim, request->body, request->body_len));
}

void goim_op_unsubscribe(struct conn *conn, const struct client_request *request)
{
    goim_changed(conn, request, OP_UNSUBSCRIBE_REPLY,
                 goim_client_unsubscribe(conn->goim, request->body, request->body_len));
}

/* Answers 4 bytes: how many sessions the room has, 0 without a room. */
void goim_op_heartbeat(struct conn *conn, const struct client_request *request)
{
    room_reports_heartbeat(conn->worker->room_reports, conn, request->version, request->seq);
}

/* Operation 4, and what we do not know, is for the business. The answer has no body. */
void goim_op_other(struct conn *conn, const struct client_request *request)
{
    upstream_take(conn, request, request->op);
}
