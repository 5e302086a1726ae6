/* caller ─► conn_write, conn_write_msg ──nothing queued─► send() ──all taken─► ticket: written
 *                     │ something queued                    │ the rest
 *                     └──────────► sendq ◄──────────────────┘
 *                                    └─► conn_write_flush, when the socket is writable ─► tickets
 *
 * Writing comes before polling: a socket is polled for writability only while something is queued.
 */
#include "comet/net/conn_internal.h"
#include "comet/net/conn_tls.h"
#include "comet/net/sendq.h"
#include "common/protocol/frame.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

enum {
    FLUSH_IOVS = 64,
    FLUSH_CALLS = 4,      /* per turn and connection */
    FLUSH_CALLS_TLS = 32, /* where a call may send a single message */
};

ssize_t conn_write_socket(struct conn *conn, const struct iovec *iov, int n)
{
    ssize_t sent;
    assert(n <= FLUSH_IOVS);
    do {
        if (n == 1) {
            sent = send(conn->fd, iov->iov_base, iov->iov_len, MSG_NOSIGNAL);
        } else {
            struct iovec own[FLUSH_IOVS]; /* the header's type lacks a const */
            memcpy(own, iov, (size_t)n * sizeof *iov);
            struct msghdr header = {.msg_iov = own, .msg_iovlen = (size_t)n};
            sent = sendmsg(conn->fd, &header, MSG_NOSIGNAL);
        }
    } while (sent < 0 && errno == EINTR);
    if (sent < 0)
        return errno == EAGAIN ? 0 : -errno;
    conn_count(conn, COMET_WRITES, 1);
    conn_count(conn, COMET_WRITE_BYTES, sent);
    return sent;
}

static ssize_t send_iov(struct conn *conn, const struct iovec *iov, int n)
{
    if (__builtin_expect(conn->tls != NULL, 0))
        return conn_tls_send(conn, iov, n);
    return conn_write_socket(conn, iov, n);
}

/* --- the queue --- */

static struct sendq *queue_of(struct conn *conn)
{
    struct frontend *frontend = conn_frontend(conn);
    if (conn->out != NULL)
        return conn->out;
    struct sendq *sendq = slab_alloc(frontend->sendqs);
    sendq_init(sendq, conn);
    if (LIST_EMPTY(&frontend->queued)) {
        uint64_t every = (uint64_t)conn->worker->config->spill_ms / 4;
        every = every < 5 ? 5 : every;
        uv_timer_start(&frontend->scan, conn_write_on_scan, every, every);
    }
    LIST_INSERT_HEAD(&frontend->queued, sendq, link);
    frontend->n_queued++;
    conn->out = sendq;
    return sendq;
}

static void queue_free(struct conn *conn)
{
    struct frontend *frontend = conn_frontend(conn);
    struct sendq *sendq = conn->out;
    LIST_REMOVE(sendq, link);
    frontend->n_queued--;
    if (LIST_EMPTY(&frontend->queued))
        uv_timer_stop(&frontend->scan);
    conn->out = NULL;
    slab_free(frontend->sendqs, sendq);
}

/* Queues MSG, of which SENT bytes were sent already. */
static void enqueue(struct conn *conn, struct msg *msg, size_t sent, struct ticket ticket)
{
    struct frontend *frontend = conn_frontend(conn);
    sendq_add(queue_of(conn), frontend->entries, msg, (uint32_t)sent, ticket,
              loop_now_ms(&conn->worker->loop));
    conn_count(conn, COMET_QUEUED_BYTES, (int64_t)(msg->len - sent));
    if (!conn->writable_armed)
        conn_poll_update(conn);
}

static size_t iov_len(const struct iovec *iov, int n)
{
    size_t len = 0;
    for (int i = 0; i < n; i++)
        len += iov[i].iov_len;
    return len;
}

static struct msg *iov_copy(const struct iovec *iov, int n)
{
    struct msg *msg = msg_new(iov_len(iov, n));
    uint8_t *at = msg->data;
    for (int i = 0; i < n; i++) {
        if (iov[i].iov_len > 0)
            memcpy(at, iov[i].iov_base, iov[i].iov_len);
        at += iov[i].iov_len;
    }
    return msg;
}

