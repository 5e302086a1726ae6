#include "common/base/log.h"
#include "common/base/saturate.h"
#include "common/http/http.h"
#include "common/http/internal.h"
#include "common/net/address.h"
#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define BACKLOG          1024
#define ACCEPTS_PER_TURN 64
/* A connection may be closed for others after so long without a request: */
#define UNASKED_MS    200  /* if it never sent one */
#define UNUSED_MS     1000 /* if it has sent some */
#define UNASKED_FIRST (1ULL << 40)
#define TRIM_FROM     (4 << 20)
/* After so long, who reads his answer slower than this may be closed for others: */
#define SLOW_MS           1000
#define SLOW_BYTES_PER_MS 128

static void on_readable(uv_poll_t *listener, int status, int events);

static void poll_all(struct http_server *server, bool on)
{
    for (int i = 0; i < server->n_fds; i++) {
        if (on)
            uv_poll_start(&server->listeners[i], UV_READABLE, on_readable);
        else
            uv_poll_stop(&server->listeners[i]);
    }
}

static bool reads_slowly(const struct http_conn *conn, uint64_t now);

/* The tick runs while there are connections, or while accepting is paused. */
static void on_tick(uv_timer_t *tick)
{
    struct http_server *server = tick->data;
    struct http_conn *conn, *next;
    uint64_t now = loop_now_ms(server->loop);
    for (conn = LIST_FIRST(&server->conns); conn != NULL; conn = next) {
        next = LIST_NEXT(conn, link); /* neither removes another connection */
        if (conn->due_ms != 0 && conn->due_ms <= now) {
            http_conn_expire(conn);
        } else if (!http_server_has_room(server) && reads_slowly(conn, now)) {
            server->stats.unread++;
            http_conn_close(conn);
        }
    }
    if (server->full && server->listening)
        poll_all(server, true);
    server->full = false;
    if (server->n_conns == 0)
        uv_timer_stop(&server->tick);
}

/* Stops accepting until the next tick. Further connections wait in the kernel's queue. */
static void pause_accepting(struct http_server *server)
{
    server->full = true;
    poll_all(server, false);
    if (server->n_conns == 0)
        uv_timer_start(&server->tick, on_tick, HTTP_TICK_MS, HTTP_TICK_MS);
}

void http_server_add(struct http_server *server, struct http_conn *conn)
{
    LIST_INSERT_HEAD(&server->conns, conn, link);
    if (server->n_conns++ == 0)
        uv_timer_start(&server->tick, on_tick, HTTP_TICK_MS, HTTP_TICK_MS);
}

void http_server_del(struct http_server *server, struct http_conn *conn)
{
    LIST_REMOVE(conn, link);
    server->n_conns--;
}

/* After an attack, or a rush, what was freed goes back to the kernel. */
static void note_memory(struct http_server *server)
{
    int64_t now = server->held + server->heads + server->answers;
    if (now > server->most_held)
        server->most_held = now;
    if (server->most_held < TRIM_FROM || now > server->most_held / 8)
        return;
    server->most_held = now;
    mem_trim_soon();
}

void http_server_add_held(struct http_server *server, int64_t by)
{
    server->held += by;
    note_memory(server);
}

bool http_server_hold(struct http_server *server, int64_t by)
{
    int64_t most = server->options.max_held;
    if (by > 0 && most > 0 && server->held + by > most)
        return false;
    http_server_add_held(server, by);
    return true;
}

/* The connection whose head has been incomplete for the longest. */
static struct http_conn *slowest_head(const struct http_server *server)
{
    struct http_conn *conn, *slowest = NULL;
    LIST_FOREACH(conn, &server->conns, link) {
        if (conn->head_held > 0 && (slowest == NULL || conn->due_ms <= slowest->due_ms))
            slowest = conn;
    }
    return slowest;
}

