/* comets.h - the live comets, and to each the ordered stream of items. Main loop only.
 *
 *     comet_push() ─► queue ──fill──► batch in flight ──answer──► answered()
 *                      ▲ ▲               │     └ pending ──late result──► answered()
 *                      │ └── returned ◄──┴───────┘  the stream broke: in order, before all newer
 *
 * A comet here is one life of a comet: another epoch is another comet. When its lease lapses, all
 * its items are answered GONE. But the process may live. So items for rooms and all are kept for it
 * (comets_lost.c), and go first when it comes back. */
#ifndef IMC_JOB_COMETS_COMETS_H
#define IMC_JOB_COMETS_COMETS_H

#include "common/membership/membership.h"
#include "job/base/message.h"
#include "proto/push.pb-c.h"

struct job;
struct comet_peer;
struct comet_peers;

/* One comet answered its item of MESSAGE, or its lease lapsed (GONE). */
typedef void (*comet_answered_fn)(struct job *job, struct message *message,
                                  Imc__V1__PushItem__Kind kind, Imc__V1__PushResult result);

struct comet_peers *comets_open(struct job *job, comet_answered_fn answered);
void comets_close(struct comet_peers *comets);
/* Membership's list. Items for comets that are not in it any more are answered GONE before this
 * returns. */
void comets_changed(struct comet_peers *comets, const struct member_list *list);

enum comet_standing {
    COMET_ALIVE,
    COMET_OVER,    /* a later life of it is alive */
    COMET_UNKNOWN, /* dead, or too new for our list */
};
/* *COMET is set only for COMET_ALIVE, and valid until the next comets_changed(). */
enum comet_standing comets_find(struct comet_peers *comets, const char *id, uint64_t epoch,
                                struct comet_peer **comet);
size_t comets_count(const struct comet_peers *comets);
size_t comets_up(const struct comet_peers *comets);
/* Different for every life. */
uint64_t comet_life(const struct comet_peer *comet);

/* Appends an item for the sessions HINTS (of this comet); takes a reference to MESSAGE and owes it
 * one answer. */
void comet_push(struct comet_peer *comet, struct message *message, Imc__V1__PushItem__Kind kind,
                const struct hint *hints, size_t n);
/* We vouch for more than before, because a partition came: tells every live comet (push.proto). */
void comets_state(struct comet_peers *comets);
/* Bytes of the items that are kept for comets taken for dead. */
size_t comets_kept_bytes(const struct comet_peers *comets);

/* An item to each live comet, but to a room only to those that may have members of it
 * (comet_rooms.h); returns how many get one. Comets taken for dead get one, too, but owe no answer
 * to it. */
uint32_t comets_push(struct comet_peers *comets, struct message *message,
                     Imc__V1__PushItem__Kind kind);
/* The job ends: from now on nothing is left out, and comets need not wait for us. */
void comets_give_up(struct comet_peers *comets);
/* For how many comets items to rooms may be left out; rooms that comets have told us of. */
size_t comets_granted(const struct comet_peers *comets);
size_t comets_rooms(const struct comet_peers *comets);

#endif
