/* producer_instance.h - one instance of librdkafka's idempotent producer, from its first question
 * to the brokers to its destruction. kafka_producer.c has one at a time and replaces it when it can
 * do its work no longer. Main loop only. */
#ifndef IMC_LOGIC_PUSH_PRODUCER_INSTANCE_H
#define IMC_LOGIC_PUSH_PRODUCER_INSTANCE_H

#include "logic/logic.h"

#include <librdkafka/rdkafka.h>

struct bus_client;
struct bus_end;
struct bus_message;

struct bus_client_events {
    /* The topic is there, or WHY not; then it is asked again until it is. Once it is there, again
     * with every look. */
    void (*answered)(bool ok, const char *why, void *arg);
    /* One message's fate; its _private is bus_client_produce()'s TICKET. */
    void (*report)(const rd_kafka_message_t *message, void *arg);
    /* FATAL: this instance produces no more; what is in flight is still reported. */
    void (*error)(rd_kafka_resp_err_t code, bool fatal, const char *text, void *arg);
};

/* MAX_BYTES: what the topic lets a batch have; batches are made no larger. -EINVAL or -EMFILE after
 * logging. No event before it returns. */
int bus_client_open(struct logic *logic, int64_t max_bytes, const struct bus_client_events *events,
                    void *arg, struct bus_client **out);
/* Whether answered(true) has come. */
bool bus_client_answers(const struct bus_client *client);
/* Takes MESSAGE's value if it returns RD_KAFKA_RESP_ERR_NO_ERROR. The key decides which of
 * PARTITIONS it goes to (as librdkafka's murmur2 does, and Kafka's own clients). Only if
 * bus_client_answers(). */
rd_kafka_resp_err_t bus_client_produce(struct bus_client *client, const struct bus_message *message,
                                       int partitions, void *ticket);
/* A message that job skips, to one of PARTITIONS; reported with _private NULL. */
rd_kafka_resp_err_t bus_client_probe(struct bus_client *client, int partitions);
/* What Kafka said last, and when that question began; 0: nothing yet. */
int bus_client_partitions(const struct bus_client *client);
uint64_t bus_client_seen_ms(const struct bus_client *client);
/* As it was opened with, and as the topic has it now (0: not known). */
int64_t bus_client_max_bytes(const struct bus_client *client);
int64_t bus_client_topic_max_bytes(const struct bus_client *client);
/* Asks for the topic again, as at first; it is looked at every TOPIC_AGAIN_MS besides. */
enum { TOPIC_AGAIN_MS = 3000 };
void bus_client_ask(struct bus_client *client);
/* What waits in librdkafka's queue and is not on its way is reported as failed. */
void bus_client_purge(struct bus_client *client);
/* Not from inside an event. No event after this returns; what it has not delivered is dropped. When
 * the answer is over, it sends nothing any more. */
struct bus_end *bus_client_close(struct bus_client *client);

#endif