void http_server_hold_head(struct http_server *server, int64_t by)
{
    int64_t most = server->options.max_heads > 0 ? server->options.max_heads : HTTP_MAX_HEADS;
    server->heads += by;
    note_memory(server);
    while (by > 0 && server->heads > most) {
        server->stats.gave_way++;
        http_conn_give_way(slowest_head(server));
    }
}

static int64_t most_answers(const struct http_server *server)
{
    return server->options.max_answers > 0 ? server->options.max_answers : HTTP_MAX_ANSWERS;
}

bool http_server_has_room(const struct http_server *server)
{
    return server->answers < most_answers(server);
}

void http_server_hold_answer(struct http_server *server, int64_t by)
{
    bool had_room = http_server_has_room(server);
    server->answers += by;
    note_memory(server);
    if (!had_room && http_server_has_room(server) && server->options.room != NULL)
        server->options.room(server->options.arg);
}

/* Does the client read its answer so slowly that many like it would keep all room? */
static bool reads_slowly(const struct http_conn *conn, uint64_t now)
{
    uint64_t took = now - conn->answered_ms;
    size_t left = uv_stream_get_write_queue_size((const uv_stream_t *)&conn->tcp);
    if (conn->tls != NULL)
        left += http_tls_unsent(conn);
    size_t read = saturate_sub(conn->unwritten_len, left);
    return conn->unwritten_len > 0 && took >= SLOW_MS && read < took * SLOW_BYTES_PER_MS;
}

int64_t http_server_held(const struct http_server *server)
{
    return server->held;
}

int64_t http_server_answers(const struct http_server *server)
{
    return server->answers;
}

void http_server_unref(struct http_server *server)
{
    if (--server->handles > 0)
        return;
    free(server->plain);
    free(server);
}

/* How long a connection has been without a request, by its deadline; 0: it has one. */
static uint64_t unused_ms(const struct http_conn *conn, uint64_t now)
{
    const struct http_options *options = &conn->server->options;
    bool unasked = conn->state == HTTP_CONN_NEW;
    if (!unasked && (conn->state != HTTP_CONN_IDLE || http_buffer_len(&conn->stash) > 0))
        return 0;
    uint64_t since =
        conn->due_ms - (uint64_t)(unasked ? options->header_timeout_ms : options->idle_timeout_ms);
    return conn->due_ms == 0 ? 0 : saturate_sub(now, since);
}

/* Closes one connection so that another can come in. First choice: the oldest that never sent a
 * request. Second choice: the one whose last request is the longest ago. A connection that has just
 * come, or was just answered, is kept for UNASKED_MS or UNUSED_MS. False: there is none to
 * close. */
static bool make_room(struct http_server *server)
{
    struct http_conn *conn, *victim = NULL;
    uint64_t now = loop_now_ms(server->loop), most = 0;
    LIST_FOREACH(conn, &server->conns, link) {
        bool unasked = conn->state == HTTP_CONN_NEW;
        uint64_t unused = unused_ms(conn, now);
        if (unused < (unasked ? UNASKED_MS : UNUSED_MS))
            continue;
        uint64_t rank = unasked ? unused + UNASKED_FIRST : unused;
        if (rank > most) {
            most = rank;
            victim = conn;
        }
    }
    if (victim == NULL)
        return false;
    server->stats.gave_way++;
    http_conn_close(victim);
    return true;
}

/* Does a connection wait to be accepted? Otherwise none has to be closed. */
static bool somebody_waits(int listener)
{
    struct pollfd look = {.fd = listener, .events = POLLIN};
    return poll(&look, 1, 0) == 1;
}

