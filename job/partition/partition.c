#include "job/partition/partition.h"
#include "common/base/log.h"
#include "job/base/job.h"

#include <assert.h>
#include <inttypes.h>

void partition_init(struct partition *partition, struct job *job, int32_t id)
{
    *partition = (struct partition){
        .job = job, .id = id, .committed = -1, .assigned_ms = loop_now_ms(job->loop)};
    LIST_INSERT_HEAD(&job->partitions, partition, link);
    offset_tracker_init(&partition->tracker);
}

struct partition *partition_find(const struct job *job, int32_t id)
{
    struct partition *partition = LIST_FIRST(&job->partitions);

    while (partition != NULL && partition->id != id)
        partition = LIST_NEXT(partition, link);
    return partition;
}

void partition_free(struct partition *partition)
{
    LIST_REMOVE(partition, link);
    partition_forget(partition);
    offset_tracker_free(&partition->tracker);
}

bool partition_wants(const struct partition *partition)
{
    const struct job *job = partition->job;

    return partition->fence != 0 && !partition->refused && job->comets_known &&
           !job->windows.full && !job->windows.closing &&
           offset_tracker_span(&partition->tracker) < PARTITION_SPAN;
}

/* Comets are told of MESSAGE by its partition and offset. */
static void partition_take(struct partition *partition, struct message *message, int64_t offset)
{
    assert(message->partition == NULL);
    message->partition = partition;
    message->partition_id = partition->id;
    message->fence = partition->fence;
    message->offset = offset;
}

void partition_add(struct partition *partition, struct message *message, int64_t offset)
{
    partition_take(partition, message, offset);
    message->ticket = offset_tracker_add(&partition->tracker, offset, message);
    windows_charge(&partition->job->windows, message);
}

void partition_skip(struct partition *partition, int64_t offset)
{
    offset_tracker_skip(&partition->tracker, offset);
}

/* MESSAGE is not the partition's any more. */
static void partition_let_go(struct partition *partition, struct message *message)
{
    message->partition = NULL;
    windows_discharge(&partition->job->windows, message);
    message_unref(message);
}

void partition_resolve(struct message *message)
{
    struct partition *partition = message->partition;

    offset_tracker_resolve(&partition->tracker, message->ticket);
    partition_let_go(partition, message);
}

/* --- put off --- */

void partition_park(struct message *message)
{
    struct partition *partition = message->partition;

    assert(message->sharded);
    offset_tracker_park(&partition->tracker, message->ticket, message->shard, message->uid);
    job_count(partition->job, JOB_PARKED_ALL);
    windows_park(&partition->job->windows, message->shard, 1);
    partition_let_go(partition, message);
}

bool partition_parked(struct partition *partition, struct offset_parked *parked)
{
    return offset_tracker_parked(&partition->tracker, partition->job->windows.passed, parked);
}

void partition_return(struct partition *partition, const struct offset_parked *parked,
                      struct message *message)
{
    partition_take(partition, message, parked->offset);
    message->ticket = parked->ticket;
    message->shard = (uint8_t)parked->shard;
    message->sharded = message->storing = true;
    offset_tracker_unpark(&partition->tracker, parked->ticket, message);
    windows_park(&partition->job->windows, parked->shard, -1);
    windows_charge(&partition->job->windows, message);
}

void partition_lose(struct partition *partition, const struct offset_parked *parked)
{
    struct job *job = partition->job;

    offset_tracker_resolve(&partition->tracker, parked->ticket);
    user_order_unpark(job->order, parked->uid);
    job_count(job, JOB_PARKED_LOST);
    windows_park(&job->windows, parked->shard, -1);
}

int64_t partition_span_permille(const struct partition *partition, int64_t unread)
{
    int64_t span = offset_tracker_span(&partition->tracker);

    if (partition->tracker.parked > 0)
        span += unread;
    return span * 1000 / PARTITION_SPAN;
}

static void slot_forget(struct partition *partition, const struct offset_slot *slot)
{
    struct job *job = partition->job;

    if (slot->state == OFFSET_DONE)
        return;
    job_count(job, JOB_DROPPED);
    if (slot->state == OFFSET_PARKED) {
        user_order_unpark(job->order, slot->uid);
        windows_park(&job->windows, slot->shard, -1);
        return;
    }
    struct message *message = slot->owner;
    if (message->kind == MESSAGE_UID && message->entry.state != ORDER_NONE) /* else it is told of */
        user_order_remove(job->order, &message->entry);
    partition_let_go(partition, message);
}

/* Newest first, so that no message gets its turn because the one before it is forgotten. */
void partition_forget(struct partition *partition)
{
    int64_t position = offset_tracker_replay(&partition->tracker);
    struct offset_slot slot;

    while (offset_tracker_pop(&partition->tracker, &slot))
        slot_forget(partition, &slot);
    partition->tracker.next = position;
}

void partition_restart(struct partition *partition)
{
    struct offset_parked parked;

    if (partition->tracker.parked > 0)
        log_error("messages lost",
                  "partition=%" PRId32
                  " n=%zu why=\"they had to be stored, and the log they are in "
                  "is no more\"",
                  partition->id, partition->tracker.parked);
    while (offset_tracker_parked(&partition->tracker, 0, &parked))
        partition_lose(partition, &parked);
    offset_tracker_restart(&partition->tracker);
    partition->committed = -1;
}

void partition_refuse(struct partition *partition)
{
    if (partition->refused)
        return;
    partition->refused = true;
    log_warn("partition refused",
             "partition=%" PRId32 " fence=%" PRIu64 " why=\"a comet has heard of a later owner\"; "
             "asking Redis",
             partition->id, partition->fence);
    partition_forget(partition);
}

void partition_own(struct partition *partition, uint64_t fence)
{
    partition->fence = fence;
    partition->refused = false;
}

int64_t partition_to_commit(struct partition *partition)
{
    int64_t position = offset_tracker_position(&partition->tracker);

    if (position < 0 || position == partition->committed)
        return -1;
    partition->committed = position;
    return position;
}
