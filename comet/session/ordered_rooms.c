#include "comet/session/ordered_rooms.h"
#include "comet/base/metrics.h"
#include "comet/base/worker.h"
#include "comet/fanout/room.h"
#include "comet/fanout/room_claims.h"
#include "comet/net/conn.h"
#include "comet/net/handle_table.h"
#include "comet/session/token_ends.h"
#include "common/base/log.h"

#include <stdlib.h>

enum { LOOK_MS = 20 };

struct ordered_rooms {
    struct worker *worker;
    struct room_order_queue waiting;
    size_t n_waiting;
    uv_timer_t timer;
};

static void join(struct room_order *order, struct conn *conn)
{
    uint64_t claim;

    switch (room_join_beside(conn->worker, conn, order->room, order->room_len)) {
    case ROOM_OK:
        order->sessions++;
        claim = rooms_claimed(conn);
        order->claim = claim > order->claim ? claim : order->claim;
        break;
    case ROOM_SESSION_FULL:
        order->session_full++;
        break;
    case ROOM_NODE_FULL:
        order->comet_full++;
        break;
    }
}

/* Is it known which token the session has? Not while logic is asked about one, the first or a
 * further one: logic may have found it good before it was revoked. */
static bool token_is_known(const struct conn *conn)
{
    return (conn->state != CONN_CONNECTING || conn->counted) && !conn->renewing;
}

static bool order_means(const struct room_order *order, const struct conn *conn)
{
    struct token_marks marks = token_ends_marks(conn);

    return (!order->end.opaque || marks.token == 0) &&
           (order->end.token == 0 || order->end.token == marks.token) &&
           (order->end.token_id == 0 || order->end.token_id == marks.id);
}

/* Ends the session. One that is still connecting, too: logic may have let it in just before. False:
 * it is not known yet whether it is meant. */
static bool end_session(struct worker *worker, struct room_order *order, struct conn *conn)
{
    bool any = !order->end.opaque && order->end.token == 0 && order->end.token_id == 0;

    if (conn->state != CONN_OPEN && conn->state != CONN_CONNECTING)
        return true;
    if (!any && !token_is_known(conn))
        return false;
    if (!any && !order_means(order, conn))
        return true;
    order->sessions++;
    metric_add(worker->counters, COMET_ORDERED_ENDED, 1);
    conn_kick(conn, (enum close_code)order->end.code, order->end.reason);
    return true;
}

/* False: the session is still connecting. */
static bool decide(struct worker *worker, struct room_order *order, uint64_t handle)
{
    struct conn *conn = handle_table_find(worker->table, handle);

    if (conn == NULL)
        return true;
    if (order->close)
        return end_session(worker, order, conn);
    if (conn->state == CONN_CONNECTING)
        return false;
    if (conn->state != CONN_OPEN || conn->uid != order->uid)
        return true;
    if (order->leave) {
        room_leave_named(conn, order->room, order->room_len);
        order->sessions++;
    } else {
        join(order, conn);
    }
    return true;
}

/* Keeps the handles that are not decided. True: there are none, and jobs know of the room. */
static bool order_is_decided(struct worker *worker, struct room_order *order)
{
    size_t left = 0;

    for (size_t i = 0; i < order->n_handles; i++) {
        if (!decide(worker, order, order->handles[i]))
            order->handles[left++] = order->handles[i];
    }
    order->n_handles = left;
    return left == 0 && room_claims_known(worker, order->claim);
}

static void order_end(struct worker *worker, struct room_order *order)
{
    order->undecided = (uint32_t)order->n_handles;
    if (!room_claims_known(worker, order->claim)) { /* they are in it, but may miss messages yet */
        order->undecided += order->sessions;
        order->sessions = 0;
    }
    if (!order->close)
        metric_add(worker->counters, COMET_ORDERED_DONE, order->sessions);
    metric_add(worker->counters, COMET_ORDERED_FULL, order->session_full + order->comet_full);
    metric_add(worker->counters, COMET_ORDERED_UNDECIDED, order->undecided);
    order->finish(order);
}

/* --- waiting --- */

static void wait_end(struct ordered_rooms *ordered, struct room_order *order)
{
    TAILQ_REMOVE(&ordered->waiting, order, queued);
    ordered->n_waiting--;
    metric_add(ordered->worker->counters, COMET_ORDERS_WAITING, -1);
    order_end(ordered->worker, order);
}

static void orders_look(struct ordered_rooms *ordered)
{
    struct worker *worker = ordered->worker;
    uint64_t now = loop_now_ms(&worker->loop);

    for (struct room_order *order = TAILQ_FIRST(&ordered->waiting), *next; order != NULL;
         order = next) {
        next = TAILQ_NEXT(order, queued);
        if (order_is_decided(worker, order) || order->deadline_ms <= now || order->of == NULL)
            wait_end(ordered, order);
    }
    if (ordered->n_waiting == 0)
        uv_timer_stop(&ordered->timer);
}

static void ordered_rooms_look(uv_timer_t *timer)
{
    orders_look(container_of(timer, struct ordered_rooms, timer));
}

void ordered_rooms_known(struct ordered_rooms *ordered)
{
    loop_assert_owner(&ordered->worker->loop);
    if (ordered->n_waiting > 0)
        orders_look(ordered);
}

static void wait_begin(struct ordered_rooms *ordered, struct room_order *order)
{
    TAILQ_INSERT_TAIL(&ordered->waiting, order, queued);
    ordered->n_waiting++;
    metric_add(ordered->worker->counters, COMET_ORDERS_WAITING, 1);
    if (!uv_is_active((uv_handle_t *)&ordered->timer))
        uv_timer_start(&ordered->timer, ordered_rooms_look, LOOK_MS, LOOK_MS);
}

/* Keeps the handles of this loop. */
static void order_sort_out(const struct worker *worker, struct room_order *order)
{
    size_t ours = 0;

    for (size_t i = 0; i < order->n_handles; i++) {
        if (handle_loop(order->handles[i]) == worker->loop.index)
            order->handles[ours++] = order->handles[i];
    }
    order->n_handles = ours;
    order->taken = (uint32_t)ours;
}

void ordered_rooms_take(struct worker *worker, struct room_order *order)
{
    struct ordered_rooms *ordered = worker->ordered_rooms;

    loop_assert_owner(&worker->loop);
    order_sort_out(worker, order);
    if (!order->close && !room_name_is_valid(order->room, order->room_len)) {
        log_warn("room order not carried out", "loop=%d bytes=%zu why=\"not a room's name\"",
                 worker->loop.index, order->room_len);
        order->n_handles = 0;
    }
    if (order_is_decided(worker, order) || ordered->n_waiting >= ORDERED_ROOMS_WAITING_MAX)
        order_end(worker, order);
    else
        wait_begin(ordered, order);
}

/* --- life --- */

struct ordered_rooms *ordered_rooms_open(struct worker *worker)
{
    struct ordered_rooms *ordered = mem_zalloc(sizeof *ordered);

    loop_assert_owner(&worker->loop);
    ordered->worker = worker;
    TAILQ_INIT(&ordered->waiting);
    uv_timer_init(&worker->loop.uv, &ordered->timer);
    return ordered;
}

static void on_closed(uv_handle_t *timer)
{
    free(container_of(timer, struct ordered_rooms, timer));
}

void ordered_rooms_close(struct ordered_rooms *ordered)
{
    loop_assert_owner(&ordered->worker->loop);
    while (!TAILQ_EMPTY(&ordered->waiting))
        wait_end(ordered, TAILQ_FIRST(&ordered->waiting));
    uv_close((uv_handle_t *)&ordered->timer, on_closed);
}
