#include "job/revoked_queues.h"
#include "common/base/mem.h"

#include <stdlib.h>

struct revoked_queue {
    struct revoked_queue *next;
    int32_t partition;
    rd_kafka_queue_t *queue;
};

struct revoked_queues {
    rd_kafka_t *rk;
    struct revoked_queue *first;
};

/* What was forwarded to a queue goes with it. librdkafka ends the forwarding when it stops reading
 * the partition, and goes on after that: so this is done more than once. */
static void gone_empty(const struct revoked_queues *gone, const struct revoked_queue *entry)
{
    rd_kafka_queue_t *nowhere = rd_kafka_queue_new(gone->rk);

    rd_kafka_queue_forward(entry->queue, nowhere);
    rd_kafka_queue_destroy(nowhere);
}

struct revoked_queues *revoked_queues_open(rd_kafka_t *rk)
{
    struct revoked_queues *gone = mem_zalloc(sizeof *gone);

    gone->rk = rk;
    return gone;
}

void revoked_queues_add(struct revoked_queues *gone, int32_t partition, rd_kafka_queue_t *queue)
{
    struct revoked_queue *entry = mem_zalloc(sizeof *entry);

    *entry = (struct revoked_queue){.next = gone->first, .partition = partition, .queue = queue};
    gone->first = entry;
    gone_empty(gone, entry);
}

static void gone_remove(struct revoked_queues *gone, struct revoked_queue **at)
{
    struct revoked_queue *entry = *at;

    *at = entry->next;
    gone_empty(gone, entry);
    rd_kafka_queue_destroy(entry->queue);
    free(entry);
}

void revoked_queues_back(struct revoked_queues *gone, int32_t partition)
{
    struct revoked_queue **at = &gone->first;

    while (*at != NULL && (*at)->partition != partition)
        at = &(*at)->next;
    if (*at != NULL)
        gone_remove(gone, at);
}

void revoked_queues_sweep(struct revoked_queues *gone)
{
    for (const struct revoked_queue *entry = gone->first; entry != NULL; entry = entry->next) {
        if (rd_kafka_queue_length(entry->queue) > 0)
            gone_empty(gone, entry);
    }
}

void revoked_queues_close(struct revoked_queues *gone)
{
    while (gone->first != NULL)
        gone_remove(gone, &gone->first);
    free(gone);
}
