/* partition_reader.h - reading the partitions that are assigned, storing their offsets. Owner loop
 * only.
 *
 *   add ─► FENCING ──on_fence──► READING ⇄ STOPPED (partition_wants() says no)
 *             │         seek ▲       │ partition_refuse: a comet has heard a higher fence
 *             │     on_fence │       ▼
 *             │              └── REFUSED ⇄ a later owner: until the group tells, or its time is over
 *             └─────────── remove: what is unresolved is forgotten ───────────►
 *
 * Every partition has a queue of its own, apart from the consumer's, so that it is read, held back
 * or left alone by itself, while rebalances and errors are always served: backpressure never looks
 * to the group like a job that hangs. */
#ifndef IMC_JOB_PARTITION_READER_H
#define IMC_JOB_PARTITION_READER_H

#include "common/redis/redis.h"
#include <librdkafka/rdkafka.h>

struct job;
struct bus_partitions;

/* HEARD is called when messages have come, or ERR instead of them. */
struct bus_partitions *bus_partitions_open(struct job *job, rd_kafka_t *rk, struct redis *redis,
                                           void (*heard)(rd_kafka_resp_err_t err, void *arg),
                                           void *arg);
void bus_partitions_close(struct bus_partitions *partitions);
/* Before rd_kafka_incremental_assign(): the queue must be on its own when the first message comes.
 */
void bus_partitions_add(struct bus_partitions *partitions, int32_t id);
/* Whatever is to be committed must have been stored before. */
void bus_partitions_remove(struct bus_partitions *partitions, int32_t id);
void bus_partitions_clear(struct bus_partitions *partitions);
/* Those that stopped look again whether they may go on. */
void bus_partitions_wake(struct bus_partitions *partitions);
/* Now and then: asks Redis about those that were refused. */
void bus_partitions_check(struct bus_partitions *partitions);
/* Those that nobody reads, and for how long the first of them, in ms. */
size_t bus_partitions_unread(const struct bus_partitions *partitions, uint64_t *longest_ms);
/* There may be room for parked messages. */
void bus_partitions_again(struct bus_partitions *partitions);
/* Every now and then: looks how far behind we are. */
void bus_partitions_look(struct bus_partitions *partitions);
/* The offsets that have risen, to librdkafka, which commits them. */
void bus_partitions_store(struct bus_partitions *partitions);
size_t bus_partitions_count(const struct bus_partitions *partitions);
/* Messages behind what is resolved. */
int64_t bus_partitions_lag(const struct bus_partitions *partitions);
/* How late messages were read between the last two looks, in the partition furthest behind. */
int64_t bus_partitions_lag_ms(const struct bus_partitions *partitions);
/* The most that a partition has used of what may be read ahead, in 1/1000. */
int64_t bus_partitions_span_permille(const struct bus_partitions *partitions);

#endif