/* Queues a copy of all of it, not only of the rest. The entry's `sent` then tells whether its frame
 * has begun on the wire; such an entry cannot be taken out of the queue any more. */
static void enqueue_copy(struct conn *conn, const struct iovec *iov, int n, size_t sent,
                         struct ticket ticket)
{
    struct msg *msg = iov_copy(iov, n);
    enqueue(conn, msg, sent, ticket);
    msg_unref(msg);
}

/* --- the cork --- */

/* Sends the gathered replies; with FORCE even beyond the queue's limit. */
static void cork_send(struct conn *conn, bool force)
{
    struct frontend *frontend = conn_frontend(conn);
    struct iovec iov = {frontend->cork, frontend->cork_len};
    if (frontend->corked != conn || frontend->cork_len == 0)
        return;
    frontend->cork_len = 0;
    if (force)
        conn_write_force(conn, &iov, 1);
    else if (conn_write(conn, &iov, 1, TICKET_NONE) == WRITE_FULL)
        conn_kick(conn, CLOSE_TOO_SLOW, "too slow: replies are not being read");
}

void conn_write_cork(struct conn *conn)
{
    assert(conn_frontend(conn)->corked == NULL);
    conn_frontend(conn)->corked = conn;
}

void conn_write_uncork(struct conn *conn)
{
    cork_send(conn, conn->state >= CONN_CLOSING);
    conn_frontend(conn)->corked = NULL;
}

void conn_write_reply(struct conn *conn, const struct iovec *iov, int n)
{
    struct frontend *frontend = conn_frontend(conn);
    size_t len = iov_len(iov, n);
    if (frontend->corked == conn && len > FRONTEND_SCRATCH - frontend->cork_len)
        cork_send(conn, false);
    if (conn->state >= CONN_CLOSING || conn->broken)
        return;
    if (frontend->corked != conn || len > FRONTEND_SCRATCH) {
        if (conn_write(conn, iov, n, TICKET_NONE) == WRITE_FULL)
            conn_kick(conn, CLOSE_TOO_SLOW, "too slow: replies are not being read");
        return;
    }
    for (int i = 0; i < n; i++) {
        memcpy(frontend->cork + frontend->cork_len, iov[i].iov_base, iov[i].iov_len);
        frontend->cork_len += iov[i].iov_len;
    }
}

/* --- writing --- */

/* Sends what can be sent now. WRITE_QUEUED: *SENT bytes are sent, and the caller is to queue the
 * rest. WRITE_FULL and WRITE_CLOSED: nothing is sent. */
static enum write_result try_write(struct conn *conn, const struct iovec *iov, int n, size_t len,
                                   size_t *sent)
{
    *sent = 0;
    if (conn_frontend(conn)->cork_len > 0)
        cork_send(conn, false);
    if (conn->state >= CONN_CLOSING || conn->broken)
        return WRITE_CLOSED;
    if (conn_has_queued(conn)) {
        size_t limit = (size_t)conn->worker->config->sendq_bytes;
        return conn->out->bytes + len > limit ? WRITE_FULL : WRITE_QUEUED;
    }
    ssize_t result = send_iov(conn, iov, n);
    if (result < 0) {
        conn_break(conn);
        return WRITE_CLOSED;
    }
    *sent = (size_t)result;
    return *sent == len ? WRITE_DONE : WRITE_QUEUED;
}

enum write_result conn_write(struct conn *conn, const struct iovec *iov, int n,
                             struct ticket ticket)
{
    loop_assert_owner(&conn->worker->loop);
    size_t sent;
    enum write_result result = try_write(conn, iov, n, iov_len(iov, n), &sent);
    if (result == WRITE_DONE)
        ticket_done(&ticket, conn, TICKET_WRITTEN);
    else if (result == WRITE_QUEUED)
        enqueue_copy(conn, iov, n, sent, ticket);
    return result;
}

