/*   http_client_get() ─► no link: connect ─► write ─► read ─► parser ─► answered() ─► fn
 *                     └─► kept link ─────────┘          │
 *                              └─ ended before a byte came: once more, on a new link
 *
 * A link is one connection. A link that was given up frees itself when its handle has closed. */
#include "common/http/client.h"
#include "common/base/mem.h"
#include "common/http/parser.h"
#include "common/net/address.h"
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { READ_SIZE = 4096, HOST_MAX = 64 };

struct http_link {
    uv_tcp_t tcp;
    uv_connect_t connect;
    uv_write_t write;
    struct http_client *ask; /* NULL: given up */
    struct http_parser *parse;
    char *request; /* its bytes, until they are written */
    bool used;     /* an earlier request was answered on it */
    bool heard;    /* a byte of the answer to this request has come */
    char in[READ_SIZE];
};

struct http_client {
    struct loop *loop;
    struct sockaddr_storage address;
    char host[HOST_MAX];
    http_client_fn fn;
    void *arg;
    struct http_link *link;
    uv_timer_t timer;
    char *path;
    bool post; /* the method */
    bool busy, closed;
    int failed; /* why no link could be opened; the timer tells the caller */
    int status;
    bool complete, keep;
    char body[HTTP_CLIENT_MAX];
    size_t len;
};

static void client_send(struct http_client *ask);

/* --- one connection --- */

static void link_on_closed(uv_handle_t *handle)
{
    struct http_link *link = handle->data;

    http_parser_free(link->parse);
    free(link->request);
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
    if (status < 0)
        client_drop_link(ask);
    ask->fn(status, ask->body, status < 0 ? 0 : ask->len, ask->arg);
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
    http_head_free(head);
    return 0;
}

static int on_body(void *arg, const char *data, size_t len)
{
    struct http_client *ask = ((struct http_link *)arg)->ask;

    if (len > sizeof ask->body - ask->len)
        return -1;
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

    if (ask->keep && !more) {
        http_parser_resume(link->parse);
        link->used = true;
        link->heard = false;
    } else {
        client_drop_link(ask);
    }
    client_finish(ask, ask->status);
}

static void link_feed(struct http_link *link, size_t len)
{
    struct http_client *ask = link->ask;
    size_t used;

    ask->complete = false;
    enum http_parser_result result = http_parser_feed(link->parse, link->in, len, &used);
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

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
    struct http_link *link = stream->data;

    (void)buf;
    if (link->ask == NULL || n == 0)
        return;
    if (n == UV_EOF && link->heard && link_ended(link))
        return;
    if (n < 0) {
        link_broken(link, (int)n);
    } else if (!link->ask->busy) {
        client_drop_link(link->ask);
    } else {
        link->heard = true;
        link_feed(link, (size_t)n);
    }
}

static void on_written(uv_write_t *write, int status)
{
    struct http_link *link = write->data;

    free(link->request);
    link->request = NULL;
    if (status != 0 && link->ask != NULL)
        link_broken(link, status);
}

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

static void link_write(struct http_link *link)
{
    static const char get[] = "GET %s HTTP/1.1\r\nHost: %s\r\nAccept: */*\r\n\r\n";
    static const char post[] =
        "POST %s HTTP/1.1\r\nHost: %s\r\nAccept: */*\r\nContent-Length: 0\r\n\r\n";
    struct http_client *ask = link->ask;
    const char *form = ask->post ? post : get;
    size_t size = strlen(form) + strlen(ask->path) + sizeof ask->host;

    free(link->request);
    link->request = mem_alloc(size);
    int len = ask->post ? snprintf(link->request, size, post, ask->path, ask->host)
                        : snprintf(link->request, size, get, ask->path, ask->host);
    uv_buf_t buf = uv_buf_init(link->request, (unsigned)len);
    link->write.data = link;
    int err = uv_write(&link->write, (uv_stream_t *)&link->tcp, &buf, 1, on_written);
    if (err != 0)
        client_fail_later(ask, err);
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
    link->tcp.data = link->connect.data = link;
    uv_tcp_init(&ask->loop->uv, &link->tcp);
    uv_tcp_nodelay(&link->tcp, 1);
    int err =
        uv_tcp_connect(&link->connect, &link->tcp, (struct sockaddr *)&ask->address, on_connected);
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
    ask->fn = fn;
    ask->arg = arg;
    uv_timer_init(&loop->uv, &ask->timer);
    ask->timer.data = ask;
    return ask;
}

static void client_begin(struct http_client *ask, bool post, const char *path, uint64_t timeout_ms)
{
    assert(!ask->busy && !ask->closed);
    ask->busy = true;
    ask->post = post;
    free(ask->path);
    ask->path = mem_strdup(path);
    ask->failed = 0;
    uv_timer_start(&ask->timer, on_timer, timeout_ms, 0);
    client_send(ask);
}

void http_client_get(struct http_client *ask, const char *path, uint64_t timeout_ms)
{
    loop_assert_owner(ask->loop);
    client_begin(ask, false, path, timeout_ms);
}

void http_client_post(struct http_client *ask, const char *path, uint64_t timeout_ms)
{
    loop_assert_owner(ask->loop);
    client_begin(ask, true, path, timeout_ms);
}

bool http_client_busy(const struct http_client *ask)
{
    return ask->busy;
}

static void on_timer_closed(uv_handle_t *handle)
{
    struct http_client *ask = handle->data;

    free(ask->path);
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
    client_drop_link(ask);
    uv_close((uv_handle_t *)&ask->timer, on_timer_closed);
}
