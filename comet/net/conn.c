/* listener ─► conn_accept ─► poller ─► conn_on_event ─► conn_write_flush, conn_read_ready
 *                                          └─ error, end ─► conn_close ─┐
 *             conn_break, conn_opened, … ─────────────────────► chain ◄─┘
 *                                  conn_attend_all, at the end of the turn; closed: freed
 */
#include "comet/net/client_address.h"
#include "comet/net/conn_internal.h"
#include "comet/net/conn_rate.h"
#include "comet/net/conn_read.h"
#include "comet/net/conn_tls.h"
#include "comet/net/end_log.h"
#include "comet/net/handle_table.h"
#include "comet/net/passed_headers.h"
#include "comet/net/sendq.h"
#include "comet/wire/ws_frame.h"
#include "comet/wire/ws_reader.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    HEARD_SHIFT = 8,      /* last_heard is in units of 256 ms */
    PING_SLACK_MS = 600,  /* conn_silence() may be too low by so much, the wheel early */
    STRANGER_FREE = 1024, /* bytes that every client may have kept, whatever conn.strangers says */
};

/* All loops count connections together, because conn.max is a limit of the process. They count once
 * per accept and close, never per message. */
static _Atomic int64_t total;

int64_t conn_total(void)
{
    return atomic_load_explicit(&total, memory_order_relaxed);
}

/* Bytes kept for clients that have not authenticated, over all loops. Anybody may open many such
 * connections, so conn.strangers limits their sum. */
static _Atomic int64_t strangers;

bool conn_keep(struct conn *conn, size_t bytes)
{
    loop_assert_owner(&conn->worker->loop);
    int64_t by = (int64_t)bytes - (int64_t)conn->kept;
    if (by == 0)
        return true;
    conn->kept = (uint32_t)bytes;
    conn_count(conn, COMET_STRANGER_BYTES, by);
    int64_t all = atomic_fetch_add_explicit(&strangers, by, memory_order_relaxed) + by;
    return by < 0 || bytes <= STRANGER_FREE || all <= conn->worker->config->strangers;
}

void conn_on_event(void *socket, uint32_t events)
{
    struct conn *conn = socket;
    if ((events & EPOLLERR) != 0 || conn->broken) {
        conn_close(conn);
        return;
    }
    if ((events & EPOLLOUT) != 0)
        conn_write_flush(conn);
    if ((events & (EPOLLRDHUP | EPOLLHUP)) != 0 && conn->paused)
        conn_close(conn);
    else if ((events & (EPOLLIN | EPOLLHUP)) != 0 && (conn->polled & EPOLLIN) != 0 && !conn->broken)
        conn_read_ready(conn);
}

void conn_poll_update(struct conn *conn)
{
    uint32_t events = 0;
    if (conn->state == CONN_CLOSED)
        return;
    if (!conn->eof)
        events |= conn->paused ? EPOLLRDHUP : EPOLLIN;
    conn->writable_armed = conn->out != NULL || (conn->tls != NULL && conn_tls_has_output(conn));
    if (conn->writable_armed)
        events |= EPOLLOUT;
    if (poller_set(conn_frontend(conn)->poller, conn->fd, conn, conn->polled, events) == 0)
        conn->polled = (uint16_t)events;
    else
        conn_break(conn);
}

struct conn *conn_accept(struct frontend *frontend, int fd, bool is_ws)
{
    loop_assert_owner(&frontend->worker->loop);
    struct worker *worker = frontend->worker;
    struct conn *conn = slab_alloc(frontend->conns);
    if (poller_set(frontend->poller, fd, conn, 0, EPOLLIN) != 0) {
        /* The descriptor cannot be polled, so no word of ours could be flushed to the peer. */
        slab_free(frontend->conns, conn);
        close(fd);
        return NULL;
    }
    conn->polled = EPOLLIN;
    conn->worker = worker;
    conn->fd = fd;
    conn->is_ws = is_ws;
    conn->state = conn->is_ws ? CONN_HANDSHAKE : CONN_AUTH;
    conn->wire = conn->is_ws ? WIRE_WS_JSON : WIRE_TCP;
    LIST_INSERT_HEAD(&frontend->live, conn, link);
    frontend->n_conns++;
    atomic_fetch_add_explicit(&total, 1, memory_order_relaxed);
    conn_count(conn, COMET_CONNECTIONS, 1);
    wheel_set(frontend->wheel, &conn->timer, (uint64_t)worker->config->handshake_ms);
    conn_heard(conn);
    conn_checked(conn);
    return conn;
}

/* --- deadlines --- */

void conn_heard(struct conn *conn)
{
    conn->last_heard = (uint32_t)(loop_now_ms(&conn->worker->loop) >> HEARD_SHIFT);
}

uint64_t conn_silence(const struct conn *conn)
{
    uint32_t now = (uint32_t)(loop_now_ms(&conn->worker->loop) >> HEARD_SHIFT);
    uint32_t units = now - conn->last_heard;
    return units == 0 || conn->held != 0 ? 0 : (uint64_t)(units - 1) << HEARD_SHIFT;
}

