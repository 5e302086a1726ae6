/* drain_orders.h - has a comet drain, or end that. Main loop only.
 *
 *   drain_order ─► DrainOrder to every stream of the comet (stream_tell)
 *       fn ◄── its lease says that it drains, or does so no more
 *          ◄── no stream, no lease any more, or rooms.timeout and two renewals are over
 *
 * Whoever gets an error repeats the order: carried out twice, it changes nothing more. */
#ifndef IMC_LOGIC_PEERS_DRAIN_ORDERS_H
#define IMC_LOGIC_PEERS_DRAIN_ORDERS_H

#include "logic/base/logic.h"

/* Orders under way. */
enum { DRAIN_ORDERS_MAX = 256 };

enum drain_result {
    DRAIN_ORDER_OK,
    DRAIN_ORDER_UNKNOWN, /* no such comet lives */
    DRAIN_ORDER_AWAY,    /* it has no connection to this logic */
    DRAIN_ORDER_TIMEOUT, /* or its lease has lapsed since it was told */
    DRAIN_ORDER_CLOSED,  /* this logic ends */
};

struct drain_orders;

struct drain_orders *drain_orders_open(struct logic *logic);
/* Orders that are under way get DRAIN_ORDER_CLOSED. NULL is fine. */
void drain_orders_close(struct drain_orders *orders);
typedef void (*drain_ordered_fn)(void *arg, enum drain_result result);
/* COMET is copied. FN runs once, never before this returns. False: too many are under way, and FN
 * will not run. */
bool drain_order(struct drain_orders *orders, const char *comet, bool ends, drain_ordered_fn fn,
                 void *arg);

#endif
