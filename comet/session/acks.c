#include "comet/session/acks.h"
#include "comet/base/config.h"
#include "comet/base/delivery.h"
#include "comet/base/metrics.h"
#include "comet/base/worker.h"
#include "comet/net/conn_rate.h"
#include "comet/session/push_trace.h"
#include "comet/wire/client_request.h"
#include "common/base/mem.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint32_t window_of(const struct acks *acks)
{
    return (uint32_t)acks->conn->worker->config->ack_window;
}

static uint64_t wait_of(const struct acks *acks)
{
    return (uint64_t)acks->conn->worker->config->ack_wait_ms;
}

static void acks_count(const struct acks *acks, enum comet_metric metric, int64_t by)
{
    metric_add(acks->conn->worker->counters, metric, by);
}

void acks_begin(struct conn *conn, const struct acks_mailbox *mailbox)
{
    struct acks *acks = mem_zalloc(sizeof *acks);

    loop_assert_owner(&conn->worker->loop);
    acks->conn = conn;
    acks->mailbox = mailbox;
    conn->goim->acks = acks;
    acks_count(acks, COMET_ACK_SESSIONS, 1);
}

/* --- the ring --- */

static struct unacked *ring_at(const struct acks *acks, uint32_t i)
{
    return &acks->ring[(acks->first + i) & (acks->cap - 1)];
}

static void ring_grow(struct acks *acks)
{
    uint32_t cap = acks->cap == 0 ? 4 : 2 * acks->cap;
    struct unacked *ring = mem_alloc(cap * sizeof *ring);

    for (uint32_t i = 0; i < acks->n; i++)
        ring[i] = *ring_at(acks, i);
    free(acks->ring);
    acks->ring = ring;
    acks->cap = cap;
    acks->first = 0;
}

/* Messages are sent in the order of their ids, but for what is replayed. So what is newer than the
 * last one is not looked for. */
static struct unacked *ring_find(const struct acks *acks, uint64_t id)
{
    for (uint32_t i = acks->n; i > 0; i--) {
        struct unacked *unacked = ring_at(acks, i - 1);
        if (unacked->id == id)
            return unacked;
        if (unacked->id < id)
            return NULL;
    }
    return NULL;
}

static bool is_on_bus(const struct unacked *unacked)
{
    return unacked->ticket.ops != NULL && !ticket_in_mailbox(&unacked->ticket);
}

/* --- those acknowledged too early --- */

/* Its place; n_late: it is not there. */
static uint32_t late_find(const struct acks *acks, uint64_t id)
{
    uint32_t at = 0;

    while (at < acks->n_late && acks->late[at] != id)
        at++;
    return at;
}

static void late_drop(struct acks *acks, uint32_t at)
{
    memmove(acks->late + at, acks->late + at + 1, (--acks->n_late - at) * sizeof *acks->late);
}

static void late_add(struct acks *acks, uint64_t id)
{
    if (acks->late == NULL)
        acks->late = mem_alloc(window_of(acks) * sizeof *acks->late);
    if (acks->n_late == window_of(acks)) /* its poke has not come for long: another device got it */
        late_drop(acks, 0);
    acks->late[acks->n_late++] = id;
}

/* --- time --- */

static void acks_watch(struct acks *acks, uint64_t delay_ms)
{
    if (!wheel_is_set(&acks->timer))
        wheel_set(acks->conn->worker->ack_wheel, &acks->timer, delay_ms);
}

/* Hands back to job what was not acknowledged in time. Job must not wait for one client: it keeps
 * what is unanswered in memory, and the offsets of a whole partition wait for it. */
void acks_on_timer(struct wheel *wheel, struct wheel_timer *timer)
{
    struct acks *acks = container_of(timer, struct acks, timer);
    struct conn *conn = acks->conn;
    uint64_t now = loop_now_ms(&conn->worker->loop);
    uint64_t wait = wait_of(acks), next = 0;

    (void)wheel;
    for (uint32_t i = 0; i < acks->n; i++) {
        struct unacked *unacked = ring_at(acks, i);
        if (!is_on_bus(unacked))
            continue;
        if (unacked->since_ms + wait > now) {
            next = next == 0 || unacked->since_ms < next ? unacked->since_ms : next;
            continue;
        }
        struct ticket ticket = unacked->ticket;
        unacked->ticket = TICKET_NONE;
        acks_count(acks, COMET_ACKS_LATE, 1);
        ticket_done(&ticket, conn, TICKET_DROPPED);
    }
    if (next != 0)
        acks_watch(acks, next + wait - now);
    if (conn->catchup != NULL && !conn_has_queued(conn))
        acks->mailbox->room(conn);
}

/* --- sending --- */

bool acks_full(const struct acks *acks)
{
    return acks->n >= window_of(acks);
}

enum write_result acks_push(struct conn *conn, const struct push *push, struct ticket ticket)
{
    struct acks *acks = conn->goim->acks;

    loop_assert_owner(&conn->worker->loop);
    if (acks_full(acks)) {
        acks_count(acks, COMET_ACK_WINDOW_FULL, 1);
        return WRITE_FULL;
    }
    enum write_result result = conn_push_numbered(conn, push, acks->acked + acks->n + 1);
    if (result == WRITE_FULL || result == WRITE_CLOSED)
        return result;
    if (acks->n == acks->cap)
        ring_grow(acks);
    *ring_at(acks, acks->n++) =
        (struct unacked){push->id, loop_now_ms(&conn->worker->loop), ticket};
    if (!ticket_in_mailbox(&ticket))
        acks_watch(acks, wait_of(acks));
    acks_count(acks, COMET_ACK_SENT, 1);
    if (push->trace != NULL)
        push_trace_numbered(conn, push, result == WRITE_DONE);
    return result;
}

