/* A connection over TLS.
 *
 *   socket ─► http_tls_take ─► engine ─► plaintext ─► http_conn_take
 *   http_conn_answer ─► conn->unwritten ─► http_tls_pump ─► engine ─► socket
 *                          ▲                    │ the kernel takes no more
 *                          └── on_sent ◄────────┘
 *
 * The handshake is part of HTTP_CONN_NEW, so it has to end within header_timeout, with the head of
 * the first request. */
#include "common/base/log.h"
#include "common/http/internal.h"
#include "common/tls/engine.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct http_tls {
    struct tls_engine *engine;
    size_t encrypted; /* bytes of conn->unwritten that the engine has */
    char *sending;    /* ciphertext that the kernel has not taken; NULL: none */
    bool shaking;     /* counts in server->handshakes */
    bool shut;        /* nothing comes behind what is being sent */
};

static void end_handshake(struct http_conn *conn)
{
    if (!conn->tls->shaking)
        return;
    conn->tls->shaking = false;
    conn->server->handshakes--;
}

/* The connection whose handshake has taken the longest. */
static struct http_conn *slowest_handshake(const struct http_server *server)
{
    struct http_conn *conn, *slowest = NULL;
    LIST_FOREACH(conn, &server->conns, link) {
        if (conn->tls != NULL && conn->tls->shaking &&
            (slowest == NULL || conn->due_ms <= slowest->due_ms))
            slowest = conn;
    }
    return slowest;
}

void http_tls_open(struct http_conn *conn)
{
    struct http_server *server = conn->server;
    if (server->handshakes >= HTTP_MAX_HANDSHAKES) {
        server->stats.gave_way++;
        http_conn_close(slowest_handshake(server));
    }
    conn->tls = mem_zalloc(sizeof(*conn->tls));
    conn->tls->engine = tls_engine_accept(server->options.tls);
    conn->tls->shaking = true;
    server->handshakes++;
}

void http_tls_free(struct http_conn *conn)
{
    if (conn->tls == NULL)
        return;
    tls_engine_free(conn->tls->engine);
    free(conn->tls->sending);
    free(conn->tls);
    conn->tls = NULL;
}

bool http_tls_is_open(const struct http_conn *conn)
{
    return tls_engine_state(conn->tls->engine) == TLS_OPEN;
}

size_t http_tls_unsent(const struct http_conn *conn)
{
    return conn->unwritten_len - conn->tls->encrypted;
}

/* --- sending --- */

static void on_sent(uv_write_t *write, int status)
{
    struct http_conn *conn = write->data;
    if (conn->state == HTTP_CONN_CLOSED) /* release() frees the rest */
        return;
    free(conn->tls->sending);
    conn->tls->sending = NULL;
    if (status != 0)
        http_conn_close(conn);
    else
        http_tls_pump(conn);
}

/* Hands LEN bytes of the engine's output to libuv, which the kernel did not take. False: it
 * failed. */
static bool send_later(struct http_conn *conn, const uint8_t *bytes, size_t len)
{
    struct http_tls *tls = conn->tls;
    tls->sending = mem_alloc(len);
    memcpy(tls->sending, bytes, len);
    tls_engine_sent(tls->engine, len);
    uv_buf_t buf = uv_buf_init(tls->sending, (unsigned)len);
    conn->write.data = conn;
    return uv_write(&conn->write, (uv_stream_t *)&conn->tcp, &buf, 1, on_sent) == 0;
}

/* Sends the engine's output. 1: all of it; 0: on_sent() goes on; -1: it failed. */
static int flush(struct http_conn *conn)
{
    struct http_tls *tls = conn->tls;
    const uint8_t *bytes;
    size_t len;
    while (tls->sending == NULL && (len = tls_engine_output(tls->engine, &bytes)) > 0) {
        uv_buf_t buf = uv_buf_init((char *)mem_unconst(bytes), (unsigned)len);
        int n = uv_try_write((uv_stream_t *)&conn->tcp, &buf, 1);
        if (n < 0 && n != UV_EAGAIN)
            return -1;
        if (n > 0)
            tls_engine_sent(tls->engine, (size_t)n);
        else if (!send_later(conn, bytes, len))
            return -1;
    }
    return tls->sending == NULL ? 1 : 0;
}

