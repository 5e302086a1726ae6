/* revoked_queues.h - queues of partitions that were taken away from us. Main loop only.
 *
 * librdkafka goes on putting events into such a queue after we have stopped reading ("no message
 * from here on is from before"). An event holds its partition, and the partition holds its queue.
 * If Kafka's topic has no such partition any more, both stay for ever, and rd_kafka_destroy() waits
 * for them. So the queues are emptied here. */
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
