/* partition.h - an assigned partition: its fence, its unresolved messages, the offset that may be
 * committed. Owner loop only. */
#ifndef IMC_JOB_PARTITION_PARTITION_H
#define IMC_JOB_PARTITION_PARTITION_H

#include "job/base/message.h"
#include "job/partition/offset_tracker.h"

struct job;

enum {
    /* Comets remember which offsets they have applied this far below the highest (push.proto); a
     * bite more may be read and offsets may have gaps, so reading stops well before. So the oldest
     * message that cannot be stored bounds how far others are served. */
    PARTITION_SPAN = 200000,
};

struct partition {
    struct job *job;
    LIST_ENTRY(partition) link; /* of the job's */
    uint64_t assigned_ms;       /* loop time */
    int32_t id;
    uint64_t fence;    /* 0: not known yet, nothing may be consumed */
    bool refused;      /* a comet has heard a higher fence: nothing is read until Redis was asked */
    int64_t committed; /* position last committed; -1: none, or it was not taken */
    struct offset_tracker tracker;
};

void partition_init(struct partition *partition, struct job *job, int32_t id);
/* Forgets what is unresolved. */
void partition_free(struct partition *partition);
/* NULL: not assigned. */
struct partition *partition_find(const struct job *job, int32_t id);
/* Its fence is known, and no comet has refused it. */
static inline bool partition_is_ours(const struct partition *partition)
{
    return partition->fence != 0 && !partition->refused;
}
/* May messages be consumed from it now? */
bool partition_wants(const struct partition *partition);
/* MESSAGE, the message at OFFSET, is unresolved; takes the caller's reference. */
void partition_add(struct partition *partition, struct message *message, int64_t offset);
/* The message at OFFSET needs nothing. */
void partition_skip(struct partition *partition, int64_t offset);
/* MESSAGE is resolved. Gives the partition's reference up. */
void partition_resolve(struct message *message);
/* MESSAGE is put off: it has to be stored, and there is no room. Only its offset and uid are kept.
 * Gives the partition's reference up. */
void partition_park(struct message *message);
/* The parked message with the lowest offset; false: none is. */
static inline bool partition_parked(struct partition *partition, uint64_t *ticket, int64_t *offset,
                                    int64_t *uid)
{
    return offset_tracker_parked(&partition->tracker, ticket, offset, uid);
}
/* That one is back, as MESSAGE; takes the caller's reference. */
void partition_return(struct partition *partition, uint64_t ticket, struct message *message);
/* That one is on the bus no more. */
void partition_lose(struct partition *partition, uint64_t ticket, int64_t uid);
/* How much of what may be read ahead of the lowest unresolved offset is used, in 1/1000. While
 * something is parked, what is UNREAD counts: it will use it, too. */
int64_t partition_span_permille(const struct partition *partition, int64_t unread);
/* Whatever is unresolved is another job's now: answers that still come are ignored, the position
 * stays. */
void partition_forget(struct partition *partition);
/* Its log is another one from now on, that begins at any offset. What is unresolved is gone on
 * with.
 */
void partition_restart(struct partition *partition);
/* A comet refused its item: whatever is unresolved is forgotten until it is known who owns it. */
void partition_refuse(struct partition *partition);
/* It is ours, with a new fence. What was forgotten has to be read again. */
void partition_own(struct partition *partition, uint64_t fence);
/* The offset to commit if it has risen since the last call, else -1. */
int64_t partition_to_commit(struct partition *partition);

#endif