/* The silence in ms after which a WebSocket session is pinged; UINT64_MAX: never. A quarter of it
 * is random, so that sessions that came together are not pinged together. */
static uint64_t ping_after(const struct conn *conn)
{
    uint64_t ping_ms = (uint64_t)conn->worker->config->ping_ms;
    uint64_t mixed = (conn->handle ^ conn->last_heard) * 0x9e3779b97f4a7c15U >> 40;
    if (ping_ms == 0 || !conn->is_ws)
        return UINT64_MAX;
    return ping_ms - mixed * (ping_ms / 4) / (1U << 24);
}

/* A connection with a queue gets no ping: what it is being sent keeps proxies from closing it. */
static void send_ping(struct conn *conn)
{
    uint8_t ping[] = {0x80 | WS_OP_PING, 0};
    struct iovec iov = {ping, sizeof ping};
    if (conn_has_queued(conn))
        return;
    conn_count(conn, COMET_PINGS, 1);
    conn_write(conn, &iov, 1, TICKET_NONE);
}

/* A sign of life only notes the time. When the timer fires, it is set again for what is left. */
static void check_heartbeat(struct conn *conn)
{
    uint64_t limit = (uint64_t)conn->worker->config->heartbeat_ms, silent = conn_silence(conn);
    if (silent < limit) {
        uint64_t ping = ping_after(conn), left = limit - silent;
        bool due = ping != UINT64_MAX && silent + PING_SLACK_MS >= ping;
        if (due)
            send_ping(conn);
        ping -= due || ping == UINT64_MAX ? 0 : silent;
        wheel_set(conn_frontend(conn)->wheel, &conn->timer, ping < left ? ping : left);
        return;
    }
    char why[80];
    (void)snprintf(why, sizeof why, "no heartbeat for %llu ms", (unsigned long long)limit);
    conn_kick(conn, CLOSE_HEARTBEAT_MISSED, why);
}

void conn_on_timer(struct wheel *wheel, struct wheel_timer *timer)
{
    struct conn *conn = container_of(timer, struct conn, timer);
    if (conn->broken || conn->state == CONN_CLOSING || client_address_is_late(conn))
        conn_close(conn);
    else if (conn->state == CONN_OPEN)
        check_heartbeat(conn);
    else if (conn->held != 0) /* it has done its part, and waits for us */
        wheel_set(wheel, timer, (uint64_t)conn->worker->config->handshake_ms);
    else
        conn_kick(conn, CLOSE_HANDSHAKE_TIMEOUT,
                  conn->state == CONN_HANDSHAKE    ? "the WebSocket handshake took too long"
                  : conn->state == CONN_CONNECTING ? "the service did not answer in time"
                                                   : "no auth (operation 7) in time");
}

/* --- changes of state --- */

void conn_upgraded(struct conn *conn)
{
    assert(conn->state == CONN_HANDSHAKE);
    conn->state = CONN_AUTH;
    conn_checked(conn);
}

static void chain(struct conn *conn)
{
    struct frontend *frontend = conn_frontend(conn);
    if (conn->chained)
        return;
    conn->chained = true;
    conn->chain = frontend->chain;
    frontend->chain = conn;
    loop_defer(&conn->worker->loop, &frontend->attend);
}

void conn_read_later(struct conn *conn)
{
    if (!conn->paused && conn->in == NULL)
        return;
    conn->resume = true;
    chain(conn);
}

void conn_opened(struct conn *conn)
{
    loop_assert_owner(&conn->worker->loop);
    assert(conn->state == CONN_CONNECTING);
    conn->state = CONN_OPEN;
    conn_keep(conn, 0);
    conn_rate_begin(conn);
    conn_heard(conn);
    conn->opened = conn->last_heard;
    check_heartbeat(conn);
    conn_read_later(conn);
    conn_checked(conn);
}

uint64_t conn_open_ms(const struct conn *conn)
{
    uint32_t now = (uint32_t)(loop_now_ms(&conn->worker->loop) >> HEARD_SHIFT);

    return (uint64_t)(now - conn->opened) << HEARD_SHIFT;
}

void conn_hold(struct conn *conn, enum conn_holder holder)
{
    loop_assert_owner(&conn->worker->loop);
    assert(conn->state == CONN_OPEN || conn->state == CONN_CONNECTING);
    if (holder == HELD_BY_UPSTREAM && (conn->held & holder) == 0)
        conn_count(conn, COMET_UPSTREAM_HELD, 1);
    conn->held = (unsigned)(conn->held | holder) & HELD_BY_ANY;
}

void conn_let_go(struct conn *conn, enum conn_holder holder)
{
    loop_assert_owner(&conn->worker->loop);
    if ((conn->held & holder) == 0)
        return;
    if ((conn->held & holder & HELD_BY_UPSTREAM) != 0)
        conn_count(conn, COMET_UPSTREAM_HELD, -1);
    conn->held = (unsigned)(conn->held & ~holder) & HELD_BY_ANY;
    if (conn->held != 0)
        return;
    conn_heard(conn);
    if (conn->state != CONN_CLOSED)
        conn_read_later(conn);
    conn_checked(conn);
}

