/* reread.h - reads messages from the bus a second time: those that were parked, because they had
 * to be stored and there was no room (docs/job.md). Kafka keeps them; we keep their offsets.
 *
 *   something parked ─► READING from the lowest ─► dispatch_again() ─► nothing parked: STOPPED
 *                            │    ▲                                              │
 *             no room to store    reread_wake() ◄────────────────────────────────┘
 *
 * What is parked for a shard of Redis that is passed over (windows.h) is read past. When that shard
 * has room again, reading begins anew from the lowest.
 *
 * A Kafka client of its own, without group: the group's must go on with what is new. It is made
 * when it is first needed. Main loop only; librdkafka's threads only wake it. */
#ifndef IMC_JOB_KAFKA_REREAD_H
#define IMC_JOB_KAFKA_REREAD_H

struct job;
struct partition;
struct reread;
struct reread_partition;

struct reread *reread_open(struct job *job);
/* Every reader must have been closed before. */
void reread_close(struct reread *reread);
/* Now and then: serves librdkafka's own events. */
void reread_serve(struct reread *reread);

/* Of PARTITION, which outlives it. */
struct reread_partition *reread_partition_open(struct reread *reread, struct partition *partition);
/* Something was parked, or there may be room again: reads if both are so. Cheap. */
void reread_wake(struct reread_partition *reader);
/* The partition has another log: what was read in advance is of the former one, and goes. */
void reread_forget(struct reread_partition *reader);
/* NULL is fine. */
void reread_partition_close(struct reread_partition *reader);

#endif
