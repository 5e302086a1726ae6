#include "job/kafka/revoked_queues.h"
#include "common/base/list.h"
#include "common/base/mem.h"

#include <stdlib.h>

struct revoked_queue {
    LIST_ENTRY(revoked_queue) link;
    int32_t partition;
    rd_kafka_queue_t *queue;
};

struct revoked_queues {
    rd_kafka_t *rk;
    LIST_HEAD(, revoked_queue) list;
};

/* Forwards the queue to another one, which is destroyed with what it got. librdkafka ends the
 * forwarding when it stops reading the partition, but may add events after that. So this is done
 * more than once. */
static void revoked_queue_empty(const struct revoked_queues *revoked,
                                const struct revoked_queue *entry)
{
    rd_kafka_queue_t *nowhere = rd_kafka_queue_new(revoked->rk);

    rd_kafka_queue_forward(entry->queue, nowhere);
    rd_kafka_queue_destroy(nowhere);
}

struct revoked_queues *revoked_queues_open(rd_kafka_t *rk)
{
    struct revoked_queues *revoked = mem_zalloc(sizeof *revoked);

    revoked->rk = rk;
    return revoked;
}

void revoked_queues_add(struct revoked_queues *revoked, int32_t partition, rd_kafka_queue_t *queue)
{
    struct revoked_queue *entry = mem_zalloc(sizeof *entry);

    *entry = (struct revoked_queue){.partition = partition, .queue = queue};
    LIST_INSERT_HEAD(&revoked->list, entry, link);
    revoked_queue_empty(revoked, entry);
}

static void revoked_queue_remove(struct revoked_queues *revoked, struct revoked_queue *entry)
{
    LIST_REMOVE(entry, link);
    revoked_queue_empty(revoked, entry);
    rd_kafka_queue_destroy(entry->queue);
    free(entry);
}

void revoked_queues_back(struct revoked_queues *revoked, int32_t partition)
{
    struct revoked_queue *entry = LIST_FIRST(&revoked->list);

    while (entry != NULL && entry->partition != partition)
        entry = LIST_NEXT(entry, link);
    if (entry != NULL)
        revoked_queue_remove(revoked, entry);
}

void revoked_queues_sweep(struct revoked_queues *revoked)
{
    const struct revoked_queue *entry;

    LIST_FOREACH(entry, &revoked->list, link) {
        if (rd_kafka_queue_length(entry->queue) > 0)
            revoked_queue_empty(revoked, entry);
    }
}

void revoked_queues_close(struct revoked_queues *revoked)
{
    struct revoked_queue *entry = LIST_FIRST(&revoked->list), *next;

    for (; entry != NULL; entry = next) {
        next = LIST_NEXT(entry, link);
        revoked_queue_remove(revoked, entry);
    }
    free(revoked);
}