void conn_replace(struct conn *conn, const char *reason)
{
    loop_assert_owner(&conn->worker->loop);
    conn_kick(conn, CLOSE_REPLACED, reason);
    conn_break(conn);
}

void conn_note_drained(struct conn *conn)
{
    conn->drained = true;
    chain(conn);
}

void conn_break(struct conn *conn)
{
    conn->broken = true;
    chain(conn);
}

/* --- the end --- */

void conn_close(struct conn *conn)
{
    loop_assert_owner(&conn->worker->loop);
    struct frontend *frontend = conn_frontend(conn);
    if (conn->state == CONN_CLOSED)
        return;
    bool leaves = conn->state < CONN_CLOSING;
    conn->state = CONN_CLOSED;
    conn->paused = false;
    conn_let_go(conn, HELD_BY_ANY);
    wheel_cancel(frontend->wheel, &conn->timer);
    if (leaves)
        frontend->events->leaving(conn);
    conn_write_drop(conn);
    msg_unref(conn->in);
    conn->in = NULL;
    ws_free(conn->ws);
    conn->ws = NULL;
    passed_headers_drop(conn);
    conn_keep(conn, 0);
    LIST_REMOVE(conn, link);
    conn_count(conn, conn->by_us ? COMET_CLOSED_BY_US : COMET_CLOSED_BY_PEER, 1);
    end_log(conn);
    frontend->events->closed(conn);
    if (conn->tls != NULL)
        conn_tls_end(conn);
    poller_forget(frontend->poller, conn);
    client_address_closed(conn);
    close(conn->fd);
    frontend->n_conns--;
    conn_count(conn, COMET_CONNECTIONS, -1);
    atomic_fetch_sub_explicit(&total, 1, memory_order_relaxed);
    chain(conn); /* freed at the end of the turn: callers may still look at it */
    conn_checked(conn);
}

static void attend(struct conn *conn)
{
    bool resume = conn->resume, drained = conn->drained;
    conn->resume = false;
    conn->drained = false;
    if (conn->state == CONN_CLOSED) {
        slab_free(conn_frontend(conn)->conns, conn);
        return;
    }
    if (conn->broken) {
        conn_close(conn);
        return;
    }
    if (drained && conn->state == CONN_OPEN && conn->out == NULL)
        conn_frontend(conn)->events->drained(conn);
    if (resume && conn->state >= CONN_OPEN && !conn->broken && conn->held == 0)
        conn_read_resume(conn);
}

void conn_attend_all(struct loop *loop, struct loop_task *task)
{
    struct frontend *frontend = container_of(task, struct frontend, attend);
    struct conn *conn = frontend->chain;
    (void)loop;
    frontend->chain = NULL;
    while (conn != NULL) {
        struct conn *next = conn->chain;
        conn->chain = NULL;
        conn->chained = false; /* it may be chained again, for the next turn */
        attend(conn);
        conn = next;
    }
}

/* --- looking at it --- */

void conn_peer(const struct conn *conn, char *out, size_t len)
{
    char text[IP_TEXT_MAX] = "?";
    struct ip ip;
    if (client_address_get(conn, &ip))
        ip_text(&ip, text);
    (void)snprintf(out, len, "%s", text);
}

static void check_transport(const struct conn *conn)
{
    if (!conn->is_ws) {
        assert(conn->wire == WIRE_TCP || conn->wire == WIRE_GOIM_TCP);
        assert(conn->state != CONN_HANDSHAKE);
        assert(conn->ws == NULL && !conn->close_sent);
    }
    assert(conn->out == NULL || (conn->out->conn == conn && conn->writable_armed));
}

static void check_closed(const struct conn *conn)
{
    assert(conn->out == NULL && conn->in == NULL && conn->ws == NULL && !conn->passes);
    assert(conn->main.room == NULL && conn->seats == NULL);
    assert(conn->handle == 0 && conn->kept == 0 && conn->goim == NULL && conn->tls == NULL);
}

void conn_check(const struct conn *conn)
{
    bool closed = conn->state == CONN_CLOSED;
    assert(conn->worker != NULL && conn->fd >= 0);
    assert(wheel_is_set(&conn->timer) == !closed);
    assert(conn->handle == 0 || handle_table_find(conn->worker->table, conn->handle) == conn);
    if (conn->state == CONN_OPEN)
        assert(conn->handle != 0 && conn->kept == 0);
    else
        assert(conn->held == 0 || conn->state == CONN_CONNECTING);
    if (conn->state < CONN_CLOSING)
        assert(!conn->close_sent && !conn->shut && !conn->eof);
    if (conn->main.room != NULL || conn->seats != NULL || conn->paused)
        assert(conn->state == CONN_OPEN || conn->state == CONN_CONNECTING);
    check_transport(conn);
    if (closed)
        check_closed(conn);
}
