/*   http_client_get() ─► no link: connect ─► [TLS] ─► write ─► read ─► parser ─► answered() ─► fn
 *                     └─► kept link ───────────────────┘        │
 *                                ▲                              │
 *                                └─ once more, on a new link ◄──┘ ended before a byte came
 *
 * A link is one connection. A link that was given up frees itself when its handle has closed. */
#include "common/http/client.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/base/msg.h"
#include "common/http/head.h"
#include "common/http/parser.h"
#include "common/net/address.h"
#include "common/tls/engine.h"
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { READ_SIZE = 4096, HOST_MAX = ADDRESS_HOST_MAX + ADDRESS_PORT_MAX + 2, ANSWER_FIRST = 1024 };

struct http_link {
    uv_tcp_t tcp;
    uv_connect_t connect;
    struct http_client *ask; /* NULL: given up */
    struct http_parser *parse;
    unsigned writing;                     /* link_send()s that have not ended */
    struct tls_engine *engine;            /* NULL: plain HTTP */
    bool open;                            /* the TLS handshake has ended; always so without TLS */
    bool used;                            /* an earlier request was answered on it */
    bool heard;                           /* a byte of the answer to this request has come */
    char in[READ_SIZE], plain[READ_SIZE]; /* PLAIN: decrypted */
};

/* Bytes on their way. */
struct link_write {
    uv_write_t write;
    struct http_link *link;
    struct msg *msg;
};

struct http_client {
    struct loop *loop;
    struct sockaddr_storage address;
    char host[HOST_MAX];
    http_client_fn fn;
    void *arg;
    struct http_link *link;
    uv_timer_t timer;
    struct tls_client *tls;      /* NULL: plain HTTP */
    char name[ADDRESS_HOST_MAX]; /* for which the server's certificate has to be */
    const char *header;          /* more lines; "": none */
    struct msg *request;         /* while it is unanswered: it may have to be sent once more */
    bool busy, closed;
    int failed;    /* why no link could be opened; the timer tells the caller */
    char why[256]; /* TLS failed; "": it did not */
    int status;
    struct http_head *head; /* of the answer; NULL: none came */
    bool complete, keep;
    bool cuts;  /* what is longer than MAX is cut off, not refused */
    char *body; /* of the answer: LEN bytes of SIZE */
    size_t len, size, max;
};

static void client_send(struct http_client *ask);

/* --- one connection --- */

static void link_on_closed(uv_handle_t *handle)
{
    struct http_link *link = handle->data;

    http_parser_free(link->parse);
    tls_engine_free(link->engine);
    explicit_bzero(link->in, sizeof link->in);
    explicit_bzero(link->plain, sizeof link->plain);
    free(link);
}

static void client_drop_link(struct http_client *ask)
{
    struct http_link *link = ask->link;

    if (link == NULL)
        return;
    ask->link = NULL;
    link->ask = NULL;
    uv_close((uv_handle_t *)&link->tcp, link_on_closed);
}

static void client_finish(struct http_client *ask, int status)
{
    uv_timer_stop(&ask->timer);
    ask->busy = false;
    msg_unref(ask->request);
    ask->request = NULL;
    if (status < 0)
        client_drop_link(ask);
    ask->fn(status, ask->body != NULL ? ask->body : "", status < 0 ? 0 : ask->len, ask->arg);
}

static void link_broken(struct http_link *link, int err)
{
    struct http_client *ask = link->ask;
    bool again = link->used && !link->heard;

    client_drop_link(ask);
    if (!ask->busy)
        return; /* the other side closed a kept link that nobody was using */
    if (again)
        client_send(ask);
    else
        client_finish(ask, err == UV_EOF ? -ECONNRESET : err);
}

static int on_begin(void *arg)
{
    struct http_client *ask = ((struct http_link *)arg)->ask;

    ask->len = 0;
    ask->complete = false;
    return 0;
}

static int on_head(void *arg, struct http_head *head)
{
    struct http_client *ask = ((struct http_link *)arg)->ask;

    ask->status = head->status;
    http_head_free(ask->head);
    ask->head = head;
    return 0;
}

/* Makes room for an answer of LEN bytes. */
static void client_grow(struct http_client *ask, size_t len)
{
    size_t size = ask->size != 0 ? ask->size : ANSWER_FIRST;

    while (size < len)
        size *= 2;
    ask->body = mem_wiped_realloc(ask->body, ask->len, size);
    ask->size = size;
}

