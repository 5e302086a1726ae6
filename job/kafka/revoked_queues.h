/* revoked_queues.h - queues of partitions that were taken away from us. Owner loop only.
 *
 * librdkafka goes on putting events into them after we have stopped reading: "no message from here
 * on is from before". Such an event holds its partition and the partition holds its queue, so both
 * stay for ever if Kafka's topic has no such partition any more; and rd_kafka_destroy() waits for
 * them. Therefore somebody has to empty the queues. */
#ifndef IMC_JOB_KAFKA_REVOKED_QUEUES_H
#define IMC_JOB_KAFKA_REVOKED_QUEUES_H

#include <librdkafka/rdkafka.h>

struct revoked_queues;

struct revoked_queues *revoked_queues_open(rd_kafka_t *rk);
/* Takes QUEUE, the one of PARTITION. What is in it is dropped. */
void revoked_queues_add(struct revoked_queues *revoked, int32_t partition, rd_kafka_queue_t *queue);
/* PARTITION is assigned anew: its queue will be read. */
void revoked_queues_back(struct revoked_queues *revoked, int32_t partition);
/* Now and then. */
void revoked_queues_sweep(struct revoked_queues *revoked);
void revoked_queues_close(struct revoked_queues *revoked);

#endif
