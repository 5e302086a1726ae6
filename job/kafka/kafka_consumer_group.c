/* kafka_consumer_group.c - what the group and the brokers tell, and what readiness says of them.
 *
 *   "bus" is ready: in the group, the topic is there, brokers answer, no right is missing
 *   "partitions" is ready: those that are ours are read
 *
 *   consumer queue ─► consumer_drain ─┬─ rebalance: consumer_assign, consumer_revoke
 *                                     ├─ answers to commits
 *                                     └─ errors: some end this instance, kafka_consumer.h: failed
 *   consumer_on_topic ◄── kafka_topics: the topic came after we had subscribed */
#include "common/base/log.h"
#include "common/kafka/kafka.h"
#include "common/kafka/topics.h"
#include "job/base/job.h"
#include "job/kafka/kafka_consumer.h"
#include "job/kafka/kafka_consumer_internal.h"
#include "job/kafka/partition_reader.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

enum {
    EVENTS = 64,               /* of the consumer's queue per turn */
    SESSION_ALLOWED_MS = 6000, /* brokers' default of group.min.session.timeout.ms */
    /* With a share of nothing that may be a mistake; doubled for each time in a row. */
    NONE_MS = 1000,
    NONE_TIMES = 4,
    UNREAD_MS = 2000, /* a partition that is not read for so long makes us unready */
};

/* --- readiness --- */

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
    partition_reader_doubt(consumer->partitions);
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

/* --- the topic --- */

int consumer_subscribe(struct kafka_consumer *consumer)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);

    rd_kafka_topic_partition_list_add(list, consumer_topic(consumer), RD_KAFKA_PARTITION_UA);
    rd_kafka_resp_err_t err = rd_kafka_subscribe(consumer->rk, list);
    rd_kafka_topic_partition_list_destroy(list);
    if (err == RD_KAFKA_RESP_ERR_NO_ERROR)
        return 0;
    log_error("cannot subscribe", "topic=%s err=\"%s\"", consumer_topic(consumer),
              rd_kafka_err2str(err));
    return -EINVAL;
}

void consumer_on_topic(bool ok, const char *why, void *arg)
{
    struct kafka_consumer *consumer = arg;

    if (consumer->state != CONSUMER_RUNNING)
        return;
    if (!ok) {
        /* Brokers that cannot be asked may serve the topic all the same. */
        if (!consumer_is_ready(consumer)) {
            log_warn("topic not there yet", "topic=%s brokers=%s err=\"%s\"",
                     consumer_topic(consumer), consumer->job->config->bus_brokers, why);
            consumer_tell(consumer, why);
        }
        return;
    }
    consumer_is_up(consumer);
    if (!consumer->joined) { /* nothing was read that could have been refused */
        consumer->topic_refused = RD_KAFKA_RESP_ERR_NO_ERROR;
        consumer_tell_refused(consumer);
    }
    if (!consumer->missing)
        return;
    /* It did not exist when we subscribed. */
    consumer->missing = false;
    consumer_subscribe(consumer);
}

/* --- our share of the partitions --- */

static void consumer_join_again(struct kafka_consumer *consumer)
{
    rd_kafka_unsubscribe(consumer->rk);
    consumer_subscribe(consumer);
}

/* The member that deals out the partitions may have found no topic at that moment, and librdkafka
 * joins again only if the topic has changed since it was seen last. If the other members have all
 * partitions, joining again does no harm. */
void consumer_check_share(struct kafka_consumer *consumer)
{
    uint64_t since = consumer->none_ms;

    if (consumer->state != CONSUMER_RUNNING || since == 0 ||
        loop_now_ms(consumer->job->loop) - since < (uint64_t)NONE_MS << consumer->none_times ||
        kafka_topics_seen_ms(consumer->topics) < since)
        return;
    consumer->none_ms = 0;
    consumer->none_times++;
    log_info("joining again", "why=\"no partition is ours since Kafka was away\"");
    consumer_join_again(consumer);
}

void consumer_on_unowned(size_t n, void *arg)
{
    struct kafka_consumer *consumer = arg;

    if (consumer->state != CONSUMER_RUNNING)
        return;
    log_warn("joining again", "topic=%s why=\"%zu of its partitions are nobody's\"",
             consumer_topic(consumer), n);
    consumer_join_again(consumer);
}

