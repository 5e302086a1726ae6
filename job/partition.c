#include "job/partition.h"
#include "common/base/log.h"
#include "job/job.h"

#include <assert.h>
#include <inttypes.h>

void partition_init(struct partition *partition, struct job *job, int32_t id)
{
    *partition = (struct partition){.job = job,
                                    .id = id,
                                    .stored = -1,
                                    .next = job->partitions,
                                    .assigned_ms = loop_now_ms(job->loop)};
    job->partitions = partition;
    tracker_init(&partition->tracker);
}

struct partition *partition_find(const struct job *job, int32_t id)
{
    struct partition *partition = job->partitions;

    while (partition != NULL && partition->id != id)
        partition = partition->next;
    return partition;
}

bool partition_is_ours(const struct partition *partition)
{
    return partition->fence != 0 && !partition->refused;
}

void partition_free(struct partition *partition)
{
    struct partition **at = &partition->job->partitions;

    while (*at != partition)
        at = &(*at)->next;
    *at = partition->next;
    partition_forget(partition);
    tracker_free(&partition->tracker);
}

bool partition_wants(const struct partition *partition)
{
    const struct job *job = partition->job;

    return partition->fence != 0 && !partition->refused && job->comets_known && !job->full &&
           !job->closing && tracker_span(&partition->tracker) < PARTITION_SPAN;
}

void partition_add(struct partition *partition, struct task *task, int64_t offset)
{
    assert(task->partition == NULL);
    task->partition = partition;
    task->partition_id = partition->id;
    task->fence = partition->fence;
    task->offset = offset;
    task->ticket = tracker_add(&partition->tracker, offset, task);
    job_charge(partition->job, task);
}

void partition_skip(struct partition *partition, int64_t offset)
{
    tracker_skip(&partition->tracker, offset);
}

/* TASK is not the partition's any more. */
static void partition_let_go(struct partition *partition, struct task *task)
{
    task->partition = NULL;
    job_discharge(partition->job, task);
    task_unref(task);
}

void partition_resolve(struct task *task)
{
    struct partition *partition = task->partition;

    tracker_resolve(&partition->tracker, task->ticket);
    partition_let_go(partition, task);
}

/* --- put off --- */

void partition_park(struct task *task)
{
    struct partition *partition = task->partition;

    tracker_park(&partition->tracker, task->ticket, task->uid);
    job_count(partition->job, JOB_PARKED_ALL);
    job_parked(partition->job, 1);
    partition_let_go(partition, task);
}

void partition_return(struct partition *partition, uint64_t ticket, struct task *task)
{
    assert(task->partition == NULL);
    task->partition = partition;
    task->ticket = ticket;
    task->storing = true;
    tracker_unpark(&partition->tracker, ticket, task);
    job_parked(partition->job, -1);
    job_charge(partition->job, task);
}

void partition_lose(struct partition *partition, uint64_t ticket, int64_t uid)
{
    struct job *job = partition->job;

    tracker_resolve(&partition->tracker, ticket);
    hold_unpark(job->hold, uid);
    job_count(job, JOB_PARKED_LOST);
    job_parked(job, -1);
}

int64_t partition_span_permille(const struct partition *partition, int64_t unread)
{
    int64_t span = tracker_span(&partition->tracker);

    if (partition->tracker.parked > 0)
        span += unread;
    return span * 1000 / PARTITION_SPAN;
}

static void slot_forget(struct partition *partition, const struct tracker_slot *slot)
{
    struct job *job = partition->job;

    if (slot->state == TRACKER_DONE)
        return;
    job_count(job, JOB_DROPPED);
    if (slot->state == TRACKER_PARKED) {
        hold_unpark(job->hold, slot->uid);
        job_parked(job, -1);
        return;
    }
    struct task *task = slot->owner;
    if (task->kind == TASK_UID)
        hold_remove(job->hold, &task->hold);
    partition_let_go(partition, task);
}

/* Newest first: so no message that waits behind another one of its user gets its turn by this. */
void partition_forget(struct partition *partition)
{
    int64_t position = tracker_replay(&partition->tracker);
    struct tracker_slot slot;

    while (tracker_pop(&partition->tracker, &slot))
        slot_forget(partition, &slot);
    partition->tracker.next = position;
}

void partition_restart(struct partition *partition)
{
    uint64_t ticket;
    int64_t offset, uid;

    if (partition->tracker.parked > 0)
        log_error("messages lost",
                  "partition=%" PRId32
                  " n=%zu why=\"they had to be stored, and the log they are in "
                  "is no more\"",
                  partition->id, partition->tracker.parked);
    while (partition_parked(partition, &ticket, &offset, &uid))
        partition_lose(partition, ticket, uid);
    tracker_restart(&partition->tracker);
    partition->stored = -1;
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

int64_t partition_to_store(struct partition *partition)
{
    int64_t position = tracker_position(&partition->tracker);

    if (position < 0 || position == partition->stored)
        return -1;
    partition->stored = position;
    return position;
}
