/* room_counts.h - how many sessions each room has. Every loop of every comet says how many are on
 * it, its *share*; the sum is the room's. Main loop only; no I/O.
 *
 *   room ─► shares: (comet, epoch, loop) ─► sessions, and the number of the word that said so
 *
 * A share counts as long as its comet lives, or, of one of goim's comets, until the sweep after
 * ROOM_COUNTS_FOREIGN_MS; and a room as long as the ring says that it is ours. What others were
 * told of a room is not known here. The sweep takes the memory of the others. A word may be late:
 * it was sent again through another logic, and overtaken. So each has a number that rises, and a
 * share of 0 is kept for a while.
 *
 * Rooms stand in a hash map and in a tree by name: the map finds one, the tree gives pages. */
#ifndef IMC_ROUTER_ROOM_COUNTS_H
#define IMC_ROUTER_ROOM_COUNTS_H

#include "router/completeness.h"

enum {
    ROOM_COUNTS_KEEP_MS = 10000,    /* a share of 0 */
    ROOM_COUNTS_FOREIGN_MS = 30000, /* a share of one of goim's comets, which say it every 10 s */
};

struct counted_room;
struct room_counts;

struct room_word {
    const char *room;
    const char *comet;
    uint64_t epoch; /* of the comet; 0: one of goim's, which holds no lease */
    uint32_t loop;
    uint32_t sessions;
    uint64_t number; /* rises with every word of the loop */
};

struct room_counts *room_counts_new(const struct completeness *completeness);
void room_counts_free(struct room_counts *counts);
/* Takes the share that WORD says, unless a later word is known. Texts are copied. */
void room_counts_set(struct room_counts *counts, const struct room_word *word, uint64_t now_ms);
/* Drops the shares of COMET. It may live: then it says later changes. */
void room_counts_forget(struct room_counts *counts, const char *comet);
/* Others had our rooms for a while. Drops the shares of all comets but goim's: they say again which
 * of their rooms have sessions, and not which became empty meanwhile. */
void room_counts_lost(struct room_counts *counts);
uint64_t room_counts_total(const struct room_counts *counts, const char *room);

struct room_total {
    const char *name; /* the room's: valid until it is dropped */
    uint64_t sessions;
};
/* Which rooms a walk shows. */
struct room_filter {
    const char *prefix; /* of their names */
    uint64_t least;     /* sessions, at least 1 */
};
/* Walks over the rooms that FILTER lets through, in no order: begin with ROOM NULL; NULL at the
 * end. FILTER may change between two steps. */
const struct counted_room *room_counts_next(const struct room_counts *counts,
                                            const struct counted_room *room,
                                            const struct room_filter *filter,
                                            struct room_total *total);
/* The first room by name, as bytes, from NAME on, or if it is not INCLUDED behind it; and the one
 * after ROOM. NULL: there is none. TOTAL gets the room, which may have 0 sessions. */
const struct counted_room *room_counts_from(const struct room_counts *counts, const char *name,
                                            bool included, struct room_total *total);
const struct counted_room *room_counts_by_name(const struct room_counts *counts,
                                               const struct counted_room *room,
                                               struct room_total *total);
/* The ring changed: the pass of the sweep begins anew. It has to end before the ring changes again,
 * because a room that came back would count what was said before it went. */
void room_counts_moved(struct room_counts *counts);
/* Looks at up to N rooms. True: the pass has not ended. */
bool room_counts_sweep(struct room_counts *counts, uint32_t n, uint64_t now_ms);
/* Rooms that are kept, those without sessions included. */
size_t room_counts_kept(const struct room_counts *counts);
size_t room_counts_bytes(const struct room_counts *counts);

#endif
