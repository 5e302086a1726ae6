/* revoked_queues.h - queues of partitions that were taken away from us. Owner loop only.
 *
 * librdkafka goes on putting events into them after we have stopped reading: "no message from here
 * on is from before". Such an event holds its partition and the partition holds its queue, so both
 * stay for ever if Kafka's topic has no such partition any more; and rd_kafka_destroy() waits for
 * them. Therefore somebody has to empty the queues. */
#ifndef IMC_JOB_REVOKED_QUEUES_H
#define IMC_JOB_REVOKED_QUEUES_H

#include <librdkafka/rdkafka.h>

struct bus_gone;

struct bus_gone *bus_gone_open(rd_kafka_t *rk);
/* Takes QUEUE, the one of PARTITION. What is in it is dropped. */
void bus_gone_add(struct bus_gone *gone, int32_t partition, rd_kafka_queue_t *queue);
/* PARTITION is assigned anew: its queue will be read. */
void bus_gone_back(struct bus_gone *gone, int32_t partition);
/* Now and then. */
void bus_gone_sweep(struct bus_gone *gone);
void bus_gone_close(struct bus_gone *gone);

#endif
