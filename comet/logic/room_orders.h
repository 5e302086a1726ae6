/* room_orders.h - a logic orders that sessions join or leave a room, and is told what became of it.
 * Or that this comet drains: then the lease tells. One struct room_orders per logic. Owner loop
 * only.
 *
 *   logic ══ RoomOrder ══► room_orders_take ─► room_order_fn: session/ordered_rooms.c
 *         ◄═ RoomOrderDone, in the next batch to this logic ◄─── finish() ◄────┘
 *
 * A result is told once. If its batch is lost, logic does without: it has a time limit, and whoever
 * called it repeats the call. */
#ifndef IMC_COMET_LOGIC_ROOM_ORDERS_H
#define IMC_COMET_LOGIC_ROOM_ORDERS_H

#include "common/base/list.h"
#include "common/base/mem.h"
#include "proto/session.pb-c.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct pipe;
struct room_orders;
struct worker;

struct room_order {
    struct room_orders *of;         /* NULL: its logic has gone, and nobody is told */
    LIST_ENTRY(room_order) link;    /* of all that belong to a logic */
    TAILQ_ENTRY(room_order) queued; /* ordered_rooms.c: while it waits */
    STAILQ_ENTRY(room_order) told;  /* while its result waits for a batch */
    uint64_t number;
    int64_t uid;
    bool leave;
    bool close; /* the sessions end; none of the two above */
    struct room_order_close {
        uint32_t code;
        bool opaque;              /* only those without a JSON Web Token */
        uint64_t token, token_id; /* only those of such a token; 0: any */
        char reason[128];
    } end;
    uint64_t deadline_ms; /* loop time: how long to wait for sessions that are connecting */
    /* To be called once, when the result is there. Takes the order. */
    void (*finish)(struct room_order *order);
    /* The result, which session/ordered_rooms.c fills. */
    uint64_t claim; /* ordered_rooms.c: has to be known to jobs before sessions are told of */
    uint32_t taken; /* handles that are of this loop; 0: another loop answers */
    uint32_t sessions, session_full, comet_full, undecided;
    const char *room; /* its name, and all behind it, is in the same memory */
    size_t room_len;
    size_t n_handles; /* still to be decided; at first all of the order, other loops' included */
    uint64_t handles[];
};
TAILQ_HEAD(room_order_queue, room_order);

/* Carries ORDER out, which is the callee's until it calls its finish(). */
typedef void (*room_order_fn)(struct worker *worker, struct room_order *order);

/* This comet is to drain; ENDS: to do so no more. */
typedef void (*drain_order_fn)(struct worker *worker, bool ends);

/* PIPE is that to the logic. Either function may be NULL: such orders are not taken. */
struct room_orders *room_orders_open(struct worker *worker, struct pipe *pipe, room_order_fn rooms,
                                     drain_order_fn drain);
/* Orders that are under way are finished without being told. */
void room_orders_close(struct room_orders *orders);
/* Hands the orders in EVENT on that are for this life of this comet. */
void room_orders_take(struct room_orders *orders, const Imc__V1__SessionReply *event);
/* True: a batch to this logic is due. */
bool room_orders_have_results(const struct room_orders *orders);
/* Puts the results that wait into BATCH, which then points into ARENA. */
void room_orders_pack(struct room_orders *orders, Imc__V1__SessionBatch *batch,
                      struct arena *arena);

#endif
