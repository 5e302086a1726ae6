/* offset_tracker.h - which offsets of one partition are still unresolved, and so where a replay has
 * to begin. Pure; owner only.
 *
 *        head                                               tail
 *          ▼                                                 ▼
 *   ... │ 17 open │ 18 done │ 20 parked │ 21 open │ 22 done │     position = 17: all below is
 *                                 ▲                               resolved
 *                              cursor: nothing before it is parked, but for shards that are passed
 *                                      over
 *
 * Offsets are kept in the order they were consumed; they may have gaps (compaction, transaction
 * marks). A slot leaves when it and all before it are resolved. 16 bytes a slot. */
#ifndef IMC_JOB_PARTITION_OFFSET_TRACKER_H
#define IMC_JOB_PARTITION_OFFSET_TRACKER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum offset_state {
    OFFSET_DONE,
    OFFSET_OPEN,   /* somebody has it */
    OFFSET_PARKED, /* only its offset and its uid are kept; the message is read again later */
};

struct offset_slot {
    uint64_t place : 56; /* offset + 1; 0: in a log that is no more */
    uint64_t shard : 6;  /* PARKED: of its user's mailbox */
    uint64_t state : 2;  /* enum offset_state */
    union {
        void *owner; /* OPEN */
        int64_t uid; /* PARKED */
    };
};

struct offset_tracker {
    struct offset_slot *slots; /* ring of `size`, a power of two */
    uint64_t head, tail;       /* absolute; the slot is index & (size - 1) */
    uint64_t cursor, passed;   /* a bit for each shard that the cursor has passed over */
    uint64_t size;
    size_t parked; /* slots in that state */
    int64_t next;  /* offset after the newest one; -1: nothing was added yet */
    int64_t first; /* of the present log; -1: nothing was added yet */
};

void offset_tracker_init(struct offset_tracker *tracker);
void offset_tracker_free(struct offset_tracker *tracker);
/* OFFSET was consumed and belongs to OWNER (not NULL). The ticket is for offset_tracker_resolve(),
 * exactly once. */
uint64_t offset_tracker_add(struct offset_tracker *tracker, int64_t offset, void *owner);
/* Whether it is OPEN or PARKED. */
void offset_tracker_resolve(struct offset_tracker *tracker, uint64_t ticket);
/* OFFSET was consumed and needs nothing. */
void offset_tracker_skip(struct offset_tracker *tracker, int64_t offset);
/* The log begins anew: what is unresolved is resolved one day all the same, but has no place in the
 * new one. Nothing may be parked. */
void offset_tracker_restart(struct offset_tracker *tracker);
/* OPEN becomes PARKED. */
void offset_tracker_park(struct offset_tracker *tracker, uint64_t ticket, size_t shard,
                         int64_t uid);
struct offset_parked {
    uint64_t ticket;
    int64_t offset, uid;
    size_t shard;
};
/* The parked message with the lowest offset, but for those of the shards whose bit is set in
 * PASSED; false: none is. As they come back in this order, one walk finds them all, and one more
 * each time when a shard is not passed over any more. */
bool offset_tracker_parked(struct offset_tracker *tracker, uint64_t passed,
                           struct offset_parked *parked);
/* PARKED becomes OPEN again. */
void offset_tracker_unpark(struct offset_tracker *tracker, uint64_t ticket, void *owner);
/* The lowest unresolved offset, or the one after the newest if all are resolved: what may be
 * committed. -1: nothing was consumed yet, or something of a former log is unresolved. */
int64_t offset_tracker_position(const struct offset_tracker *tracker);
/* Where a replay would have to begin in the present log; -1: nothing of it was consumed yet. */
int64_t offset_tracker_replay(const struct offset_tracker *tracker);
/* Offsets between position and the newest: how far a replay would reach. */
int64_t offset_tracker_span(const struct offset_tracker *tracker);
/* Takes the newest slot off, resolved or not, and copies it to *SLOT; false when none is left.
 * Position does not rise by it. */
bool offset_tracker_pop(struct offset_tracker *tracker, struct offset_slot *slot);

#endif
