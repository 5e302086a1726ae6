#include "common/http/internal.h"
#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define WHY_MAX    160
#define UNSENT_MAX 65536 /* of an answer, with the kernel */

const char http_too_much[] = "too many requests at a time: try again";
static char continue_line[] = "HTTP/1.1 100 Continue\r\n\r\n";

static void set_due(struct http_conn *conn, int64_t ms)
{
    conn->due_ms = ms > 0 ? loop_now_ms(conn->server->loop) + (uint64_t)ms : 0;
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    struct http_conn *conn = handle->data;
    (void)suggested;
    *buf = uv_buf_init(conn->server->in, sizeof(conn->server->in));
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf);

static void set_reading(struct http_conn *conn, bool reading)
{
    if (conn->reading == reading || conn->state == HTTP_CONN_CLOSED)
        return;
    conn->reading = reading;
    if (reading)
        uv_read_start((uv_stream_t *)&conn->tcp, on_alloc, on_read);
    else
        uv_read_stop((uv_stream_t *)&conn->tcp);
}

/* The connection ends. If a handler has the request, it will still answer, and the answer is
 * dropped. If no handler has it, the request is freed. */
static void detach(struct http_conn *conn)
{
    struct http_request *request = conn->request;
    conn->request = NULL;
    if (request == NULL)
        return;
    if (request->dispatched)
        request->conn = NULL;
    else
        http_request_free(request);
}

/* Counts HELD, the bytes that the parser keeps of an incomplete head. */
static void count_head(struct http_conn *conn, size_t held)
{
    int64_t by = (int64_t)held - (int64_t)conn->head_held;
    conn->head_held = held;
    if (by != 0)
        http_server_hold_head(conn->server, by); /* may close CONN itself */
}

static void unstash(struct http_conn *conn, size_t n);

/* The rest of an answer is the connection's, until the kernel has taken it. */
static void keep_answer(struct http_conn *conn, char *text, size_t len)
{
    conn->unwritten = text;
    conn->unwritten_len = len;
    conn->answered_ms = loop_now_ms(conn->server->loop);
    http_server_hold_answer(conn->server, (int64_t)len);
}

static void drop_answer(struct http_conn *conn)
{
    size_t len = conn->unwritten_len;
    mem_wiped_free(conn->unwritten, len);
    conn->unwritten = NULL;
    conn->unwritten_len = 0;
    http_server_hold_answer(conn->server, -(int64_t)len);
}

static void release(struct http_conn *conn)
{
    http_tls_free(conn);
    http_parser_free(conn->parse);
    unstash(conn, http_buffer_len(&conn->stash));
    http_server_unref(conn->server);
    free(conn);
}

static void on_closed(uv_handle_t *handle)
{
    struct http_conn *conn = handle->data;
    if (conn->resume.queued)
        conn->freed_late = true;
    else
        release(conn);
}

void http_conn_close(struct http_conn *conn)
{
    if (conn->state == HTTP_CONN_CLOSED)
        return;
    if (conn->tls != NULL)
        http_tls_part(conn);
    conn->state = HTTP_CONN_CLOSED;
    conn->due_ms = 0;
    detach(conn);
    count_head(conn, 0);
    drop_answer(conn); /* libuv does not look at it any more */
    http_server_del(conn->server, conn);
    uv_close((uv_handle_t *)&conn->tcp, on_closed);
}

static void on_shut(uv_shutdown_t *shutdown, int status)
{
    (void)shutdown;
    (void)status;
}

void http_conn_shut(struct http_conn *conn)
{
    uv_shutdown(&conn->shutdown, (uv_stream_t *)&conn->tcp, on_shut);
}

/* The last answer was sent. A close with unread bytes makes the kernel reset the connection, and
 * the client could lose the answer. So we shut down our side and read on, until the client has
 * closed, HTTP_LINGER_MS are over, or HTTP_LINGER_BYTES have come. */
static void linger(struct http_conn *conn)
{
    if (conn->eof) {
        http_conn_close(conn);
        return;
    }
    conn->state = HTTP_CONN_LINGER;
    set_due(conn, HTTP_LINGER_MS);
    set_reading(conn, true);
    if (conn->tls != NULL)
        http_tls_shut(conn); /* may close CONN */
    else
        http_conn_shut(conn);
}

/* Keeps bytes that belong to a later request. */
static void stash(struct http_conn *conn, const char *data, size_t len)
{
    if (!http_server_hold(conn->server, (int64_t)len)) {
        http_conn_close(conn);
        return;
    }
    http_buffer_append(&conn->stash, data, len);
    if (http_buffer_len(&conn->stash) >= HTTP_MAX_STASH)
        set_reading(conn, false);
}

