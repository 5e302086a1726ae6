/* partition.h - an assigned partition: its fence, its unresolved messages, the offset that may be
 * committed. Main loop only. */
#ifndef IMC_JOB_PARTITION_PARTITION_H
#define IMC_JOB_PARTITION_PARTITION_H

#include "job/base/message.h"
#include "job/partition/offset_tracker.h"

struct job;

enum {
    /* How many offsets may lie between the lowest unresolved message and the newest one read.
     * Comets remember a little more than that of what they have applied (push.proto): a bite more
     * may be read, and offsets may have gaps. So the oldest message that cannot be stored bounds
     * how many others are served. */
    PARTITION_SPAN = 200000,
};

struct partition {
    struct job *job;
    LIST_ENTRY(partition) link; /* of the job's */
    uint64_t assigned_ms;       /* loop time */
    int32_t id;
    uint64_t fence; /* 0: not known yet, nothing may be consumed */
    bool refused;   /* a comet has heard a higher fence: nothing is read until Redis was asked */
    int64_t behind, lag_ms; /* at the last look: messages behind what is resolved; how late messages
                             * are read */
    int64_t committed;      /* position last committed; -1: none, or it was not taken */
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
/* MESSAGE is resolved. Gives up the partition's reference. */
void partition_resolve(struct message *message);
/* MESSAGE, whose shard is known, is put off, because it has to be stored and there is no room. Only
 * its offset, uid and shard are kept. Gives up the partition's reference. */
void partition_park(struct message *message);
/* The parked message with the lowest offset, but for those of shards that are passed over; false:
 * none is. */
bool partition_parked(struct partition *partition, struct offset_parked *parked);
/* PARKED is back, as MESSAGE; takes the caller's reference. */
void partition_return(struct partition *partition, const struct offset_parked *parked,
                      struct message *message);
/* Kafka does not have PARKED any more. */
void partition_lose(struct partition *partition, const struct offset_parked *parked);
/* How much of PARTITION_SPAN is used, in 1/1000. While something is parked, the UNREAD messages
 * count as well: they will use it, too. */
int64_t partition_span_permille(const struct partition *partition, int64_t unread);
/* What is unresolved is another job's now. Answers that still come are ignored, and the position
 * stays where it is. */
void partition_forget(struct partition *partition);
/* The partition has another log from now on, which begins at any offset. Unresolved messages of the
 * former log stay, and are resolved as usual. */
void partition_restart(struct partition *partition);
/* A comet refused an item of the partition: forgets what is unresolved. Nothing is read until it is
 * known who owns the partition. */
void partition_refuse(struct partition *partition);
/* The partition is ours, with a new fence. What was forgotten has to be read again. */
void partition_own(struct partition *partition, uint64_t fence);
/* The offset to commit if it has risen since the last call, else -1. */
int64_t partition_to_commit(struct partition *partition);

#endif
