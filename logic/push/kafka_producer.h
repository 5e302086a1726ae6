/* kafka_producer.h - produces messages to Kafka, idempotently, and passes delivery reports to the
 * loop. Main loop only.
 *
 * Messages with the same key go to the same partition, and arrive there in the order of the calls.
 * A lone message goes to Kafka at once. Under load, messages that come within bus.linger go
 * together, because a request to Kafka costs far more than a message in it. */
#ifndef IMC_LOGIC_PUSH_KAFKA_PRODUCER_H
#define IMC_LOGIC_PUSH_KAFKA_PRODUCER_H

#include "common/base/list.h"
#include "common/kafka/kafka_message.h"
#include "logic/base/logic.h"

/* Embedded in what waits for a delivery report. done() is called exactly once, never within
 * kafka_produce(). ERR 0: Kafka has the message. -EIO or -ENOBUFS: Kafka refused it, or did not
 * confirm it within bus.timeout; WHY is for the caller's answer. While the producer is replaced, or
 * the number of partitions changes, messages wait for up to bus.timeout. */
struct kafka_ticket {
    TAILQ_ENTRY(kafka_ticket) link; /* used by kafka_producer.c */
    void (*done)(struct kafka_ticket *ticket, int err, const char *why);
    struct kafka_message message; /* valid until librdkafka has it */
    uint64_t since_ms;
    int32_t partition; /* where Kafka has it, if ERR is 0 */
    int64_t offset;
    int64_t since_us; /* by time_mono_us() */
};

/* 0, or -EINVAL and the like after logging. Sets the ready condition "bus". It holds if Kafka took
 * the last message, which may be a probe. */
int kafka_producer_open(struct logic *logic, struct kafka_producer **out);
/* Produces MESSAGE. 0: takes ownership of its value, and TICKET's done() will be called. -EAGAIN:
 * neither is used, and *WHY says why. No broker has answered yet, or too many messages wait already
 * for a new producer or for the number of partitions. */
int kafka_produce(struct kafka_producer *producer, const struct kafka_message *message,
                  struct kafka_ticket *ticket, const char **why);
/* The most bytes of key and value together that the topic takes. */
size_t kafka_producer_most(const struct kafka_producer *producer);
/* The number of partitions that messages are spread over, as logics agreed (partition_count.h); 0:
 * none now. */
int kafka_producer_partitions(const struct kafka_producer *producer);
/* Messages without a report fail (-ECANCELED). May block for a moment, so call it after the main
 * loop has ended. NULL is fine. */
void kafka_producer_close(struct kafka_producer *producer);

#endif