static void consumer_share(struct kafka_consumer *consumer)
{
    if (kafka_consumer_partitions(consumer) > 0) {
        consumer->doubt = false;
        consumer->none_ms = consumer->none_times = 0;
    } else if (consumer->doubt && consumer->none_times < NONE_TIMES) {
        consumer->none_ms = loop_now_ms(consumer->job->loop);
        kafka_topics_ask(consumer->topics);
    }
}

void consumer_complain(struct kafka_consumer *consumer, const char *what, rd_kafka_error_t *error)
{
    if (error == NULL)
        return;
    job_count(consumer->job, JOB_BUS_ERRORS);
    log_error(what, "err=\"%s\"", rd_kafka_error_string(error));
    rd_kafka_error_destroy(error);
}

static bool consumer_is_incremental(const struct kafka_consumer *consumer)
{
    return strcmp(rd_kafka_rebalance_protocol(consumer->rk), "COOPERATIVE") == 0;
}

static void consumer_assign(struct kafka_consumer *consumer,
                            const rd_kafka_topic_partition_list_t *list)
{
    partition_reader_add(consumer->partitions, list);
    if (consumer_is_incremental(consumer))
        consumer_complain(consumer, "assign failed",
                          rd_kafka_incremental_assign(consumer->rk, list));
    else
        rd_kafka_assign(consumer->rk, list);
    consumer->joined = true;
    consumer->down = false;
    consumer->missing &= list->cnt == 0;
    if (list->cnt > 0)
        consumer_allowed(consumer);
    consumer_share(consumer);
    log_info("partitions assigned", "new=%d all=%zu", list->cnt,
             kafka_consumer_partitions(consumer));
    consumer_tell(consumer, "the topic is missing");
}

/* The commit leaves before the group hears that the partitions are free. What is forgotten is
 * consumed again by the next owner. */
static void consumer_revoke(struct kafka_consumer *consumer,
                            const rd_kafka_topic_partition_list_t *list)
{
    bool lost = rd_kafka_assignment_lost(consumer->rk);

    if (!lost)
        partition_reader_commit(consumer->partitions);
    for (int i = 0; i < list->cnt; i++)
        partition_reader_remove(consumer->partitions, list->elems[i].partition);
    if (consumer_is_incremental(consumer))
        consumer_complain(consumer, "unassign failed",
                          rd_kafka_incremental_unassign(consumer->rk, list));
    else
        rd_kafka_assign(consumer->rk, NULL);
    log_info(lost ? "partitions lost" : "partitions revoked", "gone=%d left=%zu", list->cnt,
             kafka_consumer_partitions(consumer));
    if (consumer->state == CONSUMER_LEAVING && kafka_consumer_partitions(consumer) == 0)
        uv_timer_start(&consumer->limit, consumer_on_left, GOODBYE_MS, 0);
    if (!lost)
        return;
    consumer->joined = false;
    consumer->doubt = true;
    consumer_tell(consumer, "expelled from the group, joining again");
}

void consumer_on_rebalance(rd_kafka_t *rk, rd_kafka_resp_err_t err,
                           rd_kafka_topic_partition_list_t *list, void *opaque)
{
    struct kafka_consumer *consumer = opaque;

    switch (err) {
    case RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS:
        consumer_assign(consumer, list);
        return;
    case RD_KAFKA_RESP_ERR__REVOKE_PARTITIONS:
        consumer_revoke(consumer, list);
        return;
    default:
        job_count(consumer->job, JOB_BUS_ERRORS);
        log_error("rebalance failed", "err=\"%s\"", rd_kafka_err2str(err));
        partition_reader_clear(consumer->partitions);
        rd_kafka_assign(rk, NULL);
    }
}

/* --- errors, and what was committed --- */

/* This instance never reads again: another member with our group.instance.id has taken our place,
 * for example. */
