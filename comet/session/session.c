#include "comet/session/session.h"
#include "comet/base/config.h"
#include "comet/base/metrics.h"
#include "comet/base/worker.h"
#include "comet/logic/logic_requests.h"
#include "comet/net/addresses.h"
#include "comet/net/conn.h"
#include "comet/net/goim_client.h"
#include "comet/net/handle_table.h"
#include "comet/net/passed_headers.h"
#include "comet/session/acks.h"
#include "comet/session/catchup.h"
#include "comet/session/goim_keys.h"
#include "comet/session/goim_ops.h"
#include "comet/session/held_joins.h"
#include "comet/session/renewals.h"
#include "comet/session/reregister.h"
#include "comet/session/room_ops.h"
#include "comet/session/session_log.h"
#include "comet/session/token_ends.h"
#include "comet/session/upstream.h"
#include "common/base/mem.h"
#include "common/base/time.h"
#include <string.h>

/* --- admission --- */

static void session_count(struct worker *worker, int by)
{
    worker->sessions += (size_t)by;
    metric_set(worker->counters, COMET_SESSIONS, (int64_t)worker->sessions);
}

static void session_reply(struct conn *conn, bool hello)
{
    char body[GOIM_HELLO_MAX];
    size_t len = 0;

    if (hello && conn->goim != NULL)
        len = goim_hello(conn, body);
    conn_reply(conn, conn->auth_version, OP_AUTH_REPLY, conn->auth_seq, body, len);
}

/* False: it was kicked. */
static bool session_enter_rooms(struct conn *conn, const struct admission *result)
{
    size_t main = strlen(result->room), more = strlen(result->rooms);

    return (main == 0 || room_op_enter_main(conn, result->room, main)) &&
           (more == 0 || room_op_enter(conn, result->rooms, more));
}

/* It is in its rooms, and jobs know of them. */
static void session_open(struct conn *conn, bool hello)
{
    conn_opened(conn);
    session_reply(conn, hello);
    if (conn->state == CONN_OPEN)
        catchup_opened(conn);
}

static void session_admit(struct conn *conn, const struct logic_answer *answer)
{
    struct worker *worker = conn->worker;
    const struct admission *result = answer->connect;

    metric_add(worker->counters, COMET_CONNECTS_OK, 1);
    conn->uid = result->uid;
    conn->counted = true;
    session_count(worker, 1);
    addresses_session(conn->address, 1);
    if (result->logged)
        session_log_admitted(worker->session_log, conn, answer);
    catchup_admitted(conn, &result->page);
    token_ends_set(conn, result->token, result->lifetime_ms);
    if (conn->by_object || wire_is_goim(conn->wire))
        goim_admitted(conn, result);
    if (conn->by_object && result->acked)
        acks_begin(conn, &catchup_mailbox);
    if (!session_enter_rooms(conn, result))
        return;
    reregister_admitted(worker->reregister, conn, answer);
    held_joins_admit(conn, session_open, result->hello);
}

/* A logic may have written to the log of sessions that this one is open, and it is not. */
static void session_not_opened(struct worker *worker, const struct logic_request *request,
                               const struct logic_answer *answer)
{
    bool admitted = answer->answered && answer->status == CLOSE_NONE;

    if (answer->answered && answer->connect->logged)
        session_log_unopened(worker->session_log, request->handle, answer);
    else if (!admitted && (request->again || (request->sent && !answer->answered)))
        session_log_undo(worker->session_log, request->handle);
}

