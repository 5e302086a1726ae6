/* bus_partition.c - the drawing is in bus_partition.h. */
#include "job/bus_partition.h"
#include "common/bus.h"
#include "common/log.h"
#include "common/mem.h"
#include "job/dispatch.h"
#include "job/fence.h"
#include "job/job.h"
#include "job/partition.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>

enum { BITE = 256 /* messages of a partition per turn */ };

struct assigned {
    struct assigned *next;
    struct bus_partitions *owner;
    struct partition partition;
    rd_kafka_queue_t *queue;
    struct bus_queue *bus;
    struct fence *fence; /* NULL: known */
    bool stopped;        /* its queue may hold messages that nobody was told of */
};

struct bus_partitions {
    struct job *job;
    rd_kafka_t *rk;
    struct redis *redis;
    struct assigned *first;
    void (*heard)(void *arg);
    void *arg;
};

static const char *topic_of(const struct bus_partitions *partitions)
{
    return partitions->job->config->bus_topic;
}

/* --- reading --- */

static void assigned_message(struct assigned *assigned, const rd_kafka_message_t *message)
{
    if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
        dispatch_message(&assigned->partition, message->offset, message->payload, message->len);
        return;
    }
    job_count(assigned->owner->job, JOB_BUS_ERRORS);
    log_warn("kafka partition error", "topic=%s partition=%" PRId32 " err=\"%s\"",
             topic_of(assigned->owner), assigned->partition.id, rd_kafka_message_errstr(message));
}

static bool assigned_drain(rd_kafka_queue_t *queue, void *arg)
{
    struct assigned *assigned = arg;
    rd_kafka_message_t *messages[BITE];

    assigned->stopped = !partition_wants(&assigned->partition);
    if (assigned->stopped)
        return false;
    ssize_t n = rd_kafka_consume_batch_queue(queue, 0, messages, BITE);
    for (ssize_t i = 0; i < n; i++) {
        assigned_message(assigned, messages[i]);
        rd_kafka_message_destroy(messages[i]);
    }
    if (n > 0)
        assigned->owner->heard(assigned->owner->arg);
    return n > 0;
}

void bus_partitions_wake(struct bus_partitions *partitions)
{
    for (struct assigned *a = partitions->first; a != NULL; a = a->next) {
        if (a->stopped && partition_wants(&a->partition))
            bus_queue_wake(a->bus);
    }
}

/* --- coming and going --- */

static void assigned_on_fence(uint64_t number, void *arg)
{
    struct assigned *assigned = arg;

    assigned->fence = NULL;
    assigned->partition.fence = number;
    log_info("partition taken", "topic=%s partition=%" PRId32 " fence=%" PRIu64,
             topic_of(assigned->owner), assigned->partition.id, number);
    bus_queue_wake(assigned->bus);
}

static struct assigned **assigned_find(struct bus_partitions *partitions, int32_t id)
{
    struct assigned **at = &partitions->first;

    while (*at != NULL && (*at)->partition.id != id)
        at = &(*at)->next;
    return at;
}

void bus_partitions_add(struct bus_partitions *partitions, int32_t id)
{
    struct job *job = partitions->job;

    if (*assigned_find(partitions, id) != NULL)
        return;
    struct assigned *assigned = mem_zalloc(sizeof *assigned);
    assigned->owner = partitions;
    partition_init(&assigned->partition, job, id);
    assigned->queue = rd_kafka_queue_get_partition(partitions->rk, topic_of(partitions), id);
    assert(assigned->queue != NULL);
    rd_kafka_queue_forward(assigned->queue, NULL);
    int err = bus_queue_open(job->loop, assigned->queue, assigned_drain, assigned, &assigned->bus);
    if (err != 0) {
        log_error("cannot read a partition",
                  "partition=%" PRId32 " err=\"%s\"; raise the limit of open files", id,
                  uv_strerror(err));
        abort(); /* restarted, it tries again; going on would leave the partition to nobody */
    }
    assigned->next = partitions->first;
    partitions->first = assigned;
    assigned->fence = fence_ask(job->loop, partitions->redis, topic_of(partitions), id,
                                assigned_on_fence, assigned);
}