static int on_body(void *arg, const char *data, size_t len)
{
    struct http_client *ask = ((struct http_link *)arg)->ask;

    if (len > ask->max - ask->len && !ask->cuts)
        return -1;
    if (len > ask->max - ask->len)
        len = ask->max - ask->len;
    if (len > ask->size - ask->len)
        client_grow(ask, ask->len + len);
    if (len > 0)
        memcpy(ask->body + ask->len, data, len);
    ask->len += len;
    return 0;
}

static int on_end(void *arg, bool keep_alive)
{
    struct http_client *ask = ((struct http_link *)arg)->ask;

    ask->complete = true;
    ask->keep = keep_alive;
    return -1; /* the server sent more than was asked for */
}

static const struct http_parser_events events = {on_begin, on_head, on_body, on_end};

static void link_answered(struct http_link *link, bool more)
{
    struct http_client *ask = link->ask;

    if (ask->keep && !more && link->writing == 0) { /* not answered before it was written */
        http_parser_resume(link->parse);
        link->used = true;
        link->heard = false;
    } else {
        client_drop_link(ask);
    }
    client_finish(ask, ask->status);
}

static void link_feed(struct http_link *link, const char *data, size_t len)
{
    struct http_client *ask = link->ask;
    size_t used;

    ask->complete = false;
    enum http_parser_result result = http_parser_feed(link->parse, data, len, &used);
    if (ask->complete)
        link_answered(link, used < len);
    else if (result == HTTP_PARSER_STOPPED)
        client_finish(ask, -EMSGSIZE);
    else if (result != HTTP_PARSER_MORE)
        client_finish(ask, -EBADMSG);
}

/* The other side has ended the connection. An answer without a length is complete then. Returns
 * whether the request is answered. */
static bool link_ended(struct http_link *link)
{
    link->ask->complete = false;
    http_parser_finish(link->parse);
    if (!link->ask->complete)
        return false;
    link->ask->keep = false;
    link_answered(link, false);
    return true;
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    struct http_link *link = handle->data;

    (void)suggested;
    *buf = uv_buf_init(link->in, sizeof link->in);
}

/* --- what comes --- */

static void link_take(struct http_link *link, const char *data, size_t len)
{
    if (!link->ask->busy) {
        client_drop_link(link->ask);
        return;
    }
    link->heard = true;
    link_feed(link, data, len);
}

/* The connection has ended. Over TLS only a close_notify shows that nothing was cut off. */
static void link_end(struct http_link *link, int err)
{
    bool whole = link->engine == NULL || tls_engine_state(link->engine) == TLS_CLOSED;

    if (err == UV_EOF && whole && link->heard && link_ended(link))
        return;
    link_broken(link, err);
}

static void link_write(struct http_link *link);
static bool link_flush(struct http_link *link);

static void link_tls_failed(struct http_link *link)
{
    struct http_client *ask = link->ask;

    (void)snprintf(ask->why, sizeof ask->why, "%s", tls_engine_error(link->engine));
    log_warn("TLS failed", "peer=%s name=%s reason=\"%s\"", ask->host, ask->name, ask->why);
    if (ask->busy)
        client_finish(ask, -EPROTO);
    else
        client_drop_link(ask);
}

/* The engine has new bytes. Reads them, and acts on what it has come to. */
static void link_decrypt(struct http_link *link)
{
    size_t n;

    while (link->ask != NULL &&
           (n = tls_engine_read(link->engine, link->plain, sizeof link->plain)) > 0)
        link_take(link, link->plain, n);
    if (link->ask == NULL || !link_flush(link))
        return;
    enum tls_state state = tls_engine_state(link->engine);
    if (state == TLS_FAILED) {
        link_tls_failed(link);
    } else if (state == TLS_CLOSED) {
        link_end(link, UV_EOF);
    } else if (state == TLS_OPEN && !link->open) {
        link->open = true;
        link_write(link);
    }
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
    struct http_link *link = stream->data;
    size_t taken = 0;

    (void)buf;
    if (link->ask == NULL || n == 0)
        return;
    if (n < 0) {
        link_end(link, (int)n);
    } else if (link->engine == NULL) {
        link_take(link, link->in, (size_t)n);
    } else {
        while (link->ask != NULL && taken < (size_t)n) {
            taken += tls_engine_feed(link->engine, link->in + taken, (size_t)n - taken);
            link_decrypt(link);
        }
    }
}