/* Encrypts more of the answer. False: there is nothing left to encrypt, or no room. */
static bool encrypt_more(struct http_conn *conn)
{
    struct http_tls *tls = conn->tls;
    size_t n = tls_engine_write(tls->engine, conn->unwritten + tls->encrypted,
                                conn->unwritten_len - tls->encrypted);
    tls->encrypted += n;
    return n > 0;
}

void http_tls_pump(struct http_conn *conn)
{
    struct http_tls *tls = conn->tls;
    int sent = 1;
    while (sent > 0 && conn->unwritten != NULL && encrypt_more(conn))
        sent = flush(conn);
    if (sent > 0)
        sent = flush(conn);
    bool stuck = conn->unwritten != NULL && http_tls_unsent(conn) > 0 && !http_tls_is_open(conn);
    if (sent < 0 || stuck) {
        http_conn_close(conn);
        return;
    }
    if (sent == 0)
        return;
    if (tls->shut)
        http_conn_shut(conn);
    tls->shut = false;
    if (conn->unwritten == NULL || http_tls_unsent(conn) > 0)
        return;
    tls->encrypted = 0;
    http_conn_written(conn);
}

void http_tls_say(struct http_conn *conn, const char *text, size_t len)
{
    (void)tls_engine_write(conn->tls->engine, text, len);
    if (flush(conn) < 0)
        http_conn_close(conn);
}

void http_tls_shut(struct http_conn *conn)
{
    tls_engine_close(conn->tls->engine);
    conn->tls->shut = true;
    http_tls_pump(conn);
}

void http_tls_part(struct http_conn *conn)
{
    end_handshake(conn);
    if (conn->tls->sending != NULL || conn->unwritten != NULL)
        return;
    tls_engine_close(conn->tls->engine);
    (void)flush(conn); /* as far as the kernel takes it at once */
}

/* --- receiving --- */

/* The peer speaks plain HTTP, most likely. It is told so in plain HTTP. */
static void refuse_plain(struct http_conn *conn)
{
    end_handshake(conn);
    http_tls_free(conn);
    http_conn_refuse(conn, 400, "this port speaks TLS: use https");
}

static void failed(struct http_conn *conn)
{
    struct tls_engine *engine = conn->tls->engine;
    if (tls_engine_peer_is_plain(engine)) {
        refuse_plain(conn);
        return;
    }
    log_info("TLS failed", "peer=%s port=%d reason=\"%s\"", conn->peer, conn->server->port,
             tls_engine_error(engine));
    (void)flush(conn); /* an alert tells the peer why */
    http_conn_close(conn);
}

/* Reads what the engine has decrypted, all at once: of the requests in it one is served a turn. */
static void take_plaintext(struct http_conn *conn)
{
    char *plain = conn->server->plain;
    size_t n = 0, got;
    while (n < HTTP_READ_SIZE &&
           (got = tls_engine_read(conn->tls->engine, plain + n, HTTP_READ_SIZE - n)) > 0)
        n += got;
    if (n == 0)
        return;
    http_conn_take(conn, plain, n);
    explicit_bzero(plain, n); /* API keys may be in it */
}

/* Acts on what the engine has come to. */
static void look(struct http_conn *conn)
{
    if (conn->state == HTTP_CONN_CLOSED || conn->tls == NULL)
        return;
    switch (tls_engine_state(conn->tls->engine)) {
    case TLS_FAILED:
        failed(conn);
        break;
    case TLS_CLOSED:
        end_handshake(conn);
        http_conn_eof(conn);
        break;
    case TLS_OPEN:
        end_handshake(conn);
        http_tls_pump(conn);
        break;
    case TLS_HANDSHAKE:
        http_tls_pump(conn);
        break;
    }
}

void http_tls_take(struct http_conn *conn, const char *data, size_t len)
{
    while (len > 0 && conn->state != HTTP_CONN_CLOSED && conn->tls != NULL) {
        size_t n = tls_engine_feed(conn->tls->engine, data, len);
        take_plaintext(conn);
        look(conn);
        if (n == 0)
            break; /* so much waits to be sent that the engine reads nothing */
        data += n;
        len -= n;
    }
    if (len > 0 && conn->state != HTTP_CONN_CLOSED && conn->tls != NULL)
        http_conn_close(conn);
}