enum write_result conn_write_msg(struct conn *conn, struct msg *msg, struct ticket ticket)
{
    loop_assert_owner(&conn->worker->loop);
    struct iovec iov = {msg->data, msg->len};
    size_t sent;
    enum write_result result = try_write(conn, &iov, 1, msg->len, &sent);
    if (result == WRITE_DONE)
        ticket_done(&ticket, conn, TICKET_WRITTEN);
    else if (result == WRITE_QUEUED)
        enqueue(conn, msg, sent, ticket);
    return result;
}

/* SEQ NULL: for a plain session. */
static size_t encode(const struct conn *conn, const struct push *push, const uint32_t *seq,
                     uint8_t *out, size_t outlen)
{
    return seq == NULL ? wire_push(conn->wire, push, out, outlen)
                       : wire_push_numbered(conn->wire, push, *seq, out, outlen);
}

static enum write_result push_as(struct conn *conn, const struct push *push, const uint32_t *seq,
                                 struct ticket ticket)
{
    loop_assert_owner(&conn->worker->loop);
    uint8_t *scratch = conn_frontend(conn)->scratch;
    size_t len = encode(conn, push, seq, scratch, FRONTEND_SCRATCH);
    if (len <= FRONTEND_SCRATCH)
        return conn_write(conn, &(struct iovec){scratch, len}, 1, ticket);
    struct msg *msg = msg_new(len);
    len = encode(conn, push, seq, msg->data, msg->len);
    assert(len == msg->len);
    enum write_result result = conn_write_msg(conn, msg, ticket);
    msg_unref(msg);
    return result;
}

enum write_result conn_push(struct conn *conn, const struct push *push, struct ticket ticket)
{
    return push_as(conn, push, NULL, ticket);
}

enum write_result conn_push_numbered(struct conn *conn, const struct push *push, uint32_t seq)
{
    return push_as(conn, push, &seq, TICKET_NONE);
}

void conn_reply(struct conn *conn, uint16_t version, int32_t op, int32_t seq, const void *body,
                size_t body_len)
{
    loop_assert_owner(&conn->worker->loop);
    uint8_t *scratch = conn_frontend(conn)->scratch;
    const struct wire_unit unit = {
        .version = version, .op = op, .seq = seq, .body = body, .body_len = body_len};
    size_t len = wire_reply(conn->wire, &unit, scratch, FRONTEND_SCRATCH);
    if (len <= FRONTEND_SCRATCH) {
        conn_write_reply(conn, &(struct iovec){scratch, len}, 1);
        return;
    }
    struct msg *msg = msg_new(len); /* a reply of the business */
    len = wire_reply(conn->wire, &unit, msg->data, msg->len);
    conn_write_reply(conn, &(struct iovec){msg->data, len}, 1);
    msg_unref(msg);
}

void conn_write_force(struct conn *conn, const struct iovec *iov, int n)
{
    size_t len = iov_len(iov, n), sent = 0;
    assert(conn->state != CONN_CLOSED);
    if (conn_frontend(conn)->cork_len > 0)
        cork_send(conn, true);
    if (conn->broken)
        return;
    if (!conn_has_queued(conn)) {
        ssize_t result = send_iov(conn, iov, n);
        if (result < 0) {
            conn_break(conn);
            return;
        }
        sent = (size_t)result;
    }
    if (sent < len)
        enqueue_copy(conn, iov, n, sent, TICKET_NONE);
}

/* --- sending from the queue --- */

static void finish(struct conn *conn, struct sendq_entry *entry, enum ticket_result result)
{
    struct frontend *frontend = conn_frontend(conn);
    while (entry != NULL) {
        struct sendq_entry *next = entry->next;
        struct ticket ticket = entry->ticket;
        sendq_entry_free(frontend->entries, entry);
        ticket_done(&ticket, conn, result);
        entry = next;
    }
}

static void flushed(struct conn *conn)
{
    queue_free(conn);
    conn_poll_update(conn);
    if (conn->state == CONN_CLOSING)
        conn_close_flushed(conn);
    else
        conn_note_drained(conn);
}