/* --- what is sent --- */

static void on_timer(uv_timer_t *timer)
{
    struct http_client *ask = timer->data;

    client_finish(ask, ask->failed != 0 ? ask->failed : -ETIMEDOUT);
}

static void client_fail_later(struct http_client *ask, int err)
{
    client_drop_link(ask);
    ask->failed = err;
    uv_timer_start(&ask->timer, on_timer, 0, 0);
}

static void on_written(uv_write_t *write, int status)
{
    struct link_write *sent = container_of(write, struct link_write, write);
    struct http_link *link = sent->link;

    msg_unref(sent->msg);
    free(sent);
    link->writing--;
    if (status != 0 && link->ask != NULL)
        link_broken(link, status);
}

/* Takes over a reference to MSG. False: LINK is given up. */
static bool link_send(struct http_link *link, struct msg *msg)
{
    struct link_write *sent = mem_alloc(sizeof *sent);

    *sent = (struct link_write){.link = link, .msg = msg};
    uv_buf_t buf = uv_buf_init((char *)msg->data, msg->len);
    int err = uv_write(&sent->write, (uv_stream_t *)&link->tcp, &buf, 1, on_written);
    link->writing += err == 0;
    if (err == 0)
        return true;
    msg_unref(msg);
    free(sent);
    client_fail_later(link->ask, err);
    return false;
}

/* Sends what the engine has. False: LINK is given up. */
static bool link_flush(struct http_link *link)
{
    const uint8_t *bytes;
    size_t len;

    while ((len = tls_engine_output(link->engine, &bytes)) > 0) {
        struct msg *msg = msg_new(len);
        memcpy(msg->data, bytes, len);
        tls_engine_sent(link->engine, len);
        if (!link_send(link, msg))
            return false;
    }
    return true;
}

/* Sends the request, or begins the handshake before it. */
static void link_write(struct http_link *link)
{
    const struct msg *request = link->ask->request;
    size_t done = 0;

    if (link->engine == NULL) {
        (void)link_send(link, msg_ref(link->ask->request));
        return;
    }
    if (!link->open) { /* link_decrypt() comes back */
        (void)link_flush(link);
        return;
    }
    while (done < request->len) {
        size_t n = tls_engine_write(link->engine, request->data + done, request->len - done);
        if (!link_flush(link))
            return;
        if (n == 0) {
            client_fail_later(link->ask, -EPROTO);
            return;
        }
        done += n;
    }
}

static void on_connected(uv_connect_t *connect, int status)
{
    struct http_link *link = connect->data;

    if (link->ask == NULL)
        return;
    if (status == 0)
        status = uv_read_start((uv_stream_t *)&link->tcp, on_alloc, on_read);
    if (status != 0)
        client_finish(link->ask, status);
    else
        link_write(link);
}

static void client_connect(struct http_client *ask)
{
    struct http_link *link = mem_zalloc(sizeof *link);

    ask->link = link;
    link->ask = ask;
    link->parse = http_parser_new_answers(&events, link);
    link->open = ask->tls == NULL;
    if (ask->tls != NULL)
        link->engine = tls_engine_connect(ask->tls, ask->name, NULL);
    link->tcp.data = link->connect.data = link;
    uv_tcp_init(&ask->loop->uv, &link->tcp);
    uv_tcp_nodelay(&link->tcp, 1);
    int err = ask->tls != NULL && link->engine == NULL ? -EPROTO : 0; /* a name that can be none */
    if (err == 0)
        err = uv_tcp_connect(&link->connect, &link->tcp, (struct sockaddr *)&ask->address,
                             on_connected);
    if (err != 0)
        client_fail_later(ask, err);
}

static void client_send(struct http_client *ask)
{
    if (ask->link != NULL)
        link_write(ask->link);
    else
        client_connect(ask);
}

/* --- the interface --- */

struct http_client *http_client_open(struct loop *loop, const struct sockaddr *address,
                                     http_client_fn fn, void *arg)
{
    struct http_client *ask = mem_zalloc(sizeof *ask);

    loop_assert_owner(loop);
    assert(address->sa_family == AF_INET || address->sa_family == AF_INET6);
    ask->loop = loop;
    memcpy(&ask->address, address,
           address->sa_family == AF_INET ? sizeof(struct sockaddr_in)
                                         : sizeof(struct sockaddr_in6));
    endpoint_text(address, ask->host, sizeof ask->host);
    ask->header = "";
    ask->max = HTTP_CLIENT_MAX;
    ask->fn = fn;
    ask->arg = arg;
    uv_timer_init(&loop->uv, &ask->timer);
    ask->timer.data = ask;
    return ask;
}