/* Drops the first N bytes of the stash: the parser has taken them. */
static void unstash(struct http_conn *conn, size_t n)
{
    http_buffer_take(&conn->stash, n);
    http_server_add_held(conn->server, -(int64_t)n);
}

/* The request was answered. What the client sent meanwhile is parsed in the next turn of the loop,
 * for two reasons. The handler must not run within http_respond(). And a client that sends
 * thousands of requests at once must not keep the loop to itself. */
static void go_on(struct http_conn *conn)
{
    if (http_buffer_len(&conn->stash) > 0 || conn->eof) {
        loop_defer(conn->server->loop, &conn->resume);
        return;
    }
    http_parser_resume(conn->parse);
    set_reading(conn, true);
}

/* The kernel has taken a whole answer. */
static void written(struct http_conn *conn)
{
    if (conn->last) {
        linger(conn);
        return;
    }
    conn->state = conn->discard ? HTTP_CONN_RECEIVING : HTTP_CONN_IDLE;
    set_due(conn, conn->discard ? conn->server->options.body_timeout_ms
                                : conn->server->options.idle_timeout_ms);
    if (!conn->parsing) /* otherwise the caller of feed() goes on */
        go_on(conn);
}

static void on_written(uv_write_t *write, int status)
{
    struct http_conn *conn = write->data;
    drop_answer(conn);
    if (status != 0)
        http_conn_close(conn);
    if (conn->state == HTTP_CONN_WRITING)
        written(conn);
}

void http_conn_written(struct http_conn *conn)
{
    drop_answer(conn);
    if (conn->state == HTTP_CONN_WRITING)
        written(conn);
}

/* Sends TEXT over TLS. */
static void answer_by_tls(struct http_conn *conn, char *text, size_t len)
{
    keep_answer(conn, text, len);
    conn->state = HTTP_CONN_WRITING;
    set_due(conn, conn->server->options.idle_timeout_ms);
    http_tls_pump(conn);
}

void http_conn_answer(struct http_request *request, char *text, size_t len)
{
    struct http_conn *conn = request->conn;
    uv_buf_t buf = uv_buf_init(text, (unsigned)len);
    conn->last = request->close || conn->server->draining;
    http_request_free(request);
    if (conn->tls != NULL) {
        answer_by_tls(conn, text, len);
        return;
    }
    int n = uv_try_write((uv_stream_t *)&conn->tcp, &buf, 1);
    if (n >= 0 && (size_t)n == len) {
        mem_wiped_free(text, len); /* the answer may hold a new token */
        written(conn);
        return;
    }
    keep_answer(conn, text, len);
    if (n < 0 && n != UV_EAGAIN) {
        http_conn_close(conn);
        return;
    }
    buf = uv_buf_init(text + (n > 0 ? n : 0), (unsigned)(len - (size_t)(n > 0 ? n : 0)));
    conn->state = HTTP_CONN_WRITING;
    set_due(conn, conn->server->options.idle_timeout_ms);
    conn->write.data = conn;
    if (uv_write(&conn->write, (uv_stream_t *)&conn->tcp, &buf, 1, on_written) != 0)
        http_conn_close(conn);
}

static void refuse(struct http_conn *conn, int status, const char *why)
{
    if (conn->request == NULL)
        conn->request = http_request_new(conn);
    if (conn->request->head == NULL)
        conn->request->path = http_parser_path(conn->parse);
    conn->request->close = true;
    http_request_refuse(conn->request, status, why);
}

void http_conn_refuse(struct http_conn *conn, int status, const char *why)
{
    refuse(conn, status, why);
}

static int on_begin(void *arg)
{
    struct http_conn *conn = arg;
    conn->state = HTTP_CONN_RECEIVING;
    set_due(conn, conn->server->options.header_timeout_ms);
    conn->request = http_request_new(conn);
    return 0;
}

/* The request is refused before its body was read. Can we skip the body and keep the connection?
 * Not if the body is long or chunked. Not if the client waits for "100 Continue" either: it may
 * send the body or not. */
static bool can_drain(const struct http_head *head)
{
    return head->keep_alive && !head->chunked && head->length <= HTTP_MAX_DRAIN &&
           http_head_get(head, "expect", 0) == NULL;
}

static void refuse_length(struct http_conn *conn)
{
    char why[WHY_MAX];
    snprintf(why, sizeof(why), "the body is longer than %" PRId64 " bytes",
             conn->server->options.max_body);
    refuse(conn, 413, why);
}

