/* reread.h - reads messages from the bus a second time: those that were parked, because they had
 * to be stored and there was no room (docs/job.md). Kafka keeps them; we keep their offsets.
 *
 *   something parked ─► READING from the lowest ─► dispatch_again() ─► nothing parked: STOPPED
 *                            │    ▲
 *             no room to store    again_wake()
 *
 * A Kafka client of its own, without group: the group's must go on with what is new. It is made
 * when it is first needed. Owner loop only; librdkafka's threads only wake it. */
#ifndef IMC_JOB_REREAD_H
#define IMC_JOB_REREAD_H

struct job;
struct partition;
struct bus_again;
struct again_reader;

struct bus_again *bus_again_open(struct job *job);
/* Every reader must have been closed before. */
void bus_again_close(struct bus_again *again);
/* Now and then: serves librdkafka's own events. */
void bus_again_serve(struct bus_again *again);

/* Of PARTITION, which outlives it. */
struct again_reader *again_open(struct bus_again *again, struct partition *partition);
/* Something was parked, or there may be room again: reads if both are so. Cheap. */
void again_wake(struct again_reader *reader);
/* The partition has another log: what was read in advance is of the former one, and goes. */
void again_forget(struct again_reader *reader);
/* NULL is fine. */
void again_close(struct again_reader *reader);

#endif
