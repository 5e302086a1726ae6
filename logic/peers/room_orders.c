#include "logic/peers/room_orders.h"
#include "common/base/list.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/base/random.h"
#include "common/containers/map.h"
#include "common/containers/wheel.h"
#include "logic/base/pb.h"
#include "logic/peers/comet_sessions.h"
#include "logic/peers/streams.h"
#include "logic/router/routers.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TICK_MS = 20, SLOTS = 256 };

struct room_orders {
    struct logic *logic;
    struct strmap *parts; /* number → struct order_part * */
    uint64_t number; /* of the last part; begins at random, so that no earlier process's fits */
    LIST_HEAD(, room_order) all;
    size_t n;
    struct wheel *wheel;
};

struct room_order {
    LIST_ENTRY(room_order) next;
    struct room_orders *orders;
    struct room_change change;
    room_changed_fn fn;
    void *arg;
    struct wheel_timer timer;
    LIST_HEAD(, order_part) parts; /* that are not done */
    struct room_changed changed;
    size_t undecided;
};

/* What one comet has to do. */
struct order_part {
    LIST_ENTRY(order_part) next;
    struct room_order *order;
    uint64_t number;
    size_t handles; /* that no loop has answered for */
    char comet[64];
};

/* --- the end --- */

static struct order_part *part_find(const struct room_orders *orders, uint64_t number)
{
    return strmap_get(orders->parts, (const char *)&number, sizeof number);
}

static void part_free(struct order_part *part)
{
    strmap_del(part->order->orders->parts, (const char *)&part->number, sizeof part->number);
    free(part);
}

static void order_end(struct room_order *order, enum room_order_error error, const char *why)
{
    struct room_orders *orders = order->orders;

    for (struct order_part *part = LIST_FIRST(&order->parts), *next; part != NULL; part = next) {
        next = LIST_NEXT(part, next);
        part_free(part);
    }
    if (wheel_is_set(&order->timer))
        wheel_cancel(orders->wheel, &order->timer);
    LIST_REMOVE(order, next);
    orders->n--;
    logic_count(orders->logic, LOGIC_ROOM_ORDERS, -1);
    logic_count(orders->logic, error == ROOM_ORDER_OK ? LOGIC_ORDERS_DONE : LOGIC_ORDERS_FAILED, 1);
    order->changed.error = error;
    order->changed.why = why;
    order->fn(order->arg, &order->changed);
    free(order);
}

static void order_done(struct room_order *order)
{
    if (order->undecided > 0)
        order_end(order, ROOM_ORDER_COMET, "a session of the user is still connecting");
    else
        order_end(order, ROOM_ORDER_OK, "");
}

static void on_timeout(struct wheel *wheel, struct wheel_timer *timer)
{
    struct room_order *order = container_of(timer, struct room_order, timer);
    const struct order_part *part = LIST_FIRST(&order->parts);
    char why[160];

    (void)wheel;
    snprintf(why, sizeof why, "comet %s did not answer within rooms.timeout", part->comet);
    log_warn("room order not answered", "comet=%s sessions=%zu setting=rooms.timeout", part->comet,
             part->handles);
    order_end(order, ROOM_ORDER_COMET, why);
}

/* --- the comets --- */

static struct order_part *part_new(struct room_order *order, const char *comet, size_t handles)
{
    struct room_orders *orders = order->orders;
    struct order_part *part = mem_zalloc(sizeof *part);

    part->order = order;
    part->number = ++orders->number;
    part->handles = handles;
    snprintf(part->comet, sizeof part->comet, "%s", comet);
    strmap_set(orders->parts, (const char *)&part->number, sizeof part->number, part);
    LIST_INSERT_HEAD(&order->parts, part, next);
    return part;
}

/* Sends the comet of sessions[FROM] its part. False: none of its streams is open here. */
static bool part_send(struct room_order *order, const struct router_answer *answer, size_t from,
                      bool *taken)
{
    const Imc__V1__Session *first = answer->sessions[from];
    struct logic *logic = order->orders->logic;
    Imc__V1__SessionReply message = IMC__V1__SESSION_REPLY__INIT;
    Imc__V1__RoomOrder out, *list[] = {&out};
    Imc__V1__Close end;
    const struct session_close *close = order->change.close;
    uint64_t *handles = mem_alloc((answer->n_sessions - from) * sizeof *handles);

    imc__v1__room_order__init(&out);
    imc__v1__close__init(&end);
    out.n_handles = comet_sessions(answer, from, taken, handles);
    out.handles = handles;
    out.comet = first->comet;
    out.epoch = first->epoch;
    out.uid = order->change.uid;
    if (close != NULL) {
        end.code = close->code;
        end.reason = pb_text(close->reason);
        end.token = close->token;
        end.token_id = close->token_id;
        end.opaque = close->opaque;
        out.close = &end;
    } else {
        out.room = pb_text(order->change.room);
    }
    out.leave = order->change.leave;
    /* A comet answers before we give up. */
    out.wait_ms = (uint32_t)(logic->config->rooms_timeout_ms * 3 / 4);
    out.number = part_new(order, first->comet, out.n_handles)->number;
    message.room_orders = list;
    message.n_room_orders = 1;
    size_t told = stream_tell(logic->streams, first->comet, first->epoch, &message.base);
    free(handles);
    return told > 0;
}