static void consumer_fail(struct kafka_consumer *consumer)
{
    char text[256], why[320];
    rd_kafka_resp_err_t code = rd_kafka_fatal_error(consumer->rk, text, sizeof text);

    if (consumer->state != CONSUMER_RUNNING)
        return;
    log_error("bus consumer failed for good",
              "err=%s text=\"%s\" hint=\"two jobs with one lease.id or group.instance.id?\"",
              rd_kafka_err2name(code), text);
    snprintf(why, sizeof why, "the bus consumer failed for good: %s", text);
    consumer->joined = false;
    consumer_tell(consumer, why);
    consumer->failed(false, consumer->ready_arg);
}

static void consumer_session_refused(struct kafka_consumer *consumer)
{
    consumer_tell(consumer, "the brokers do not allow this bus.session_timeout");
    if (consumer->state == CONSUMER_RUNNING && consumer->job->session_ms < SESSION_ALLOWED_MS)
        consumer->failed(true, consumer->ready_arg);
}

/* The log has it already. */
void consumer_on_error(rd_kafka_t *rk, int err, const char *reason, void *opaque)
{
    struct kafka_consumer *consumer = opaque;

    (void)rk;
    job_count(consumer->job, JOB_BUS_ERRORS);
    log_debug("kafka error", "err=%s reason=\"%s\"", rd_kafka_err2name((rd_kafka_resp_err_t)err),
              reason);
    if (err == RD_KAFKA_RESP_ERR__SSL || err == RD_KAFKA_RESP_ERR__AUTHENTICATION) {
        log_warn("bus", "err=%s text=\"%s\"", rd_kafka_err2name((rd_kafka_resp_err_t)err), reason);
        consumer_refused(consumer, (rd_kafka_resp_err_t)err);
    }
    if (err != RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN)
        return;
    consumer->down = consumer->doubt = true;
    partition_reader_doubt(consumer->partitions);
    char why[256];
    kafka_why_silent(why, sizeof why);
    consumer_tell(consumer, why);
    consumer_tell_refused(consumer); /* if that is why */
    if (consumer->topics != NULL)
        kafka_topics_ask(consumer->topics);
}

void consumer_on_commit(rd_kafka_t *rk, rd_kafka_resp_err_t err,
                        rd_kafka_topic_partition_list_t *offsets, void *opaque)
{
    struct kafka_consumer *consumer = opaque;

    (void)rk;
    partition_reader_committed(consumer->partitions);
    if (err == RD_KAFKA_RESP_ERR_NO_ERROR)
        consumer_is_up(consumer);
    else
        partition_reader_uncommitted(consumer->partitions, offsets);
    if (err == RD_KAFKA_RESP_ERR_NO_ERROR || err == RD_KAFKA_RESP_ERR__NO_OFFSET)
        return;
    job_count(consumer->job, JOB_BUS_ERRORS);
    log_warn("offsets not committed", "err=\"%s\"; they will be consumed again",
             rd_kafka_err2str(err));
    consumer_refused(consumer, err);
}

static void consumer_message(struct kafka_consumer *consumer, const rd_kafka_message_t *message)
{
    /* Messages come through their partition's queue only. */
    assert(message->err != RD_KAFKA_RESP_ERR_NO_ERROR);
    job_count(consumer->job, JOB_BUS_ERRORS);
    log_warn("kafka consumer error", "err=\"%s\"", rd_kafka_message_errstr(message));
    if (message->err == RD_KAFKA_RESP_ERR__FATAL)
        consumer_fail(consumer);
    consumer_refused(consumer, message->err);
    if (message->err == RD_KAFKA_RESP_ERR_INVALID_SESSION_TIMEOUT)
        consumer_session_refused(consumer);
    if (message->err != RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART)
        return;
    consumer->missing = consumer->doubt = true;
    consumer_tell(consumer, "the topic is missing, see bus.topic");
    kafka_topics_ask(consumer->topics);
}

bool consumer_drain(rd_kafka_queue_t *queue, void *arg)
{
    struct kafka_consumer *consumer = arg;

    (void)queue;
    for (int i = 0; i < EVENTS; i++) {
        rd_kafka_message_t *message = rd_kafka_consumer_poll(consumer->rk, 0);
        if (message == NULL)
            return false;
        consumer_message(consumer, message);
        rd_kafka_message_destroy(message);
    }
    return true;
}
