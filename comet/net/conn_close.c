/* Every way in which we end a connection, and the wait for the peer to take note:
 *
 *   conn_kick ── op 6 (+ WebSocket close) ─┐
 *   conn_close_ws_fail ── WebSocket close ─┤
 *   conn_close_ws_peer ── close echoed ────┼─► CONN_CLOSING: flush ─► our FIN ─► peer's FIN, linger
 *   conn_close_http ── error response ─────┘   (WebSocket: after the peer's close)   ─► conn_close
 *
 * We shut only our side; what still comes is read and thrown away, up to FRONTEND_LINGER_KIB.
 * Closing a socket with unread input would send a reset, and the reset could overtake what was just
 * written. */
#include "comet/net/conn_internal.h"
#include "comet/net/conn_tls.h"
#include "comet/net/end_log.h"
#include "comet/net/passed_headers.h"
#include "comet/wire/ws_frame.h"
#include "comet/wire/ws_handshake.h"
#include "comet/wire/ws_reader.h"
#include "common/base/log.h"
#include "common/protocol/json_scan.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

enum { REASON_MAX = 200 };

static void conn_close_begin(struct conn *conn)
{
    struct frontend *frontend = conn_frontend(conn);
    assert(conn->state < CONN_CLOSING);
    frontend->events->leaving(conn);
    LIST_REMOVE(conn, link);
    LIST_INSERT_HEAD(&frontend->closing, conn, link);
    conn->state = CONN_CLOSING;
    conn_let_go(conn, HELD_BY_ANY);
    passed_headers_drop(conn);
    wheel_set(frontend->wheel, &conn->timer, (uint64_t)conn->worker->config->linger_ms);
    if (conn->paused) {
        conn->paused = false;
        conn_poll_update(conn);
    }
}

/* Sends the last words, then waits for the end. */
static void conn_close_say(struct conn *conn, const struct iovec *iov, int n)
{
    conn_write_force(conn, iov, n);
    if (!conn->broken && !conn_has_queued(conn))
        conn_close_flushed(conn);
    conn_checked(conn);
}

void conn_close_flushed(struct conn *conn)
{
    if (conn->eof) { /* the peer has sent its FIN: nothing to linger for */
        conn_break(conn);
        return;
    }
    if (conn->shut || (conn->close_sent && !conn->close_received))
        return;
    int rc = conn->tls != NULL ? conn_tls_close(conn) : 0;
    if (rc < 0)
        conn_break(conn);
    if (rc != 0) /* or the rest of its last record waits */
        return;
    conn->shut = true;
    shutdown(conn->fd, SHUT_WR);
}

void conn_close_eof(struct conn *conn)
{
    if (!conn_has_queued(conn)) {
        conn_close(conn);
        return;
    }
    conn->eof = true;
    conn_poll_update(conn);
}

void conn_close_http(struct conn *conn, char *text, size_t len)
{
    struct iovec iov = {text, len};
    conn_count(conn, COMET_HTTP_REFUSED, 1);
    conn->by_us = true;
    conn_close_begin(conn);
    conn_close_say(conn, &iov, 1);
}

static void kick_http(struct conn *conn, enum close_code code, const char *reason)
{
    char response[WS_RESPONSE_MAX];
    int status = code == CLOSE_HANDSHAKE_TIMEOUT ? 408 : 503;
    conn_close_http(conn, response, ws_handshake_refuse(status, reason, response));
}

/* Our last words. */
struct goodbye {
    enum close_code kick; /* CLOSE_NONE: no operation 6 */
    uint16_t ws_code;
    const char *reason;
    const char *more; /* further members of operation 6 */
    size_t more_len;
};

enum { DISCONNECT_MAX = 6 * REASON_MAX + 64 + CONN_MORE_MAX };

/* Operation 6 as bytes on the wire. Code and reason come first: old clients look no further. */
static size_t write_disconnect(const struct conn *conn, const struct goodbye *words, uint8_t *out,
                               size_t outlen)
{
    uint8_t body[DISCONNECT_MAX];
    size_t len = strnlen(words->reason, REASON_MAX);
    int head = snprintf((char *)body, sizeof body, "{\"code\":%d,\"reason\":", (int)words->kick);
    size_t at = (size_t)head;
    at += json_write_string((const uint8_t *)words->reason, len, body + at, sizeof body - at - 1);
    if (words->more_len > 0)
        memcpy(body + at, words->more, words->more_len);
    at += words->more_len;
    body[at++] = '}';
    struct wire_unit unit = {.version = 1, .op = OP_DISCONNECT, .body = body, .body_len = at};
    return wire_reply(conn->wire, &unit, out, outlen);
}

