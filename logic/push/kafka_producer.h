/* kafka_producer.h - the way onto the bus: an idempotent Kafka producer whose delivery reports come
 * back on the loop.
 *
 * Messages of one key go to one partition and arrive there in the order of the
 * calls. A lone message goes to Kafka at once; under load what comes within bus.linger goes
 * together, for a request to Kafka costs far more than a message in it. Main loop only. */
#ifndef IMC_LOGIC_PUSH_KAFKA_PRODUCER_H
#define IMC_LOGIC_PUSH_KAFKA_PRODUCER_H

#include "logic/base/logic.h"
#include "logic/push/kafka_message.h"

/* Embedded in what waits for a delivery report. done(): the bus has it (ERR 0), or did not say so
 * within bus.timeout or refused it (-EIO, -ENOBUFS; WHY for the answer). While the producer is
 * replaced, or the number of partitions changed, messages wait up to bus.timeout before that.
 * Exactly once, later than kafka_produce(). */
struct kafka_ticket {
    struct kafka_ticket *next, **prev; /* the producer's */
    void (*done)(struct kafka_ticket *ticket, int err, const char *why);
    struct kafka_message message; /* until librdkafka has it */
    uint64_t since_ms;
};

/* -EINVAL and the like after logging. Sets the ready condition "bus": it holds when
 * Kafka has taken what was produced last, if only a probe. */
int kafka_producer_open(struct logic *logic, struct kafka_producer **out);
/* Takes MESSAGE's value unless it returns -EAGAIN: no broker has answered yet, or too much waits
 * already for a new producer or for the number of partitions (*WHY says what); then the ticket is
 * not used. */
int kafka_produce(struct kafka_producer *producer, const struct kafka_message *message,
                  struct kafka_ticket *ticket, const char **why);
/* The most bytes of a value and its key together that the topic takes. */
size_t kafka_producer_most(const struct kafka_producer *producer);
/* By which messages are spread, agreed among the logics (partition_count.h); 0: not now. */
int kafka_producer_partitions(const struct kafka_producer *producer);
/* Messages without a delivery report. */
size_t kafka_producer_outstanding(const struct kafka_producer *producer);
/* What is outstanding fails (-ECANCELED). NULL is fine. May block for a moment: only after the main
 * loop has ended. */
void kafka_producer_close(struct kafka_producer *producer);

#endif
