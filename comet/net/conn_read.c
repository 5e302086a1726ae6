/* recv ─► shared buffer ─┬─ CONN_HANDSHAKE ─► ws_handshake ─► 101, or an HTTP error
 *   (rest of last time   ├─ WebSocket ─► ws_next ─► a message ─► events->message
 *    in front)           │                     └─► ping, close, violation
 *                        ├─ TCP ─► frame_parse ─► events->frame
 *                        ├─ CONN_CONNECTING, or held: kept for later
 *                        └─ CONN_CLOSING: thrown away, but for the peer's WebSocket close */
#include "comet/net/conn_read.h"
#include "comet/net/client_address.h"
#include "comet/net/conn_internal.h"
#include "comet/net/conn_rate.h"
#include "comet/net/conn_tls.h"
#include "comet/net/passed_headers.h"
#include "comet/wire/ws_frame.h"
#include "comet/wire/ws_handshake.h"
#include "comet/wire/ws_reader.h"
#include "common/protocol/frame.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

enum { STRANGER_CONTROLS = 4 }; /* pings and pongs before auth; fits conn->controls */

/* --- frames on TCP --- */

size_t conn_max_body(const struct conn *conn)
{
    return conn->state == CONN_OPEN ? (size_t)conn->worker->config->max_body
                                    : conn_frontend(conn)->max_auth_body;
}

void conn_kick_too_large(struct conn *conn)
{
    char why[80];
    (void)snprintf(why, sizeof why, "body longer than %zu bytes", conn_max_body(conn));
    conn_kick(conn, CLOSE_BODY_TOO_LARGE, why);
}

/* A record of a TLS handshake: type 22, version 3.x (RFC 8446, 5.1). */
static bool looks_like_tls(const uint8_t *buf, size_t len)
{
    return len >= 2 && buf[0] == 22 && buf[1] == 3;
}

/* Each take_…() returns the bytes it has consumed; 0: it needs more. */
static size_t take_frame(struct conn *conn, const uint8_t *buf, size_t len)
{
    struct frame frame;
    long taken = frame_parse(buf, len, conn_max_body(conn), &frame);
    if (taken == -EMSGSIZE) {
        conn_kick_too_large(conn);
        return len;
    }
    if (taken < 0) {
        conn_kick(conn, CLOSE_MALFORMED,
                  looks_like_tls(buf, len)
                      ? "malformed frame: it looks like TLS, which this port does not speak"
                      : "malformed frame: header length must be 16, packet length at least 16");
        return len;
    }
    if (taken == 0)
        return 0;
    conn_heard(conn);
    if (!conn_rate_frame(conn))
        return len;
    conn_frontend(conn)->events->frame(conn, &frame);
    return (size_t)taken;
}

/* --- WebSocket --- */

static size_t take_handshake(struct conn *conn, const uint8_t *buf, size_t len)
{
    char response[WS_RESPONSE_MAX];
    struct ws_accepted accepted;
    struct ws_refusal refusal;
    const struct ws_rules rules = {
        .path = "/sub",
        .origins = conn->worker->config->allowed_origins,
        .protocols = conn->worker->config->protocols,
        .max_header = FRONTEND_HTTP_MAX,
        .seen = conn_frontend(conn)->in_kept,
    };
    long taken = ws_handshake_parse(buf, len, &rules, &accepted, &refusal);
    if (taken < 0 && looks_like_tls(buf, len))
        refusal.text = "no HTTP: it looks like TLS, which this port does not speak";
    if (taken < 0) {
        conn_close_http(conn, response,
                        ws_handshake_refuse(refusal.status, refusal.text, response));
        return len;
    }
    if (taken == 0)
        return 0;
    if (!client_address_forwarded(conn, &accepted)) {
        static const char why[] = "too many connections from your address";
        conn_close_http(conn, response, ws_handshake_refuse(429, why, response));
        return len;
    }
    if (!passed_headers_keep(conn, buf, (size_t)taken)) {
        static const char why[] = "headers that the service is to see are too long";
        conn_close_http(conn, response, ws_handshake_refuse(431, why, response));
        return len;
    }
    struct iovec iov = {response, ws_handshake_accept(&accepted, response)};
    conn_upgraded(conn);
    conn_write(conn, &iov, 1, TICKET_NONE);
    return (size_t)taken;
}

/* True: kicked for too many pings before auth. Such a client could send pings for ever and read no
 * pong. A monitor needs one or two. */