void http_client_set_header(struct http_client *ask, const char *lines)
{
    loop_assert_owner(ask->loop);
    ask->header = lines != NULL ? lines : "";
}

void http_client_set_host(struct http_client *ask, const char *host)
{
    loop_assert_owner(ask->loop);
    (void)snprintf(ask->host, sizeof ask->host, "%s", host);
}

void http_client_set_tls(struct http_client *ask, struct tls_client *tls, const char *name)
{
    loop_assert_owner(ask->loop);
    ask->tls = tls;
    (void)snprintf(ask->name, sizeof ask->name, "%s", name);
}

void http_client_limit(struct http_client *ask, size_t max)
{
    loop_assert_owner(ask->loop);
    ask->max = max;
}

void http_client_cut(struct http_client *ask, size_t max)
{
    http_client_limit(ask, max);
    ask->cuts = true;
}

const char *http_client_answer_header(const struct http_client *ask, const char *name)
{
    const struct http_slice *value = ask->head != NULL ? http_head_get(ask->head, name, 0) : NULL;

    return value != NULL ? value->text : NULL;
}

/* The whole request. BODY NULL: it has none. It may hold a key or a token. */
static struct msg *make_request(const struct http_client *ask, const char *method, const char *path,
                                const struct http_client_body *body)
{
    static const char form[] = "%s %s HTTP/1.1\r\nHost: %s\r\nAccept: */*\r\n%s%s\r\n";
    char about[160] = "";

    if (body != NULL && body->type != NULL)
        (void)snprintf(about, sizeof about, "Content-Type: %s\r\nContent-Length: %zu\r\n",
                       body->type, body->len);
    else if (body != NULL)
        (void)snprintf(about, sizeof about, "Content-Length: %zu\r\n", body->len);
    size_t len = body != NULL ? body->len : 0;
    int head = snprintf(NULL, 0, form, method, path, ask->host, about, ask->header);
    struct msg *request = msg_new((size_t)head + 1 + len);
    (void)snprintf((char *)request->data, (size_t)head + 1, form, method, path, ask->host, about,
                   ask->header);
    if (len > 0)
        memcpy(request->data + head, body->data, len);
    request->len = (uint32_t)((size_t)head + len);
    msg_is_secret(request);
    return request;
}

void http_client_send(struct http_client *ask, const char *method, const char *path,
                      const struct http_client_body *body, uint64_t timeout_ms)
{
    loop_assert_owner(ask->loop);
    assert(!ask->busy && !ask->closed);
    ask->busy = true;
    http_head_free(ask->head);
    ask->head = NULL;
    ask->len = 0;
    ask->request = make_request(ask, method, path, body);
    ask->failed = 0;
    uv_timer_start(&ask->timer, on_timer, timeout_ms, 0);
    client_send(ask);
}

void http_client_get(struct http_client *ask, const char *path, uint64_t timeout_ms)
{
    http_client_send(ask, "GET", path, NULL, timeout_ms);
}

void http_client_post(struct http_client *ask, const char *path, uint64_t timeout_ms)
{
    static const struct http_client_body nothing;

    http_client_send(ask, "POST", path, &nothing, timeout_ms);
}

void http_client_post_body(struct http_client *ask, const char *path,
                           const struct http_client_body *body, uint64_t timeout_ms)
{
    http_client_send(ask, "POST", path, body, timeout_ms);
}

const char *http_client_why(const struct http_client *ask)
{
    return ask->why;
}

bool http_client_busy(const struct http_client *ask)
{
    return ask->busy;
}

static void on_timer_closed(uv_handle_t *handle)
{
    struct http_client *ask = handle->data;

    mem_wiped_free(ask->body, ask->size);
    http_head_free(ask->head);
    free(ask);
}

void http_client_close(struct http_client *ask)
{
    if (ask == NULL)
        return;
    loop_assert_owner(ask->loop);
    assert(!ask->closed);
    ask->closed = true;
    ask->busy = false;
    msg_unref(ask->request);
    ask->request = NULL;
    client_drop_link(ask);
    uv_close((uv_handle_t *)&ask->timer, on_timer_closed);
}