/* Refuses requests whose head is correct, but which we do not serve. */
static void judge_head(struct http_conn *conn, const struct http_head *head)
{
    struct http_request *request = conn->request;
    const struct http_options *options = &conn->server->options;
    if (request->bad_params) {
        http_request_refuse(
            request, 400,
            "malformed request: a control byte in a parameter, or too many parameters");
        return;
    }
    if (options->head != NULL) {
        request->headed = true;
        options->head(request, options->arg);
    }
    if (conn->request != NULL && head->length > (uint64_t)options->max_body)
        refuse_length(conn);
}

static void send_continue(struct http_conn *conn, const struct http_head *head)
{
    const struct http_slice *expect = http_head_get(head, "expect", 0);
    uv_buf_t line = uv_buf_init(continue_line, sizeof(continue_line) - 1);
    if (expect == NULL || head->http_1_0 || strcasecmp(expect->text, "100-continue") != 0)
        return;
    if (conn->tls != NULL)
        http_tls_say(conn, continue_line, sizeof(continue_line) - 1);
    /* If this write fails the client sends the body anyway, after a while. */
    else
        uv_try_write((uv_stream_t *)&conn->tcp, &line, 1);
}

static int on_head(void *arg, struct http_head *head)
{
    struct http_conn *conn = arg;
    struct http_request *request = conn->request;
    char why[WHY_MAX];
    const char *wrong = http_request_head(request, head);
    if (wrong != NULL) {
        snprintf(why, sizeof(why), "malformed request: %s", wrong);
        refuse(conn, 400, why);
        return -1;
    }
    conn->discard = true;
    request->close = !can_drain(head);
    judge_head(conn, head);
    if (conn->request == NULL) /* answered */
        return conn->last || conn->state == HTTP_CONN_CLOSED;
    if (!http_request_hold_head(request)) {
        refuse(conn, 503, http_too_much);
        return -1;
    }
    conn->discard = request->close = false;
    send_continue(conn, head);
    set_due(conn, conn->server->options.body_timeout_ms);
    return 0;
}

static int on_body(void *arg, const char *data, size_t len)
{
    struct http_conn *conn = arg;
    int err = conn->discard ? 0 : http_request_append(conn->request, data, len);
    if (err == -ENOBUFS)
        refuse(conn, 503, http_too_much);
    else if (err != 0)
        refuse_length(conn);
    return err;
}

/* A request is complete. Always pauses the parser: the next request waits for this one's answer,
 * and for another turn of the loop. */
static int on_end(void *arg, bool keep_alive)
{
    struct http_conn *conn = arg;
    if (conn->discard) {
        conn->discard = false;
        if (conn->state == HTTP_CONN_RECEIVING) {
            conn->state = HTTP_CONN_IDLE;
            set_due(conn, conn->server->options.idle_timeout_ms);
        }
        return 1;
    }
    conn->state = HTTP_CONN_HANDLING;
    conn->due_ms = 0;
    conn->request->close = !keep_alive;
    http_request_dispatch(conn->request);
    return 1;
}

static const struct http_parser_events events = {on_begin, on_head, on_body, on_end};

static void refuse_head(struct http_conn *conn, int status, const char *why)
{
    http_parser_drop(conn->parse);
    count_head(conn, 0);
    refuse(conn, status, why);
}

void http_conn_give_way(struct http_conn *conn)
{
    refuse_head(conn, 503, "too many requests are on their way at a time: try again");
}

static void feed_failed(struct http_conn *conn)
{
    char why[WHY_MAX];
    if (conn->discard) { /* it was answered at its head */
        http_conn_close(conn);
        return;
    }
    snprintf(why, sizeof(why), "%s%s",
             http_parser_status(conn->parse) == 400 ? "malformed request: " : "",
             http_parser_why(conn->parse));
    refuse(conn, http_parser_status(conn->parse), why);
}

static bool is_waiting(const struct http_conn *conn)
{
    return conn->state == HTTP_CONN_HANDLING || conn->state == HTTP_CONN_WRITING;
}

/* Parses DATA, up to the end of one request. Returns how many bytes are used up: all of them if the
 * connection takes no further request. */
static size_t feed(struct http_conn *conn, const char *data, size_t len)
{
    size_t used;
    conn->parsing = true;
    enum http_parser_result result = http_parser_feed(conn->parse, data, len, &used);
    conn->parsing = false;
    if (result == HTTP_PARSER_BAD)
        feed_failed(conn);
    if (conn->state != HTTP_CONN_CLOSED)
        count_head(conn, http_parser_held(conn->parse));
    bool more = result == HTTP_PARSER_PAUSED && (is_waiting(conn) || conn->state == HTTP_CONN_IDLE);
    return more ? used : len;
}

