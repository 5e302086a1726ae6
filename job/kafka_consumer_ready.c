/* kafka_consumer_ready.c - what job's readiness says of Kafka, and why.
 *
 *   "bus": in the group, the topic is there, brokers answer, no right is missing
 *   "partitions": those that are ours are read */
#include "common/base/log.h"
#include "common/kafka/kafka.h"
#include "job/job.h"
#include "job/kafka_consumer_internal.h"
#include "job/partition_reader.h"

#include <stdio.h>

enum { UNREAD_MS = 2000 }; /* a partition that is not read for so long makes us unready */

static bool consumer_is_refused(const struct kafka_consumer *consumer)
{
    return consumer->group_refused != RD_KAFKA_RESP_ERR_NO_ERROR ||
           consumer->topic_refused != RD_KAFKA_RESP_ERR_NO_ERROR;
}

bool consumer_is_ready(const struct kafka_consumer *consumer)
{
    return consumer->joined && !consumer->missing && !consumer->down &&
           !consumer_is_refused(consumer);
}

void consumer_tell(struct kafka_consumer *consumer, const char *why)
{
    if (consumer->state == CONSUMER_RUNNING)
        consumer->ready("bus", consumer_is_ready(consumer), why, consumer->ready_arg);
}

void consumer_tell_unread(struct kafka_consumer *consumer)
{
    char why[192];
    uint64_t longest_ms;
    size_t unread = partition_reader_unread(consumer->partitions, &longest_ms);

    if (consumer->state != CONSUMER_RUNNING)
        return;
    snprintf(
        why, sizeof why,
        "%zu of %zu partitions are not read: Redis gives no fence, Kafka does not tell what was "
        "committed, or comets refuse our fence (see the log)",
        unread, kafka_consumer_partitions(consumer));
    consumer->ready("partitions", longest_ms < UNREAD_MS, why, consumer->ready_arg);
}

void consumer_is_up(struct kafka_consumer *consumer)
{
    if (!consumer->down)
        return;
    consumer->down = false;
    consumer_tell(consumer, "joining the group");
}

/* librdkafka tells a refusal once; it is over when partitions or messages come. */
void consumer_tell_refused(struct kafka_consumer *consumer)
{
    rd_kafka_resp_err_t err = consumer->group_refused != RD_KAFKA_RESP_ERR_NO_ERROR
                                  ? consumer->group_refused
                                  : consumer->topic_refused;
    char why[256];

    if (kafka_refusal(err, consumer_topic(consumer), "Describe and Read", why, sizeof why))
        consumer_tell(consumer, why);
}

void consumer_refused(struct kafka_consumer *consumer, rd_kafka_resp_err_t err)
{
    char why[256];

    if (!kafka_refusal(err, consumer_topic(consumer), "Describe and Read", why, sizeof why))
        return;
    if (err == RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED)
        consumer->topic_refused = err;
    else
        consumer->group_refused = err;
    log_error("bus refuses this user", "why=\"%s\"", why);
    consumer_tell_refused(consumer);
}

void consumer_allowed(struct kafka_consumer *consumer)
{
    consumer->group_refused = consumer->topic_refused = RD_KAFKA_RESP_ERR_NO_ERROR;
}

void consumer_on_heard(rd_kafka_resp_err_t err, void *arg)
{
    struct kafka_consumer *consumer = arg;

    consumer_is_up(consumer);
    if (err != RD_KAFKA_RESP_ERR_NO_ERROR) {
        consumer_refused(consumer, err);
    } else if (consumer_is_refused(consumer)) {
        consumer_allowed(consumer);
        consumer_tell(consumer, "");
    }
}
