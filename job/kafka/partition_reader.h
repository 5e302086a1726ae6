/* partition_reader.h - reading the partitions that are assigned, committing their offsets. Main
 * loop only.
 *
 *   add ─► FENCING ──on_fence──► READING ⇄ STOPPED (partition_wants() says no)
 *             │         seek ▲       │ partition_refuse: a comet has heard a higher fence
 *             │     on_fence │       ▼
 *             │              └── REFUSED ⇄ a later owner: until the group or time tells
 *             └─────────── remove: what is unresolved is forgotten ───────────►
 *
 * Every partition has a queue of its own, apart from the consumer's. So each is read, held back or
 * left alone by itself, while rebalances and errors are always served: backpressure never looks to
 * the group like a job that hangs. */
#ifndef IMC_JOB_KAFKA_PARTITION_READER_H
#define IMC_JOB_KAFKA_PARTITION_READER_H

#include "common/redis/redis.h"
#include <librdkafka/rdkafka.h>

struct job;
struct partition_reader;

/* HEARD is called when ERR has come instead of messages. It is also called once when messages have
 * come after partition_reader_doubt(). */
struct partition_reader *partition_reader_open(struct job *job, rd_kafka_t *rk, struct redis *redis,
                                               void (*heard)(rd_kafka_resp_err_t err, void *arg),
                                               void *arg);
void partition_reader_close(struct partition_reader *reader);
/* Something is taken for broken that messages would disprove. */
void partition_reader_doubt(struct partition_reader *reader);
/* Before rd_kafka_incremental_assign(): the queue must be on its own when the first message comes.
 */
void partition_reader_add(struct partition_reader *reader,
                          const rd_kafka_topic_partition_list_t *list);
/* Whatever is to be committed must have been before. */
void partition_reader_remove(struct partition_reader *reader, int32_t id);
void partition_reader_clear(struct partition_reader *reader);
/* Those that stopped look again whether they may go on. */
void partition_reader_wake(struct partition_reader *reader);
/* Now and then: asks Redis about those that were refused. */
void partition_reader_check(struct partition_reader *reader);
/* Those that nobody reads, and for how long the first of them, in ms. */
size_t partition_reader_unread(const struct partition_reader *reader, uint64_t *longest_ms);
/* There may be room for parked messages. */
void partition_reader_again(struct partition_reader *reader);
/* Every now and then: looks how far behind we are. */
void partition_reader_look(struct partition_reader *reader);
/* Commits the offsets that have risen: at once, or if the last time is a second ago. */
void partition_reader_commit(struct partition_reader *reader);
void partition_reader_commit_due(struct partition_reader *reader);
/* A commit was answered, and which of its offsets were not taken. */
void partition_reader_committed(struct partition_reader *reader);
void partition_reader_uncommitted(struct partition_reader *reader,
                                  const rd_kafka_topic_partition_list_t *list);
size_t partition_reader_count(const struct partition_reader *reader);
/* How late messages were read between the last two looks, in the partition furthest behind. */
int64_t partition_reader_lag_ms(const struct partition_reader *reader);
/* The most that a partition has used of what may be read ahead, in 1/1000. */
int64_t partition_reader_span_permille(const struct partition_reader *reader);

#endif