static bool stranger_pings(struct conn *conn)
{
    if (conn->state != CONN_AUTH)
        return false;
    if (conn->controls < STRANGER_CONTROLS) {
        conn->controls++;
        return false;
    }
    conn_count(conn, COMET_STRANGERS_PINGS, 1);
    conn_kick(conn, CLOSE_MALFORMED, "too many pings before auth (operation 7)");
    return true;
}

static void answer_ping(struct conn *conn, const struct ws_item *item)
{
    uint8_t header[WS_HEADER_MAX];
    struct iovec iov[] = {
        {header, ws_header_write(header, WS_OP_PONG, item->len)},
        {item->data, item->len},
    };
    conn_write_reply(conn, iov, item->len > 0 ? 2 : 1);
}

static void ws_violated(struct conn *conn, const struct ws_item *item)
{
    if (conn->state == CONN_CLOSING) /* we waited only for its close frame, which will not come */
        conn_close_ws_peer(conn, 0);
    else if (item->code == WS_CLOSE_TOO_BIG)
        conn_close_ws_kick(conn, CLOSE_BODY_TOO_LARGE, item->code, item->why);
    else
        conn_close_ws_fail(conn, item->code, item->why);
}

static size_t max_message(const struct conn *conn)
{
    const struct frontend *frontend = conn_frontend(conn);
    return conn->state == CONN_OPEN ? frontend->max_message : frontend->max_auth;
}

static size_t take_ws(struct conn *conn, uint8_t *buf, size_t len)
{
    struct ws_item item;
    size_t max = max_message(conn);
    size_t taken = ws_next(&conn->ws, buf, len, max, &item);
    if (item.event == WS_FAIL) {
        ws_violated(conn, &item);
        return len;
    }
    if (item.event == WS_CLOSE)
        conn_close_ws_peer(conn, item.code);
    if (item.event == WS_MORE || conn->state >= CONN_CLOSING)
        return taken;
    if (item.event != WS_PART) /* a part is no sign of life, as on TCP: the rest may never come */
        conn_heard(conn);
    if (!conn_rate_frame(conn))
        return len;
    if ((item.event == WS_PING || item.event == WS_PONG) && stranger_pings(conn))
        return len;
    if (item.event == WS_MESSAGE)
        conn_frontend(conn)->events->message(conn, &item);
    else if (item.event == WS_PING)
        answer_ping(conn, &item);
    return taken;
}

/* --- any of them --- */

static size_t take_next(struct conn *conn, uint8_t *buf, size_t len)
{
    switch ((enum conn_state)conn->state) {
    case CONN_HANDSHAKE:
        return take_handshake(conn, buf, len);
    case CONN_AUTH:
    case CONN_OPEN:
        if (conn->held != 0)
            return 0;
        return conn->is_ws ? take_ws(conn, buf, len) : take_frame(conn, buf, len);
    case CONN_CONNECTING:
        return 0;
    case CONN_CLOSING:
        return conn->close_sent && !conn->close_received ? take_ws(conn, buf, len) : len;
    case CONN_CLOSED:
        break;
    }
    return len;
}

/* Counts what is kept for a client that has not authenticated. It is refused if all such clients
 * together keep too much. A token that logic is asked about was counted when the auth came. */
static void keep_count(struct conn *conn)
{
    size_t kept = conn->state == CONN_CONNECTING ? conn->kept : 0;
    if (conn->state == CONN_OPEN || conn->state == CONN_CLOSED)
        return;
    if (conn->tls != NULL)
        kept += conn_tls_kept(conn);
    kept += passed_headers_held(conn) + ws_held(conn->ws) +
            (conn->in != NULL ? sizeof *conn->in + conn->in->len : 0);
    if (conn_keep(conn, kept))
        return;
    conn_count(conn, COMET_STRANGERS_BYTES, 1);
    msg_unref(conn->in);
    conn->in = NULL;
    ws_free(conn->ws);
    conn->ws = NULL;
    if (conn->state == CONN_CLOSING)
        conn_break(conn);
    else
        conn_kick(conn, CLOSE_UNAVAILABLE, "too many clients are connecting, try again");
}

/* BUF is frontend->in. Keeps what cannot be used yet. */
static void take_all(struct conn *conn, uint8_t *buf, size_t len)
{
    bool stranger = conn->state < CONN_OPEN;
    size_t at = 0, taken;
    conn_write_cork(conn);
    while (at < len && !conn->broken && (taken = take_next(conn, buf + at, len - at)) > 0)
        at += taken;
    conn_write_uncork(conn);
    assert(conn->in == NULL && at <= len);
    if (at < len && !conn->broken && conn->state != CONN_CLOSED)
        conn->in = msg_copy(buf + at, len - at);
    if (stranger) { /* it holds a token, or the beginning of one */
        explicit_bzero(buf, len);
        if (conn->in != NULL)
            msg_is_secret(conn->in);
    }
    keep_count(conn);
    conn_checked(conn);
}