void bus_partitions_remove(struct bus_partitions *partitions, int32_t id)
{
    struct assigned **at = assigned_find(partitions, id);
    struct assigned *assigned = *at;

    if (assigned == NULL)
        return;
    *at = assigned->next;
    fence_cancel(assigned->fence);
    bus_queue_close(assigned->bus);
    rd_kafka_queue_destroy(assigned->queue);
    partition_free(&assigned->partition);
    free(assigned);
}

void bus_partitions_clear(struct bus_partitions *partitions)
{
    while (partitions->first != NULL)
        bus_partitions_remove(partitions, partitions->first->partition.id);
}

struct bus_partitions *bus_partitions_open(struct job *job, rd_kafka_t *rk, struct redis *redis,
                                           void (*heard)(void *arg), void *arg)
{
    struct bus_partitions *partitions = mem_zalloc(sizeof *partitions);

    *partitions =
        (struct bus_partitions){.job = job, .rk = rk, .redis = redis, .heard = heard, .arg = arg};
    return partitions;
}

void bus_partitions_close(struct bus_partitions *partitions)
{
    bus_partitions_clear(partitions);
    free(partitions);
}

/* --- offsets --- */

static rd_kafka_topic_partition_list_t *offsets_to_store(struct bus_partitions *partitions)
{
    rd_kafka_topic_partition_list_t *list = NULL;

    for (struct assigned *a = partitions->first; a != NULL; a = a->next) {
        int64_t offset = partition_to_store(&a->partition);
        if (offset < 0)
            continue;
        if (list == NULL)
            list = rd_kafka_topic_partition_list_new(16);
        rd_kafka_topic_partition_list_add(list, topic_of(partitions), a->partition.id)->offset =
            offset;
    }
    return list;
}

/* An offset that was not taken is stored at the next opportunity. */
static void offsets_check(struct bus_partitions *partitions,
                          const rd_kafka_topic_partition_list_t *list)
{
    for (int i = 0; i < list->cnt; i++) {
        const rd_kafka_topic_partition_t *element = &list->elems[i];
        struct assigned *assigned = *assigned_find(partitions, element->partition);
        if (element->err == RD_KAFKA_RESP_ERR_NO_ERROR || assigned == NULL)
            continue;
        assigned->partition.stored = -1;
        job_count(partitions->job, JOB_BUS_ERRORS);
        log_warn("offset not stored",
                 "topic=%s partition=%" PRId32 " offset=%" PRId64 " err=\"%s\"",
                 topic_of(partitions), element->partition, element->offset,
                 rd_kafka_err2str(element->err));
    }
}

void bus_partitions_store(struct bus_partitions *partitions)
{
    rd_kafka_topic_partition_list_t *list = offsets_to_store(partitions);

    if (list == NULL)
        return;
    /* Its result is in the elements, too. */
    (void)rd_kafka_offsets_store(partitions->rk, list);
    offsets_check(partitions, list);
    rd_kafka_topic_partition_list_destroy(list);
}

size_t bus_partitions_count(const struct bus_partitions *partitions)
{
    size_t n = 0;

    for (const struct assigned *a = partitions->first; a != NULL; a = a->next)
        n++;
    return n;
}

int64_t bus_partitions_lag(const struct bus_partitions *partitions)
{
    int64_t lag = 0;

    for (const struct assigned *a = partitions->first; a != NULL; a = a->next) {
        int64_t low = 0, high = 0, position = tracker_position(&a->partition.tracker);
        if (position >= 0 &&
            rd_kafka_get_watermark_offsets(partitions->rk, topic_of(partitions), a->partition.id,
                                           &low, &high) == RD_KAFKA_RESP_ERR_NO_ERROR &&
            high > position)
            lag += high - position;
    }
    return lag;
}
