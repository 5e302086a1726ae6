/* producer_instance.h - one instance of librdkafka's idempotent producer, for one topic. Its owners
 * (logic/push/kafka_producer.c, ordered_producer.c) have one at a time each, and replace it when it
 * has failed. Owner loop only. */
#ifndef IMC_COMMON_KAFKA_PRODUCER_INSTANCE_H
#define IMC_COMMON_KAFKA_PRODUCER_INSTANCE_H

#include "common/base/loop.h"
#include "common/kafka/kafka_message.h"

#include <librdkafka/rdkafka.h>

struct producer_instance;
struct kafka_shutdown;

struct producer_instance_events {
    /* OK: the topic exists; called again after every look. Not OK: WHY says why, and looks go on
     * until it exists. */
    void (*answered)(bool ok, const char *why, void *arg);
    /* A delivery report. The message's _private is the TICKET of producer_instance_produce(). */
    void (*report)(const rd_kafka_message_t *message, void *arg);
    /* An error. FATAL: this instance takes no more messages, but still reports those in flight. */
    void (*error)(rd_kafka_resp_err_t code, bool fatal, const char *text, void *arg);
};

enum { PRODUCER_LIMIT_ASSUMED = 1048588 }; /* max.message.bytes by default */
/* MAX_BYTES, or the nearest limit that an instance can have. */
int64_t producer_limit(int64_t max_bytes);
/* The most bytes of key, value and headers of one message, where a batch may have MAX_BYTES. */
size_t producer_message_most(int64_t max_bytes);

/* Where to produce to, and for whom. All is the caller's, and has to outlive the instances. */
struct producer_bus {
    struct loop *loop;
    const char *client_id, *brokers;
    const char *options;           /* bus.options */
    int replication;               /* of a topic that is created */
    uint64_t (*now_ms)(void *arg); /* Unix time, which messages are dated by */
    void *arg;
};

struct producer_options {
    const char *topic;    /* has to outlive the instance */
    int partitions;       /* of the topic if it is created; 0: it is never created */
    const char *settings; /* of the topic if it is created: kafka_topic.settings */
    int64_t max_bytes;    /* the topic's limit for a batch; batches do not get larger */
    int64_t timeout_ms;   /* a message that is not confirmed by then fails; 0: none does */
    int linger_ms; /* so long one waits for others to go with it, unless bus.options say so */
};

/* 0, or -EINVAL or -EMFILE after logging. No event comes before this returns. */
int producer_instance_open(const struct producer_bus *bus, const struct producer_options *options,
                           const struct producer_instance_events *events, void *arg,
                           struct producer_instance **out);
/* Has answered(true) come? */
bool producer_instance_answers(const struct producer_instance *client);
/* The next three only if producer_instance_answers(). */
/* Which of PARTITIONS the key chooses, by murmur2, as Kafka's own clients do. */
int32_t producer_instance_partition(const struct producer_instance *client, const void *key,
                                    size_t len, int partitions);
/* Produces MESSAGE. On RD_KAFKA_RESP_ERR_NO_ERROR takes its value and headers. Without a value it
 * is a deletion, and its key stays the caller's. */
rd_kafka_resp_err_t producer_instance_produce_to(struct producer_instance *client,
                                                 const struct kafka_message *message,
                                                 int32_t partition, void *ticket);
/* The same, to the partition that its key chooses. */
rd_kafka_resp_err_t producer_instance_produce(struct producer_instance *client,
                                              const struct kafka_message *message, int partitions,
                                              void *ticket);
/* Produces a message that job skips, to one of PARTITIONS. Its report has _private NULL. */
rd_kafka_resp_err_t producer_instance_probe(struct producer_instance *client, int partitions);
/* The topic's number of partitions at the last look, and when that look began; 0: there was none
 * yet. */
int producer_instance_partitions(const struct producer_instance *client);
uint64_t producer_instance_seen_ms(const struct producer_instance *client);
/* The limit of a batch: the one it was opened with, and the topic's present one (0: not known). */
int64_t producer_instance_max_bytes(const struct producer_instance *client);
int64_t producer_instance_topic_max_bytes(const struct producer_instance *client);
/* Looks at the topic now. Otherwise it is looked at every TOPIC_AGAIN_MS. */
enum { TOPIC_AGAIN_MS = 3000 };
void producer_instance_ask(struct producer_instance *client);
/* Messages in librdkafka's queue that were not sent are reported as failed. */
void producer_instance_purge(struct producer_instance *client);
/* Must not be called from an event. No event comes after this returns. Undelivered messages are
 * dropped. When the returned shutdown is over, the instance sends nothing any more. */
struct kafka_shutdown *producer_instance_close(struct producer_instance *client);

#endif
