#include "comet/logic/room_orders.h"
#include "comet/base/cluster_view.h"
#include "comet/base/comet.h"
#include "comet/base/worker.h"
#include "common/rpc/pipe.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Results in one batch. Logic takes no batch with more than 4,096 items in a list. */
enum { RESULTS_MOST = 1000 };

struct room_orders {
    struct worker *worker;
    struct pipe *pipe;
    room_order_fn rooms;
    drain_order_fn drain;
    LIST_HEAD(, room_order) all;
    STAILQ_HEAD(, room_order) results;
    size_t n_results;
};

struct room_orders *room_orders_open(struct worker *worker, struct pipe *pipe, room_order_fn rooms,
                                     drain_order_fn drain)
{
    struct room_orders *orders = mem_zalloc(sizeof *orders);

    loop_assert_owner(&worker->loop);
    orders->worker = worker;
    orders->pipe = pipe;
    orders->rooms = rooms;
    orders->drain = drain;
    LIST_INIT(&orders->all);
    STAILQ_INIT(&orders->results);
    return orders;
}

void room_orders_close(struct room_orders *orders)
{
    struct room_order *order;

    loop_assert_owner(&orders->worker->loop);
    while ((order = STAILQ_TAKE(&orders->results, told)) != NULL) {
        LIST_REMOVE(order, link);
        free(order);
    }
    while ((order = LIST_FIRST(&orders->all)) != NULL) {
        LIST_REMOVE(order, link);
        order->of = NULL;
    }
    free(orders);
}

/* --- in --- */

/* Frees ORDER: at once if nobody is to be told, else when its result was. */
static void order_finish(struct room_order *order)
{
    struct room_orders *orders = order->of;

    if (orders == NULL || order->taken == 0) {
        if (orders != NULL)
            LIST_REMOVE(order, link);
        free(order);
        return;
    }
    STAILQ_INSERT_TAIL(&orders->results, order, told);
    orders->n_results++;
    pipe_kick(orders->pipe);
}

static bool is_for_us(const struct worker *worker, const char *comet, uint64_t epoch)
{
    return epoch != 0 && epoch == worker->view->comet_epoch &&
           strcmp(comet, worker->comet->id) == 0;
}

static struct room_order *order_new(struct room_orders *orders, const Imc__V1__RoomOrder *in)
{
    struct worker *worker = orders->worker;
    size_t len = strlen(in->room), n = in->n_handles;
    struct room_order *order = mem_zalloc(sizeof *order + n * sizeof order->handles[0] + len + 1);
    char *room = (char *)&order->handles[n];

    memcpy(room, in->room, len + 1);
    order->of = orders;
    order->finish = order_finish;
    order->number = in->number;
    order->uid = in->uid;
    order->leave = in->leave;
    order->close = in->close != NULL;
    if (order->close) {
        order->end.code = in->close->code;
        order->end.opaque = in->close->opaque;
        order->end.token = in->close->token;
        order->end.token_id = in->close->token_id;
        (void)snprintf(order->end.reason, sizeof order->end.reason, "%s", in->close->reason);
    }
    order->deadline_ms = loop_now_ms(&worker->loop) + in->wait_ms;
    order->room = room;
    order->room_len = len;
    order->n_handles = n;
    memcpy(order->handles, in->handles, n * sizeof order->handles[0]);
    return order;
}

static void order_take(struct room_orders *orders, const Imc__V1__RoomOrder *in)
{
    struct worker *worker = orders->worker;

    if (orders->rooms == NULL || in->n_handles == 0 || !is_for_us(worker, in->comet, in->epoch))
        return;
    struct room_order *order = order_new(orders, in);
    LIST_INSERT_HEAD(&orders->all, order, link);
    orders->rooms(worker, order);
}

void room_orders_take(struct room_orders *orders, const Imc__V1__SessionReply *event)
{
    const Imc__V1__DrainOrder *drain = event->drain;

    loop_assert_owner(&orders->worker->loop);
    for (size_t i = 0; i < event->n_room_orders; i++)
        order_take(orders, event->room_orders[i]);
    if (drain != NULL && orders->drain != NULL &&
        is_for_us(orders->worker, drain->comet, drain->epoch))
        orders->drain(orders->worker, drain->ends);
}

/* --- out --- */

bool room_orders_have_results(const struct room_orders *orders)
{
    return orders->n_results > 0;
}

static Imc__V1__RoomOrderDone *result_pack(const struct room_order *order, struct arena *arena)
{
    Imc__V1__RoomOrderDone *done = arena_alloc(arena, sizeof *done);

    imc__v1__room_order_done__init(done);
    done->number = order->number;
    done->handles = order->taken;
    done->sessions = order->sessions;
    done->session_full = order->session_full;
    done->comet_full = order->comet_full;
    done->undecided = order->undecided;
    return done;
}

void room_orders_pack(struct room_orders *orders, Imc__V1__SessionBatch *batch, struct arena *arena)
{
    size_t most = orders->n_results < RESULTS_MOST ? orders->n_results : RESULTS_MOST;

    if (most == 0)
        return;
    batch->ordered = arena_alloc(arena, most * sizeof(void *));
    orders->n_results -= most;
    while (batch->n_ordered < most) {
        struct room_order *order = STAILQ_TAKE(&orders->results, told);
        batch->ordered[batch->n_ordered++] = result_pack(order, arena);
        LIST_REMOVE(order, link);
        free(order);
    }
}