/* Puts the kept rest in front of what is read next; returns the length of the rest. That is at most
 * frontend->in_ahead, or, if the connection was held, all that was in the buffer then. */
static size_t take_kept(struct conn *conn, uint8_t *buf)
{
    struct msg *kept = conn->in;
    if (kept == NULL)
        return 0;
    size_t len = kept->len;
    memcpy(buf, kept->data, len);
    conn->in = NULL;
    msg_unref(kept);
    return len;
}

/* Stops reading while logic is asked, or jobs. The connection may still end. */
static void pause_reading(struct conn *conn)
{
    uint8_t byte;
    ssize_t n = recv(conn->fd, &byte, 1, MSG_PEEK);
    if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) {
        conn_close(conn);
        return;
    }
    if (n < 0)
        return;
    conn->paused = true;
    conn_poll_update(conn);
}

/* True: the client goes on sending after our last words, and has sent enough. */
static bool lingered(struct conn *conn, size_t n)
{
    if (conn->state != CONN_CLOSING)
        return false;
    conn->lingered_kib += (uint16_t)((n + 1023) / 1024);
    return conn->lingered_kib > FRONTEND_LINGER_KIB;
}

/* The peer has ended, or FIN is false and the socket has failed. */
static void read_end(struct conn *conn, bool fin)
{
    if (fin && conn->state == CONN_CLOSING)
        conn_close_eof(conn);
    else
        conn_close(conn);
}

/* False: the WIRE bytes that were read now are too many. CONN was closed or kicked, and what it
 * kept is dropped. Over TLS they are more than their plaintext: records may have one byte of it, or
 * none. */
static bool may_send(struct conn *conn, size_t wire)
{
    if (lingered(conn, wire)) {
        conn_close(conn);
        return false;
    }
    if (conn_rate_bytes(conn, wire))
        return true;
    msg_unref(conn->in);
    conn->in = NULL;
    return false;
}

/* N bytes came, behind the place of what was kept. */
static void take_read(struct conn *conn, size_t n)
{
    uint8_t *buf = conn_frontend(conn)->in;
    size_t kept = take_kept(conn, buf);
    conn_frontend(conn)->in_kept = kept;
    take_all(conn, buf, kept + n);
}

uint8_t *conn_read_buffer(const struct conn *conn)
{
    return conn_frontend(conn)->in + (conn->in != NULL ? conn->in->len : 0);
}

void conn_read_decrypted(struct conn *conn, size_t wire, ssize_t n)
{
    if (n < 0) {
        read_end(conn, n == -EPIPE);
        return;
    }
    bool fits = may_send(conn, wire);
    if (fits && n > 0)
        take_read(conn, (size_t)n);
    else if (fits && conn->state < CONN_OPEN)
        keep_count(conn);
    if (conn->state != CONN_CLOSED && !conn->broken && conn_tls_is_over(conn))
        read_end(conn, true);
}

void conn_read_ready(struct conn *conn)
{
    uint8_t *buf = conn_frontend(conn)->in;
    if (conn->header_due && !client_address_header(conn))
        return;
    if (conn->state == CONN_CONNECTING || conn->held != 0) {
        pause_reading(conn);
        return;
    }
    if (conn->resume) /* the rest may fill the buffer: it comes first, at the end of this turn */
        return;
    size_t kept = conn->in != NULL ? conn->in->len : 0;
    size_t bite = conn->state < CONN_OPEN ? FRONTEND_STRANGER : conn_frontend(conn)->bite;
    ssize_t n;
    if (__builtin_expect(conn->tls != NULL, 0)) {
        size_t wire;
        n = conn_tls_receive(conn, buf + kept, bite, &wire);
        conn_read_decrypted(conn, wire, n);
        return;
    }
    n = recv(conn->fd, buf + kept, bite, 0);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0)
        read_end(conn, n == 0);
    else if (may_send(conn, (size_t)n))
        take_read(conn, (size_t)n);
}

void conn_read_resume(struct conn *conn)
{
    uint8_t *buf = conn_frontend(conn)->in;
    if (conn->paused) {
        conn->paused = false;
        conn_poll_update(conn);
    }
    if (conn->in != NULL)
        take_all(conn, buf, take_kept(conn, buf));
}
