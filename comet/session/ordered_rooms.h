/* ordered_rooms.h - sessions join and leave rooms because the business says so (/1/room/join and
 * /1/room/leave of logic). Owner loop only.
 *
 *   room_order ─► each session: open? ─► joins or leaves, or may not: counted, never kicked
 *                     │        gone? ─► not counted
 *                     └ connecting: waits for it, until the order's deadline ─► finish()
 *
 * A session that is still connecting is not touched. Its token may put it into rooms when it is
 * admitted, and then the order comes after those, as on a session that is open. */
#ifndef IMC_COMET_SESSION_ORDERED_ROOMS_H
#define IMC_COMET_SESSION_ORDERED_ROOMS_H

#include "comet/logic/room_orders.h"

struct worker;
struct ordered_rooms;

/* Orders that wait for a session, per loop. Further ones are answered at once: undecided. */
enum { ORDERED_ROOMS_WAITING_MAX = 1000 };

struct ordered_rooms *ordered_rooms_open(struct worker *worker);
/* Finishes the orders that wait. Frees its memory at the end of the turn. */
void ordered_rooms_close(struct ordered_rooms *ordered);
/* Jobs know of more rooms: an order is done when they know of its room (fanout/room_claims.h). */
void ordered_rooms_known(struct ordered_rooms *ordered);
/* room_order_fn. */
void ordered_rooms_take(struct worker *worker, struct room_order *order);

#endif