/* Accepts one connection. True: there may be more. */
static bool accept_one(struct http_server *server, int listener)
{
    struct sockaddr_storage address = {0};
    socklen_t len = sizeof(address);
    char peer[HTTP_PEER_MAX] = "";
    bool full = server->n_conns >= server->max_conns;
    if (full && !somebody_waits(listener))
        return false;
    if (full && !make_room(server)) {
        pause_accepting(server);
        server->stats.full++;
        log_warn("http connections full", "port=%d limit=%zu; further ones wait", server->port,
                 server->max_conns);
        return false;
    }
    int fd = accept4(listener, (struct sockaddr *)&address, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) {
        int err = errno;
        if (err == EAGAIN || err == EINTR || err == ECONNABORTED)
            return err != EAGAIN;
        server->stats.accept_errors++;
        pause_accepting(server); /* no descriptors or memory: trying again at once would not help */
        log_warn("cannot accept", "port=%d err=\"%s\"; trying again", server->port,
                 uv_strerror(-err));
        return false;
    }
    endpoint_ip((struct sockaddr *)&address, peer, sizeof(peer));
    http_conn_open(server, fd, peer);
    return true;
}

static void on_readable(uv_poll_t *listener, int status, int events)
{
    struct http_server *server = listener->data;
    int fd = server->fds[listener - server->listeners];
    (void)status;
    (void)events;
    for (int i = 0; i < ACCEPTS_PER_TURN && accept_one(server, fd); i++)
        continue;
}

int http_server_open(struct loop *loop, const struct http_options *options,
                     struct http_server **out)
{
    loop_assert_owner(loop);
    struct http_server *server = mem_zalloc(sizeof(*server));
    int err;
    server->loop = loop;
    server->options = *options;
    if (options->tls != NULL)
        server->plain = mem_alloc(HTTP_READ_SIZE);
    server->options.address = NULL; /* the text is valid only during this call */
    server->max_conns = options->max_conns > 0 ? (size_t)options->max_conns : HTTP_MAX_CONNS;
    err = listen_open(options->address, BACKLOG, server->fds);
    if (err < 0)
        goto free_server;
    server->n_fds = err;
    server->port = listen_port(server->fds[0]);
    for (int i = 0; i < server->n_fds; i++) {
        err = uv_poll_init(&loop->uv, &server->listeners[i], server->fds[i]);
        assert(err == 0); /* FDS are non-blocking sockets */
        server->listeners[i].data = server;
    }
    uv_timer_init(&loop->uv, &server->tick);
    server->tick.data = server;
    server->handles = (unsigned)server->n_fds + 1;
    poll_all(server, true);
    server->listening = true;
    *out = server;
    return 0;

free_server:
    free(server->plain);
    free(server);
    return err;
}

int http_server_port(const struct http_server *server)
{
    return server->port;
}

size_t http_server_pending(const struct http_server *server)
{
    loop_assert_owner(server->loop);
    return server->pending;
}

void http_server_stats(const struct http_server *server, struct http_stats *out)
{
    loop_assert_owner(server->loop);
    *out = server->stats;
    out->connections = server->n_conns;
}

void http_server_drain(struct http_server *server)
{
    struct http_conn *conn, *next;

    loop_assert_owner(server->loop);
    if (!server->listening)
        return;
    server->listening = false;
    server->draining = true;
    poll_all(server, false);
    listen_close(server->fds, server->n_fds);
    for (conn = LIST_FIRST(&server->conns); conn != NULL; conn = next) {
        next = LIST_NEXT(conn, link);
        bool idle = conn->state == HTTP_CONN_IDLE && http_buffer_len(&conn->stash) == 0;
        if (conn->state == HTTP_CONN_NEW || idle)
            http_conn_close(conn);
    }
}

static void on_handle_closed(uv_handle_t *handle)
{
    http_server_unref(handle->data);
}

void http_server_close(struct http_server *server)
{
    struct http_request *request;

    if (server == NULL)
        return;
    loop_assert_owner(server->loop);
    http_server_drain(server);
    while (!LIST_EMPTY(&server->conns))
        http_conn_close(LIST_FIRST(&server->conns));
    LIST_FOREACH(request, &server->requests, link) /* their handlers still answer them */
        request->server = NULL;
    for (int i = 0; i < server->n_fds; i++)
        uv_close((uv_handle_t *)&server->listeners[i], on_handle_closed);
    uv_close((uv_handle_t *)&server->tick, on_handle_closed);
}
