/* producer_instance.h - one instance of librdkafka's idempotent producer, from its first question
 * to the brokers to its destruction. kafka_producer.c has one at a time and replaces it when it can
 * do its work no longer. Main loop only. */
#ifndef IMC_LOGIC_PUSH_PRODUCER_INSTANCE_H
#define IMC_LOGIC_PUSH_PRODUCER_INSTANCE_H

#include "logic/base/logic.h"
#include "logic/push/kafka_message.h"

#include <librdkafka/rdkafka.h>

struct producer_instance;
struct kafka_shutdown;

struct producer_instance_events {
    /* The topic is there, or WHY not; then it is asked again until it is. Once it is there, again
     * with every look. */
    void (*answered)(bool ok, const char *why, void *arg);
    /* One message's fate; its _private is producer_instance_produce()'s TICKET. */
    void (*report)(const rd_kafka_message_t *message, void *arg);
    /* FATAL: this instance produces no more; what is in flight is still reported. */
    void (*error)(rd_kafka_resp_err_t code, bool fatal, const char *text, void *arg);
};

/* MAX_BYTES: what the topic lets a batch have; batches are made no larger. -EINVAL or -EMFILE after
 * logging. No event before it returns. */
int producer_instance_open(struct logic *logic, int64_t max_bytes,
                           const struct producer_instance_events *events, void *arg,
                           struct producer_instance **out);
/* Whether answered(true) has come. */
bool producer_instance_answers(const struct producer_instance *client);
/* Takes MESSAGE's value if it returns RD_KAFKA_RESP_ERR_NO_ERROR. The key decides which of
 * PARTITIONS it goes to (as librdkafka's murmur2 does, and Kafka's own clients). Only if
 * producer_instance_answers(). */
rd_kafka_resp_err_t producer_instance_produce(struct producer_instance *client,
                                              const struct kafka_message *message, int partitions,
                                              void *ticket);
/* A message that job skips, to one of PARTITIONS; reported with _private NULL. */
rd_kafka_resp_err_t producer_instance_probe(struct producer_instance *client, int partitions);
/* What Kafka said last, and when that question began; 0: nothing yet. */
int producer_instance_partitions(const struct producer_instance *client);
uint64_t producer_instance_seen_ms(const struct producer_instance *client);
/* As it was opened with, and as the topic has it now (0: not known). */
int64_t producer_instance_max_bytes(const struct producer_instance *client);
int64_t producer_instance_topic_max_bytes(const struct producer_instance *client);
/* Asks for the topic again, as at first; it is looked at every TOPIC_AGAIN_MS besides. */
enum { TOPIC_AGAIN_MS = 3000 };
void producer_instance_ask(struct producer_instance *client);
/* What waits in librdkafka's queue and is not on its way is reported as failed. */
void producer_instance_purge(struct producer_instance *client);
/* Not from inside an event. No event after this returns; what it has not delivered is dropped. When
 * the answer is over, it sends nothing any more. */
struct kafka_shutdown *producer_instance_close(struct producer_instance *client);

#endif