static bool is_meant(const struct room_change *change, const Imc__V1__Session *session)
{
    if (change->key != NULL && strcmp(session->key, change->key) != 0)
        return false;
    return change->handle == 0 ||
           (session->handle == change->handle && strcmp(session->comet, change->comet) == 0);
}

static void order_send(struct room_order *order, const struct router_answer *answer)
{
    bool *taken = mem_zalloc(answer->n_sessions + 1);
    const char *away = NULL;
    char why[160];

    for (size_t i = 0; i < answer->n_sessions; i++)
        taken[i] = !is_meant(&order->change, answer->sessions[i]);
    for (size_t i = 0; i < answer->n_sessions; i++) {
        if (!taken[i] && !part_send(order, answer, i, taken))
            away = answer->sessions[i]->comet;
    }
    free(taken);
    if (away != NULL) {
        snprintf(why, sizeof why, "comet %s has no connection to this logic", away);
        order_end(order, ROOM_ORDER_COMET, why);
    } else if (LIST_EMPTY(&order->parts)) {
        order_done(order);
    } else {
        wheel_set(order->orders->wheel, &order->timer,
                  (uint64_t)order->orders->logic->config->rooms_timeout_ms);
    }
}

static void on_sessions(void *arg, const struct router_answer *answer)
{
    struct room_order *order = arg;

    if (answer->result == ROUTER_AWAY)
        order_end(order, ROOM_ORDER_ROUTER, "no router is alive, or the user's does not answer");
    else if (!answer->complete)
        order_end(order, ROOM_ORDER_ROUTER,
                  "routers or comets have just changed: the user's router does not know yet who is "
                  "online");
    else
        order_send(order, answer);
}

bool room_order(struct room_orders *orders, const struct room_change *change, room_changed_fn fn,
                void *arg)
{
    struct logic *logic = orders->logic;

    loop_assert_owner(logic->loop);
    if (orders->n >= ROOM_ORDERS_MAX)
        return false;
    struct room_order *order = mem_zalloc(sizeof *order);
    order->orders = orders;
    order->change = *change;
    order->fn = fn;
    order->arg = arg;
    LIST_INIT(&order->parts);
    LIST_INSERT_HEAD(&orders->all, order, next);
    orders->n++;
    logic_count(logic, LOGIC_ROOM_ORDERS, 1);
    router_lookup(logic->routers, change->uid, (uint64_t)logic->config->router_timeout_ms,
                  on_sessions, order);
    return true;
}

/* --- answers --- */

/* True: DONE is what a loop of that comet may say of PART. */
static bool done_fits(const struct order_part *part, const char *comet,
                      const Imc__V1__RoomOrderDone *done)
{
    uint64_t sum = (uint64_t)done->sessions + done->session_full + done->comet_full;

    return strcmp(part->comet, comet) == 0 && done->handles <= part->handles &&
           sum + done->undecided <= done->handles;
}

void room_orders_done(struct room_orders *orders, const char *comet,
                      const Imc__V1__RoomOrderDone *done)
{
    struct order_part *part = orders == NULL ? NULL : part_find(orders, done->number);

    if (part == NULL)
        return; /* it has timed out */
    if (!done_fits(part, comet, done)) {
        log_warn("room order: the answer does not fit", "comet=\"%.64s\" sessions=%u of=%zu", comet,
                 done->handles, part->handles);
        return;
    }
    struct room_order *order = part->order;
    order->changed.sessions += done->sessions;
    order->changed.session_full += done->session_full;
    order->changed.comet_full += done->comet_full;
    order->undecided += done->undecided;
    part->handles -= done->handles;
    if (part->handles == 0) {
        LIST_REMOVE(part, next);
        part_free(part);
    }
    if (LIST_EMPTY(&order->parts))
        order_done(order);
}

/* --- life --- */

struct room_orders *room_orders_open(struct logic *logic)
{
    struct room_orders *orders = mem_zalloc(sizeof *orders);

    loop_assert_owner(logic->loop);
    orders->logic = logic;
    orders->parts = strmap_new();
    orders->number = random_number();
    LIST_INIT(&orders->all);
    orders->wheel = wheel_open(logic->loop, TICK_MS, SLOTS, on_timeout);
    return orders;
}

void room_orders_close(struct room_orders *orders)
{
    if (orders == NULL)
        return;
    loop_assert_owner(orders->logic->loop);
    for (struct room_order *order = LIST_FIRST(&orders->all), *next; order != NULL; order = next) {
        next = LIST_NEXT(order, next);
        order_end(order, ROOM_ORDER_CLOSED, "this logic is shutting down");
    }
    wheel_close(orders->wheel);
    strmap_free(orders->parts);
    free(orders);
}