static void connect_done(struct worker *worker, struct logic_request *request,
                         const struct logic_answer *answer)
{
    struct conn *conn = handle_table_find(worker->table, request->handle);
    bool admitted = answer->answered && answer->status == CLOSE_NONE;
    bool left_put = !admitted && answer->answered && answer->connect->put;
    int64_t took_us = time_mono_us() - request->asked_us;
    bool refused = answer->answered && answer->status <= CLOSE_UNKNOWN_OP &&
                   answer->status != CLOSE_UNAVAILABLE && !admitted;

    if (left_put)
        reregister_disconnect(worker->reregister, request->handle, answer->connect->uid);
    if (conn == NULL || conn->state != CONN_CONNECTING) {
        /* The device left before logic answered. Messages for its user stay in the mailbox, because
         * none was confirmed. */
        session_not_opened(worker, request, answer);
        if (admitted)
            reregister_disconnect(worker->reregister, request->handle, answer->connect->uid);
        return;
    }
    if (!admitted)
        session_not_opened(worker, request, answer);
    if (admitted) {
        metric_observe(worker->counters, COMET_CONNECT_OK, took_us, 1);
        session_admit(conn, answer);
    } else if (refused) {
        metric_observe(worker->counters, COMET_CONNECT_REFUSED, took_us, 1);
        metric_add(worker->counters, COMET_CONNECTS_REFUSED, 1);
        conn_kick(conn, (enum close_code)answer->status, answer->connect->reason);
    } else {
        metric_add(worker->counters, COMET_CONNECTS_FAILED, 1);
        metric_observe(worker->counters, COMET_CONNECT_FAILED, took_us, 1);
        conn_kick(conn, CLOSE_UNAVAILABLE, "the service is unavailable, try again");
    }
}

void session_connect(struct conn *conn, const uint8_t *token, size_t len, int32_t seq)
{
    struct worker *worker = conn->worker;

    loop_assert_owner(&worker->loop);
    conn->auth_seq = seq;
    conn->handle = handle_table_add(worker->table, conn);
    if (conn->handle == 0) {
        conn_kick(conn, CLOSE_UNAVAILABLE, "this node is full, try again");
        return;
    }
    conn->state = CONN_CONNECTING;
    catchup_connecting(conn);
    struct logic_requests *link = worker_connects(worker);
    struct logic_request *request = logic_requests_new(link, REQUEST_CONNECT);
    request->handle = conn->handle;
    request->asked_us = time_mono_us();
    request->bytes = mem_alloc(len + 1);
    memcpy(request->bytes, token, len);
    request->bytes[len] = '\0';
    request->bytes_len = len;
    request->goim = conn->by_object;
    request->wire = conn->wire;
    request->headers = passed_headers_take(conn);
    conn_peer(conn, request->peer, sizeof request->peer);
    request->deadline_ms = loop_now_ms(&worker->loop) + (uint64_t)worker->config->connect_ms;
    request->done = connect_done;
    logic_requests_send(link, request);
}

void session_closed(struct conn *conn)
{
    struct worker *worker = conn->worker;

    loop_assert_owner(&worker->loop);
    catchup_end(conn);
    if (conn->logged)
        session_log_closed(worker->session_log, conn);
    if (conn->goim != NULL) {
        acks_end(conn);
        goim_keys_remove(conn);
    }
    upstream_conn_closed(conn);
    if (conn->renews)
        renewals_forget(conn);
    if (conn->expires)
        token_ends_forget(conn);
    goim_client_free(conn->goim);
    conn->goim = NULL;
    if (conn->handle != 0) {
        handle_table_remove(worker->table, conn->handle);
        reregister_closed(worker->reregister, conn);
    }
    if (conn->counted) {
        session_count(worker, -1);
        addresses_session(conn->address, -1);
        conn->counted = false;
        reregister_disconnect(worker->reregister, conn->handle, conn->uid);
    }
    conn->handle = 0;
}

/* --- pushes --- */

void session_push(struct conn *conn, const struct push *push, struct ticket ticket)
{
    loop_assert_owner(&conn->worker->loop);
    if (conn->state != CONN_OPEN && conn->state != CONN_CONNECTING) {
        ticket_done(&ticket, conn, TICKET_DROPPED);
        return;
    }
    if (conn->goim != NULL && (goim_declines(conn, push, &ticket) ||
                               (acks_of(conn) != NULL && acks_again(conn, push->id, ticket))))
        return;
    if (conn->missed)
        catchup_missed(conn, push->id);
    if (conn->catchup != NULL) {
        catchup_push(conn, push, ticket);
        return;
    }
    enum write_result result = acks_write(conn, push, ticket);
    if (result == WRITE_CLOSED) {
        ticket_done(&ticket, conn, TICKET_DROPPED);
    } else if (result == WRITE_FULL) {
        catchup_full(conn, push, ticket);
    }
}

void session_poke(struct conn *conn, const uint64_t *ids, size_t n)
{
    loop_assert_owner(&conn->worker->loop);
    if (conn->state == CONN_OPEN || conn->state == CONN_CONNECTING)
        catchup_poke(conn, ids, n);
}
