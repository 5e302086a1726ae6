#include "logic/peers/drain_orders.h"
#include "common/base/list.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "logic/peers/streams.h"
#include "proto/session.pb-c.h"

#include <stdlib.h>
#include <string.h>

enum { TICK_MS = 50 };

struct drain_order {
    LIST_ENTRY(drain_order) next;
    char comet[sizeof((struct member *)NULL)->id];
    bool ends;
    enum drain_result result; /* of the sending; DRAIN_ORDER_OK: it is under way */
    uint64_t deadline_ms;     /* loop time */
    drain_ordered_fn fn;
    void *arg;
};

struct drain_orders {
    struct logic *logic;
    LIST_HEAD(, drain_order) all;
    size_t n;
    uv_timer_t tick; /* runs while there are any */
};

static void order_end(struct drain_orders *orders, struct drain_order *order,
                      enum drain_result result)
{
    LIST_REMOVE(order, next);
    orders->n--;
    order->fn(order->arg, result);
    free(order);
}

/* Tells every stream of MEMBER. */
static enum drain_result order_send(struct logic *logic, const struct member *member, bool ends)
{
    Imc__V1__SessionReply message;
    Imc__V1__DrainOrder out;
    char id[sizeof member->id];

    memcpy(id, member->id, sizeof id);
    imc__v1__session_reply__init(&message);
    imc__v1__drain_order__init(&out);
    out.comet = id;
    out.epoch = member->epoch;
    out.ends = ends;
    message.drain = &out;
    return stream_tell(logic->streams, member->id, member->epoch, &message.base) > 0
               ? DRAIN_ORDER_OK
               : DRAIN_ORDER_AWAY;
}

static void order_look(struct drain_orders *orders, struct drain_order *order)
{
    struct logic *logic = orders->logic;
    const struct member *member = membership_find(logic->membership, MEMBER_COMET, order->comet);

    if (order->result != DRAIN_ORDER_OK)
        order_end(orders, order, order->result);
    else if (member != NULL && member->draining != order->ends)
        order_end(orders, order, DRAIN_ORDER_OK);
    else if (member == NULL || loop_now_ms(logic->loop) >= order->deadline_ms)
        order_end(orders, order, DRAIN_ORDER_TIMEOUT);
}

static void on_tick(uv_timer_t *tick)
{
    struct drain_orders *orders = tick->data;
    struct drain_order *order, *next;

    for (order = LIST_FIRST(&orders->all); order != NULL; order = next) {
        next = LIST_NEXT(order, next);
        order_look(orders, order);
    }
    if (LIST_EMPTY(&orders->all))
        uv_timer_stop(tick);
}

bool drain_order(struct drain_orders *orders, const char *comet, bool ends, drain_ordered_fn fn,
                 void *arg)
{
    struct logic *logic = orders->logic;
    const struct member *member = membership_find(logic->membership, MEMBER_COMET, comet);
    int64_t wait_ms = logic->config->rooms_timeout_ms + 2 * logic->config->daemon.lease_renew_ms;

    loop_assert_owner(logic->loop);
    if (orders->n >= DRAIN_ORDERS_MAX)
        return false;
    struct drain_order *order = mem_zalloc(sizeof *order);
    (void)snprintf(order->comet, sizeof order->comet, "%s", comet);
    order->ends = ends;
    order->deadline_ms = loop_now_ms(logic->loop) + (uint64_t)wait_ms;
    order->fn = fn;
    order->arg = arg;
    order->result = member != NULL ? order_send(logic, member, ends) : DRAIN_ORDER_UNKNOWN;
    if (order->result == DRAIN_ORDER_OK)
        log_info(ends ? "comet is to take clients again" : "comet is to drain", "comet=\"%s\"",
                 order->comet);
    LIST_INSERT_HEAD(&orders->all, order, next);
    orders->n++;
    if (!uv_is_active((uv_handle_t *)&orders->tick))
        uv_timer_start(&orders->tick, on_tick, TICK_MS, TICK_MS);
    return true;
}

struct drain_orders *drain_orders_open(struct logic *logic)
{
    struct drain_orders *orders = mem_zalloc(sizeof *orders);

    loop_assert_owner(logic->loop);
    orders->logic = logic;
    LIST_INIT(&orders->all);
    uv_timer_init(&logic->loop->uv, &orders->tick);
    orders->tick.data = orders;
    return orders;
}

static void on_tick_closed(uv_handle_t *handle)
{
    free(handle->data);
}

void drain_orders_close(struct drain_orders *orders)
{
    if (orders == NULL)
        return;
    loop_assert_owner(orders->logic->loop);
    for (struct drain_order *order = LIST_FIRST(&orders->all), *next; order != NULL; order = next) {
        next = LIST_NEXT(order, next);
        order_end(orders, order, DRAIN_ORDER_CLOSED);
    }
    uv_close((uv_handle_t *)&orders->tick, on_tick_closed);
}
