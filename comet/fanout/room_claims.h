/* room_claims.h - a loop's claims on rooms: jobs are to send it what is pushed to them. Owner loop
 * only.
 *
 *   first member ─► room_claims_take ─┐ the changes of a turn            room_claims_known()
 *                                     ├──── post NUMBER ────► main loop ─────► NUMBER is known
 *   last member ─► room_claims_drop   │                 (comet/job/room_grants.h:     to every job
 *                    └ rooms.linger ──┘                  tells jobs)
 *
 * A room is claimed by its hash (common/protocol/room_news.h), so rooms with the same hash share a
 * claim. A claim that nobody needs lingers, so that a room which is left and entered again costs
 * nothing. */
#ifndef IMC_COMET_FANOUT_ROOM_CLAIMS_H
#define IMC_COMET_FANOUT_ROOM_CLAIMS_H

#include "common/base/loop.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct worker;
struct room_claims;

/* Claims that nobody needs, per loop. Beyond, the oldest go before rooms.linger is over. */
enum { CLAIMS_LINGER_MAX = 10000 };

struct claim_change {
    uint64_t room; /* its hash */
    bool dropped;
};

/* What one turn of a loop has changed, in order. */
struct claims_post {
    struct inbox_item item; /* the receiver's, like `to`; it frees the post */
    void *to;
    struct worker *worker;
    uint64_t number; /* 1, 2, 3 … of the loop */
    size_t n;
    struct claim_change changes[];
};

/* Takes POST and passes it on. When all jobs know what is in it, room_claims_release() is to be
 * called on the loop. */
typedef void (*room_claims_tell_fn)(struct worker *worker, struct claims_post *post);
/* More claims are known: room_claims_known() has changed. OUTWAITED: because a job that did not
 * answer has no right to leave out anything any more. */
typedef void (*room_claims_known_fn)(struct worker *worker, bool outwaited);

/* Sets worker->claims. Without it rooms claim nothing, and every claim is known. */
void room_claims_open(struct worker *worker, room_claims_tell_fn tell, room_claims_known_fn known);
/* Tells nobody. worker->claims may be NULL. */
void room_claims_close(struct worker *worker);
/* A room with this hash has a member. Returns the number that has to be known before a client may
 * be told that it is in the room. */
uint64_t room_claims_take(struct worker *worker, uint64_t room);
/* The room has no member any more. */
void room_claims_drop(struct worker *worker, uint64_t room);
bool room_claims_known(const struct worker *worker, uint64_t number);
/* Posts up to NUMBER are known to all jobs. */
void room_claims_release(struct worker *worker, uint64_t number, bool outwaited);

#endif
