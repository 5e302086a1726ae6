#include "job/partition.h"
#include "common/log.h"
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
    job_charge(partition->job, task->size);
}

void partition_skip(struct partition *partition, int64_t offset)
{
    tracker_skip(&partition->tracker, offset);
}

void partition_resolve(struct task *task)
{
    struct partition *partition = task->partition;

    tracker_resolve(&partition->tracker, task->ticket);
    task->partition = NULL;
    job_discharge(partition->job, task->size);
    task_unref(task);
}

/* Newest first: so no message that waits behind another one of its user gets its turn by this. */
void partition_forget(struct partition *partition)
{
    struct job *job = partition->job;
    int64_t position = tracker_replay(&partition->tracker);
    void *owner;

    while (tracker_pop(&partition->tracker, &owner)) {
        struct task *task = owner;
        if (task == NULL)
            continue;
        if (task->kind == TASK_UID)
            hold_remove(job->hold, &task->hold);
        task->partition = NULL;
        job_count(job, JOB_DROPPED);
        job_discharge(job, task->size);
        task_unref(task);
    }
    partition->tracker.next = position;
}

void partition_restart(struct partition *partition)
{
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
