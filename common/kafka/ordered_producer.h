/* ordered_producer.h - produces messages to one topic, in order, until Kafka has them. Owner loop
 * only.
 *
 * Messages of one partition stand there in the order of the calls. Of messages that were sent one
 * after the other, a later one is told to be in Kafka only if each earlier one was. A message of
 * which Kafka says nothing for `timeout_ms` fails, and so do all that were sent after it: the
 * caller sends them again. So the topic has each message at least once. */
#ifndef IMC_COMMON_KAFKA_ORDERED_PRODUCER_H
#define IMC_COMMON_KAFKA_ORDERED_PRODUCER_H

#include "common/base/list.h"
#include "common/kafka/producer_instance.h"

struct ordered_producer;

/* Embedded in what waits for a message. done() is called exactly once, never within
 * ordered_producer_send(). ERR 0: Kafka has the message, acks=all. -EAGAIN: it may have it; send it
 * again. */
struct ordered_ticket {
    TAILQ_ENTRY(ordered_ticket) link; /* this and the next two: ordered_producer.c */
    uint64_t since_ms;
    size_t bytes;
    void (*done)(struct ordered_ticket *ticket, int err);
};

enum ordered_count {
    ORDERED_PRODUCED,
    ORDERED_FAILED,
    ORDERED_PUT_OFF,
    ORDERED_LARGE,
    ORDERED_RESTARTS, /* of the client, with all that waited */
};

struct ordered_options {
    struct producer_bus bus;
    const char *name;     /* in the log */
    const char *topic;    /* has to outlive the producer */
    int partitions;       /* of the topic if it is created; 0: it is never created */
    const char *settings; /* of the topic if it is created: kafka_topic.settings */
    int64_t timeout_ms;
    int linger_ms;      /* so long a message waits for others to go with it */
    size_t max_waiting; /* bytes without an answer; more are put off, unless nothing else waits */
    /* Does the topic take messages? WHY not. Never within a call but ordered_producer_open(). */
    void (*ready)(bool ready, const char *why, void *arg);
    void (*count)(enum ordered_count what, void *arg);
    void *arg; /* of both */
};

/* 0, or -EINVAL and the like after logging. OPTIONS are copied. */
int ordered_producer_open(const struct ordered_options *options, struct ordered_producer **out);
/* Sends MESSAGE, and takes it if it returns 0: TICKET's done() will be called. -EAGAIN: not now,
 * send it again later. -EMSGSIZE: the topic takes no message of BYTES (key, value and headers).
 * PARTITION -1: the one that its key chooses. */
int ordered_producer_send(struct ordered_producer *producer, struct kafka_message *message,
                          size_t bytes, int32_t partition, struct ordered_ticket *ticket);
/* The topic's partitions; 0: not known now, and nothing can be sent. */
int ordered_producer_partitions(const struct ordered_producer *producer);
/* The partition that KEY chooses. Only if there are some. */
int32_t ordered_producer_partition(const struct ordered_producer *producer, const void *key,
                                   size_t len);
/* Bytes of messages that Kafka has not confirmed. */
size_t ordered_producer_waiting(const struct ordered_producer *producer);
/* Tickets that wait fail. May block for a moment: call it after the loop has ended, or wait with
 * kafka_shutdowns_wait() before the process ends. NULL is fine. */
void ordered_producer_close(struct ordered_producer *producer);

#endif