static void log_goodbye(const struct conn *conn, const struct goodbye *words)
{
    char address[64], reason[END_REASON_MAX + 1];

    conn_peer(conn, address, sizeof address);
    end_reason(words->kick, true, reason);
    log_debug("kicked", "reason=%s code=%d ws_code=%u uid=%lld address=%s text=\"%s\"", reason,
              (int)words->kick, words->ws_code, (long long)conn->uid, address, words->reason);
}

/* Sends operation 6 and, on WebSocket, a close frame, in one write. */
static void say_goodbye(struct conn *conn, const struct goodbye *words)
{
    uint8_t disconnect[DISCONNECT_MAX + 256], close[2 + WS_CONTROL_MAX];
    struct iovec iov[2];
    int n = 0;
    conn->by_us = true;
    conn_close_begin(conn);
    if (words->kick != CLOSE_NONE) {
        conn->end_code = (unsigned)words->kick & 15U;
        size_t len = write_disconnect(conn, words, disconnect, sizeof disconnect);
        assert(len <= sizeof disconnect);
        iov[n++] = (struct iovec){disconnect, len};
        conn_count(conn, COMET_KICKED_1 + (size_t)words->kick - 1, 1);
    }
    if (conn->is_ws) {
        iov[n++] = (struct iovec){close, ws_close_write(close, words->ws_code, words->reason)};
        conn->close_sent = true;
    }
    if (log_is_on(LOG_DEBUG))
        log_goodbye(conn, words);
    conn_close_say(conn, iov, n);
}

static void kick(struct conn *conn, struct goodbye *words)
{
    loop_assert_owner(&conn->worker->loop);
    _Static_assert(COMET_KICKED_13 - COMET_KICKED_1 == CLOSE_UNKNOWN_OP - CLOSE_BAD_TOKEN, "rows");
    assert(words->kick >= CLOSE_BAD_TOKEN && words->kick <= CLOSE_UNKNOWN_OP);
    assert(words->more_len <= CONN_MORE_MAX);
    if (conn->state >= CONN_CLOSING || conn->broken)
        return;
    conn->end_code = (unsigned)words->kick & 15U;
    words->ws_code = (uint16_t)(WS_CLOSE_OURS + words->kick);
    if (!conn_tls_is_open(conn)) { /* no words can reach it */
        conn->by_us = true;
        conn_count(conn, COMET_KICKED_1 + (size_t)words->kick - 1, 1);
        conn_break(conn);
    } else if (conn->state == CONN_HANDSHAKE)
        kick_http(conn, words->kick, words->reason);
    else
        say_goodbye(conn, words);
}

void conn_kick(struct conn *conn, enum close_code code, const char *reason)
{
    kick(conn, &(struct goodbye){.kick = code, .reason = reason});
}

void conn_send_away(struct conn *conn, const char *reason, const char *more, size_t more_len)
{
    kick(conn, &(struct goodbye){
                   .kick = CLOSE_GOING_AWAY, .reason = reason, .more = more, .more_len = more_len});
}

void conn_close_ws_kick(struct conn *conn, enum close_code kick, uint16_t code, const char *reason)
{
    conn_count(conn, COMET_WS_FAILED, 1);
    conn->close_received =
        true; /* the rest of its stream cannot be understood: no close frame is waited for */
    say_goodbye(conn, &(struct goodbye){.kick = kick, .ws_code = code, .reason = reason});
}

void conn_close_ws_fail(struct conn *conn, uint16_t code, const char *reason)
{
    conn_close_ws_kick(conn, CLOSE_NONE, code, reason);
}

void conn_close_ws_peer(struct conn *conn, uint16_t code)
{
    uint8_t close[2 + WS_CONTROL_MAX];
    conn->close_received = true;
    if (conn->state == CONN_CLOSING) { /* the answer to ours */
        if (!conn_has_queued(conn))
            conn_close_flushed(conn);
        return;
    }
    conn_close_begin(conn);
    conn->close_sent = true;
    conn_close_say(conn, &(struct iovec){close, ws_close_write(close, code, "")}, 1);
}
