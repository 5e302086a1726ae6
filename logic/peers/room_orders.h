/* room_orders.h - has the comets let sessions of a user join or leave a room, or ends them. Main
 * loop only.
 *
 *   room_order ─► router: the user's sessions ─► a RoomOrder to each comet that has some
 *                                                   │  (stream_tell)
 *       fn ◄── every loop has answered ◄── RoomOrderDone ◄┘
 *          ◄── no session                     (session_requests.c)
 *          ◄── rooms.timeout
 *
 * An order is one attempt. Whoever gets an error repeats it: sessions that were changed already
 * then count as before. A session that connects meanwhile may be left out. */
#ifndef IMC_LOGIC_PEERS_ROOM_ORDERS_H
#define IMC_LOGIC_PEERS_ROOM_ORDERS_H

#include "logic/base/logic.h"
#include "proto/session.pb-c.h"

/* Orders under way. */
enum { ROOM_ORDERS_MAX = 10000 };

struct room_orders;

/* The texts have to stay valid until the answer. */
struct room_change {
    int64_t uid;
    const char *key;   /* only sessions of devices with this key; NULL: all */
    uint64_t handle;   /* only this session; 0: all */
    const char *comet; /* of HANDLE */
    const char *room;
    bool leave;
    const struct session_close *close; /* end sessions: no room; NULL: change rooms */
};

/* Which sessions end, and how. */
struct session_close {
    uint32_t code; /* enum close_code */
    const char *reason;
    uint64_t token, token_id; /* only those let in by such a JSON Web Token; 0: any */
    bool opaque;              /* only those that were not let in by a JSON Web Token */
};

enum room_order_error {
    ROOM_ORDER_OK,
    ROOM_ORDER_ROUTER, /* the router did not answer, or does not know yet who is online */
    ROOM_ORDER_COMET,  /* a comet did not answer in time, or a session was still connecting */
    ROOM_ORDER_CLOSED, /* this logic ends */
};

struct room_changed {
    enum room_order_error error; /* with an error some sessions may have been changed */
    const char *why;             /* of an error, for the caller */
    size_t sessions;             /* that are (or are not) in the room now, or were ended; 0: none */
    size_t session_full; /* may not join: in as many rooms as a session may be, rooms.per_session */
    size_t comet_full;   /* may not join: their comet has as many rooms as it may have, rooms.max */
};
typedef void (*room_changed_fn)(void *arg, const struct room_changed *changed);

struct room_orders *room_orders_open(struct logic *logic);
/* Orders that are under way get ROOM_ORDER_CLOSED. Call it after routers_close(). NULL is fine. */
void room_orders_close(struct room_orders *orders);
/* FN runs once, never before this returns. False: too many are under way, and FN will not run. */
bool room_order(struct room_orders *orders, const struct room_change *change, room_changed_fn fn,
                void *arg);
/* A loop of COMET has carried out its part. ORDERS may be NULL. */
void room_orders_done(struct room_orders *orders, const char *comet,
                      const Imc__V1__RoomOrderDone *done);

#endif