/* A repeated item means that the answer to the former one is of no use to anybody. */
bool acks_again(struct conn *conn, uint64_t id, struct ticket ticket)
{
    struct acks *acks = conn->goim->acks;
    struct unacked *unacked = ring_find(acks, id);

    if (unacked == NULL) {
        uint32_t late = late_find(acks, id);
        if (late == acks->n_late)
            return false;
        late_drop(acks, late);
        acks->mailbox->confirm(conn, id); /* it may be there, too */
        ticket_done(&ticket, conn, TICKET_WRITTEN);
        return true;
    }
    if (ticket_in_mailbox(&unacked->ticket)) {
        ticket_done(&ticket, conn, TICKET_STORED);
        return true;
    }
    struct ticket former = unacked->ticket;
    unacked->ticket = ticket;
    unacked->since_ms = loop_now_ms(&conn->worker->loop);
    acks_watch(acks, wait_of(acks));
    ticket_done(&former, conn, TICKET_DROPPED);
    return true;
}

bool acks_kept(struct conn *conn, uint64_t id, bool poked)
{
    struct acks *acks = conn->goim->acks;
    struct unacked *unacked = ring_find(acks, id);

    if (unacked == NULL) {
        uint32_t late = late_find(acks, id);
        if (late == acks->n_late)
            return false;
        if (poked) {
            late_drop(acks, late);
            acks->mailbox->confirm(conn, id);
        }
        return true;
    }
    /* In SETTLING the poke is still to come, and must find it here. */
    if (ticket_in_mailbox(&unacked->ticket) || (unacked->ticket.ops == NULL && !poked))
        return true;
    struct ticket former = unacked->ticket;
    unacked->ticket = acks->mailbox->ticket(conn, id);
    ticket_done(&former, conn, TICKET_STORED);
    return true;
}

/* --- acknowledging --- */

static void ring_pop(struct acks *acks, int64_t now_us)
{
    struct unacked unacked = *ring_at(acks, 0);

    delivery_observe(acks->conn->worker,
                     is_on_bus(&unacked) ? COMET_ACKED_UID : COMET_ACKED_WAITING, unacked.id,
                     now_us, 1);
    acks->first++;
    acks->acked++;
    acks->n--;
    if (acks->conn->worker->traces != NULL)
        push_trace_acknowledged(acks->conn, unacked.id);
    if (unacked.ticket.ops == NULL)
        late_add(acks, unacked.id);
    else
        ticket_done(&unacked.ticket, acks->conn, TICKET_WRITTEN);
}

void acks_written(struct worker *worker, const struct conn *conn, uint64_t id, bool waiting)
{
    metric_add(worker->counters, waiting ? COMET_DELIVERIES_WAITING : COMET_DELIVERIES_UID, 1);
    if (conn == NULL || acks_of(conn) == NULL)
        delivery_observe(worker, waiting ? COMET_DELIVERY_WAITING : COMET_DELIVERY_UID, id,
                         delivery_now_us(worker), 1);
}

/* The client has read what it was sent, so more may be written. Half a window at a time: each time
 * the mailbox is read anew. But a client may acknowledge in larger steps than half a window, so the
 * session does not wait for half of it for long. */
static void acks_made_room(struct acks *acks)
{
    struct conn *conn = acks->conn;

    if (conn->catchup == NULL || conn_has_queued(conn))
        return;
    if (acks->n <= window_of(acks) / 2)
        acks->mailbox->room(conn);
    else
        acks_watch(acks, wait_of(acks));
}

static void acks_refuse(struct conn *conn, int32_t seq, uint32_t sent)
{
    char why[80];

    (void)snprintf(why, sizeof why,
                   "acknowledged sequence %" PRId32 ", the last one sent is %" PRId32, seq,
                   (int32_t)sent);
    conn_kick(conn, CLOSE_MALFORMED, why);
}

void acks_take(struct conn *conn, const struct client_request *request)
{
    struct acks *acks = conn->goim->acks;
    uint32_t ahead = (uint32_t)request->seq - acks->acked;

    loop_assert_owner(&conn->worker->loop);
    if (ahead > acks->n && ahead < INT32_MAX) {
        acks_count(acks, COMET_ACKS_UNSENT, 1);
        acks_refuse(conn, request->seq, acks->acked + acks->n);
        return;
    }
    if (ahead == 0 || ahead > acks->n) {
        acks_count(acks, COMET_ACKS_REPEATED, 1);
        ahead = 0;
    } else {
        acks_count(acks, COMET_ACKED, ahead);
        conn_rate_give_back(conn);
    }
    int64_t now_us = delivery_now_us(conn->worker);
    for (uint32_t left = ahead; left > 0; left--)
        ring_pop(acks, now_us);
    if (request->version == ACK_ANSWERED_VERSION)
        conn_reply(conn, request->version, OP_ACK_REPLY, (int32_t)acks->acked, NULL, 0);
    if (ahead > 0)
        acks_made_room(acks);
}

/* --- the end --- */

void acks_end(struct conn *conn)
{
    struct acks *acks = conn->goim->acks;

    if (acks == NULL)
        return;
    conn->goim->acks = NULL;
    wheel_cancel(conn->worker->ack_wheel, &acks->timer);
    acks_count(acks, COMET_ACK_LEFT, acks->n);
    acks_count(acks, COMET_ACK_SESSIONS, -1);
    for (uint32_t i = 0; i < acks->n; i++)
        ticket_done(&ring_at(acks, i)->ticket, conn, TICKET_DROPPED);
    free(acks->ring);
    free(acks->late);
    free(acks);
}
