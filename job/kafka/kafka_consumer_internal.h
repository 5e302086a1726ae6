/* kafka_consumer_internal.h - what kafka_consumer.c (life), kafka_consumer_group.c (what the group
 * tells, and what readiness says of it) and kafka_consumer_leave.c (the way out) share. Owner loop
 * only. */
#ifndef IMC_JOB_KAFKA_KAFKA_CONSUMER_INTERNAL_H
#define IMC_JOB_KAFKA_KAFKA_CONSUMER_INTERNAL_H

#include "common/base/loop.h"
#include "job/base/job.h"
#include <librdkafka/rdkafka.h>

struct group_share;
struct kafka_queue;
struct kafka_topics;
struct partition_reader;

/* kafka_consumer_leave.c draws it. */
enum consumer_state {
    CONSUMER_RUNNING,
    CONSUMER_DRAINING,
    CONSUMER_LEAVING,
    CONSUMER_CLOSING,
    CONSUMER_CLOSED
};

struct kafka_consumer {
    struct job *job;
    /* kafka_ready_fn and kafka_failed_fn, kafka_consumer.h */
    void (*ready)(const char *what, bool ready, const char *why, void *arg);
    void (*failed)(bool is_short, void *arg);
    void *ready_arg;
    rd_kafka_t *rk;
    rd_kafka_queue_t *queue; /* consumer's; after kafka_consumer_drain() that of closing */
    struct kafka_queue *bus;
    struct kafka_topics *topics;
    struct group_share *share;
    struct partition_reader *partitions;
    uv_timer_t tick, limit;
    struct loop_task finish;
    uint64_t closing_ms; /* since when */
    int handles;
    enum consumer_state state;
    bool joined;      /* the group has given us our share, if only an empty one */
    bool missing;     /* the brokers do not know the topic */
    bool down;        /* no broker answers */
    bool doubt;       /* brokers or topic were away since we had a partition */
    uint64_t none_ms; /* since when our share is nothing that is doubted; 0: it is not */
    unsigned none_times;
    rd_kafka_resp_err_t group_refused, topic_refused; /* the right that this user lacks, or 0 */
    void (*drained)(void *arg);
    void *drained_arg;
};

static inline const char *consumer_topic(const struct kafka_consumer *consumer)
{
    return consumer->job->config->bus_topic;
}

/* --- kafka_consumer_group.c: readiness --- */
bool consumer_is_ready(const struct kafka_consumer *consumer);
/* Whether it is, and if not, WHY. */
void consumer_tell(struct kafka_consumer *consumer, const char *why);
void consumer_tell_unread(struct kafka_consumer *consumer);
/* Some broker has answered something. */
void consumer_is_up(struct kafka_consumer *consumer);
/* ERR may be a right that is missing. It is remembered until consumer_allowed(). */
void consumer_refused(struct kafka_consumer *consumer, rd_kafka_resp_err_t err);
void consumer_tell_refused(struct kafka_consumer *consumer);
void consumer_allowed(struct kafka_consumer *consumer);
/* For partition_reader.h. */
void consumer_on_heard(rd_kafka_resp_err_t err, void *arg);

/* --- kafka_consumer_group.c: the group --- */
/* 0 or -EINVAL, after logging why. */
int consumer_subscribe(struct kafka_consumer *consumer);
/* Joins again if our share is nothing, and that is doubted. */
void consumer_check_share(struct kafka_consumer *consumer);
/* For group_share.h. */
void consumer_on_unowned(size_t n, void *arg);
/* Counts, logs and frees ERROR; NULL is fine. */
void consumer_complain(struct kafka_consumer *consumer, const char *what, rd_kafka_error_t *error);
/* For kafka/topics.h, kafka/kafka.h and librdkafka. */
void consumer_on_topic(bool ok, const char *why, void *arg);
bool consumer_drain(rd_kafka_queue_t *queue, void *consumer);
void consumer_on_rebalance(rd_kafka_t *rk, rd_kafka_resp_err_t err,
                           rd_kafka_topic_partition_list_t *list, void *opaque);
void consumer_on_error(rd_kafka_t *rk, int err, const char *reason, void *opaque);
void consumer_on_commit(rd_kafka_t *rk, rd_kafka_resp_err_t err,
                        rd_kafka_topic_partition_list_t *offsets, void *opaque);

/* --- kafka_consumer_leave.c --- */
enum { GOODBYE_MS = 300 }; /* for telling the group, once the partitions are given back */
/* Of the timer `limit`: the partitions are given back, or it took too long. */
void consumer_on_left(uv_timer_t *timer);
/* Nothing is unresolved any more. */
void consumer_on_idle(void *arg);
void consumer_on_finish(struct loop *loop, struct loop_task *task);

#endif
