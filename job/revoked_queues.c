#include "job/revoked_queues.h"
#include "common/base/mem.h"

#include <stdlib.h>

struct gone_queue {
    struct gone_queue *next;
    int32_t partition;
    rd_kafka_queue_t *queue;
};

struct bus_gone {
    rd_kafka_t *rk;
    struct gone_queue *first;
};

/* What was forwarded to a queue goes with it. librdkafka ends the forwarding when it stops reading
 * the partition, and goes on after that: so this is done more than once. */
static void gone_empty(const struct bus_gone *gone, const struct gone_queue *entry)
{
    rd_kafka_queue_t *nowhere = rd_kafka_queue_new(gone->rk);

    rd_kafka_queue_forward(entry->queue, nowhere);
    rd_kafka_queue_destroy(nowhere);
}

struct bus_gone *bus_gone_open(rd_kafka_t *rk)
{
    struct bus_gone *gone = mem_zalloc(sizeof *gone);

    gone->rk = rk;
    return gone;
}

void bus_gone_add(struct bus_gone *gone, int32_t partition, rd_kafka_queue_t *queue)
{
    struct gone_queue *entry = mem_zalloc(sizeof *entry);

    *entry = (struct gone_queue){.next = gone->first, .partition = partition, .queue = queue};
    gone->first = entry;
    gone_empty(gone, entry);
}

static void gone_remove(struct bus_gone *gone, struct gone_queue **at)
{
    struct gone_queue *entry = *at;

    *at = entry->next;
    gone_empty(gone, entry);
    rd_kafka_queue_destroy(entry->queue);
    free(entry);
}

void bus_gone_back(struct bus_gone *gone, int32_t partition)
{
    struct gone_queue **at = &gone->first;

    while (*at != NULL && (*at)->partition != partition)
        at = &(*at)->next;
    if (*at != NULL)
        gone_remove(gone, at);
}

void bus_gone_sweep(struct bus_gone *gone)
{
    for (const struct gone_queue *entry = gone->first; entry != NULL; entry = entry->next) {
        if (rd_kafka_queue_length(entry->queue) > 0)
            gone_empty(gone, entry);
    }
}

void bus_gone_close(struct bus_gone *gone)
{
    while (gone->first != NULL)
        gone_remove(gone, &gone->first);
    free(gone);
}