/* False: what waits in TLS does not get out, or was the last that we say. */
static bool tls_flush(struct conn *conn)
{
    int rc = conn_tls_flush(conn);
    if (rc < 0)
        conn_break(conn);
    if (rc != 0 || conn->out != NULL)
        return rc == 0;
    conn_poll_update(conn);
    if (conn->state == CONN_CLOSING)
        conn_close_flushed(conn);
    return false;
}

/* Sends once from the queue. True: more may be sent. */
static bool flush_once(struct conn *conn)
{
    struct iovec iov[FLUSH_IOVS];
    bool tls = conn->tls != NULL;
    int n = sendq_iov(conn->out, iov, FLUSH_IOVS, tls);
    size_t len = iov_len(iov, n);
    ssize_t sent = send_iov(conn, iov, n);
    if (sent < 0) {
        conn_break(conn);
        return false;
    }
    conn_count(conn, COMET_QUEUED_BYTES, -sent);
    /* The queue is consistent again before a ticket's owner can look at it or add to it. */
    finish(conn, sendq_advance(conn->out, (size_t)sent), TICKET_WRITTEN);
    return (size_t)sent == len || (tls && sent > 0 && !conn_tls_has_output(conn));
}

void conn_write_flush(struct conn *conn)
{
    int calls = conn->tls != NULL ? FLUSH_CALLS_TLS : FLUSH_CALLS;
    if (conn->tls != NULL && !tls_flush(conn))
        return;
    while (conn_has_queued(conn) && calls-- > 0 && flush_once(conn))
        continue;
    if (conn->out != NULL && !conn_has_queued(conn) && !conn->broken)
        flushed(conn);
}

void conn_write_drop(struct conn *conn)
{
    if (conn->out == NULL)
        return;
    conn_count(conn, COMET_QUEUED_BYTES, -(int64_t)conn->out->bytes);
    struct sendq_entry *entries = sendq_take_all(conn->out);
    queue_free(conn);
    finish(conn, entries, TICKET_DROPPED);
}

/* The queue stays, even if empty, until the socket is writable again. The event `drained` then
 * follows. */
void conn_take_queued(struct conn *conn, void (*fn)(struct ticket *ticket, void *arg), void *arg)
{
    loop_assert_owner(&conn->worker->loop);
    struct frontend *frontend = conn_frontend(conn);
    if (conn->out == NULL)
        return;
    size_t before = conn->out->bytes;
    struct sendq_entry *entry = sendq_take_untouched(conn->out, conn_tls_begun(conn));
    conn_count(conn, COMET_QUEUED_BYTES, -(int64_t)(before - conn->out->bytes));
    while (entry != NULL) {
        struct sendq_entry *next = entry->next;
        struct ticket ticket = entry->ticket;
        sendq_entry_free(frontend->entries, entry);
        fn(&ticket, arg);
        entry = next;
    }
}

struct ticket *conn_begun_ticket(struct conn *conn)
{
    return conn->out != NULL ? sendq_begun_ticket(conn->out, conn_tls_begun(conn)) : NULL;
}

bool conn_has_queued(const struct conn *conn)
{
    return conn->out != NULL && conn->out->head != NULL;
}

uint64_t conn_unsent(const struct conn *conn)
{
    int in_kernel = 0;

    if (ioctl(conn->fd, TIOCOUTQ, &in_kernel) != 0) /* of a TCP socket: SIOCOUTQ of tcp(7) */
        in_kernel = 0;
    return (uint64_t)in_kernel + (conn->out != NULL ? conn->out->bytes : 0);
}

void conn_write_on_scan(uv_timer_t *timer)
{
    struct frontend *frontend = container_of(timer, struct frontend, scan);
    uint64_t now = loop_now_ms(&frontend->worker->loop);
    uint64_t age = (uint64_t)frontend->worker->config->spill_ms;
    struct sendq *sendq;
    /* stalled() may empty the session's own queue, but frees no queue. */
    LIST_FOREACH(sendq, &frontend->queued, link) {
        if (sendq->conn->state < CONN_CLOSING && sendq_stalled(sendq, now, age))
            frontend->events->stalled(sendq->conn);
    }
}