/* The client sends no more. Requests that came before are still answered. */
void http_conn_eof(struct http_conn *conn)
{
    conn->eof = true;
    if (is_waiting(conn) || http_buffer_len(&conn->stash) > 0)
        set_reading(conn, false);
    else
        http_conn_close(conn);
}

void http_conn_take(struct http_conn *conn, const char *data, size_t len)
{
    if (conn->state == HTTP_CONN_CLOSED)
        return;
    if (conn->state == HTTP_CONN_LINGER) {
        conn->lingered += len;
        if (conn->lingered > HTTP_LINGER_BYTES)
            http_conn_close(conn);
        return;
    }
    if (is_waiting(conn) || http_buffer_len(&conn->stash) > 0) {
        stash(conn, data, len);
        return;
    }
    size_t used = feed(conn, data, len);
    if (used < len)
        stash(conn, data + used, len - used);
    if (conn->state == HTTP_CONN_IDLE)
        go_on(conn);
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
    struct http_conn *conn = stream->data;
    if (n == UV_EOF) {
        http_conn_eof(conn);
    } else if (n < 0) {
        http_conn_close(conn);
    } else if (n > 0) { /* 0 means EAGAIN to libuv, not the end */
        if (conn->tls != NULL && conn->state != HTTP_CONN_LINGER)
            http_tls_take(conn, buf->base, (size_t)n);
        else
            http_conn_take(conn, buf->base, (size_t)n);
        explicit_bzero(buf->base, (size_t)n); /* all connections share the buffer, and API keys may
                                               * be in it */
    }
}

/* Parses the stash: what came while a request was unanswered, or in one read with it. Takes one
 * request a turn. */
static void run_resume(struct loop *loop, struct loop_task *task)
{
    struct http_conn *conn = container_of(task, struct http_conn, resume);
    const struct http_buffer *later = &conn->stash;
    (void)loop;
    if (conn->freed_late) {
        release(conn);
        return;
    }
    if (conn->state != HTTP_CONN_IDLE && conn->state != HTTP_CONN_RECEIVING)
        return;
    http_parser_resume(conn->parse);
    unstash(conn, feed(conn, http_buffer_at(later), http_buffer_len(later)));
    if (conn->state != HTTP_CONN_IDLE && conn->state != HTTP_CONN_RECEIVING)
        return;
    if (http_buffer_len(later) > 0)
        loop_defer(conn->server->loop, &conn->resume);
    else if (conn->eof)
        http_conn_close(conn);
    else
        go_on(conn);
}

void http_conn_expire(struct http_conn *conn)
{
    switch (conn->state) {
    case HTTP_CONN_NEW:
        if (conn->tls != NULL && !http_tls_is_open(conn))
            http_conn_close(conn); /* the handshake took too long */
        else
            refuse(conn, 408, "no request came in time");
        break;
    case HTTP_CONN_RECEIVING:
        if (conn->discard) {
            http_conn_close(conn);
            break;
        }
        if (conn->request->head != NULL)
            refuse(conn, 408, "the request's body did not arrive in time");
        else
            refuse_head(conn, 408, "the request's headers did not arrive in time");
        break;
    default:
        http_conn_close(conn);
        break;
    }
}

/* What the client does not read shall be ours, and counted, not the kernel's. */
static void limit_unsent(int fd)
{
    int most = UNSENT_MAX;
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &most, sizeof(most));
}

void http_conn_open(struct http_server *server, int fd, const char *peer)
{
    struct http_conn *conn = mem_zalloc(sizeof(*conn));
    conn->server = server;
    conn->resume.run = run_resume;
    snprintf(conn->peer, sizeof(conn->peer), "%s", peer);
    conn->parse = http_parser_new(&events, conn);
    uv_tcp_init(&server->loop->uv, &conn->tcp);
    conn->tcp.data = conn;
    server->handles++;
    http_server_add(server, conn);
    set_due(conn, server->options.header_timeout_ms);
    if (uv_tcp_open(&conn->tcp, fd) != 0) {
        close(fd);
        http_conn_close(conn);
        return;
    }
    uv_tcp_nodelay(&conn->tcp, 1);
    limit_unsent(fd);
    if (server->options.tls != NULL)
        http_tls_open(conn);
    set_reading(conn, true);
}
