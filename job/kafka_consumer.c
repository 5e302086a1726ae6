/* kafka_consumer.c - see kafka_consumer.h.
 *
 *   consumer queue ─► consumer_drain: rebalance, errors ─► partition_reader_add / _remove
 *   tick (100 ms): partition_reader_commit_due: each second; on revoke and at the end at once
 *
 *   RUNNING ──kafka_consumer_drain──► DRAINING ──consumer_leave──► LEAVING ──consumer_close──┐
 *                                               all is resolved,            partitions are   │
 *                                               or the wait is over         given back       │
 *                                               CLOSED: drained() ◄── CLOSING ◄──────────────┘
 *
 *   Every step has its time: whether brokers answer or not, CLOSED comes. */
#include "job/kafka_consumer.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/kafka/kafka.h"
#include "common/kafka/shutdown.h"
#include "common/kafka/topics.h"
#include "job/job.h"
#include "job/lag_report.h"
#include "job/partition_reader.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    EVENTS = 64,                   /* of the consumer's queue per turn */
    TICK_MS = LAG_REPORT_EVERY_MS, /* storing offsets, too */
    UNREAD_MS = 2000,              /* a partition that is not read for so long makes us unready */
    SESSION_ALLOWED_MS = 6000,     /* brokers' default of group.min.session.timeout.ms */
    REVOKE_MS = 2000,              /* for giving the partitions back */
    GOODBYE_MS = 300,              /* for telling the group, once they are given back */
    CLOSE_MS = 2000,               /* for the last commit; beyond that the next owner reads again */
    NONE_MS =
        1000, /* with a share of nothing that may be a mistake; doubled for each time in a row */
    NONE_TIMES = 4,
    POLL_MS = 60000, /* max.poll.interval.ms: a loop that hangs so long loses its partitions */
};

enum consumer_state {
    CONSUMER_RUNNING,
    CONSUMER_DRAINING,
    CONSUMER_LEAVING,
    CONSUMER_CLOSING,
    CONSUMER_CLOSED
};

struct kafka_consumer {
    struct job *job;
    kafka_ready_fn ready;
    kafka_failed_fn failed;
    void *ready_arg;
    rd_kafka_t *rk;
    rd_kafka_queue_t *queue; /* consumer's; after kafka_consumer_drain() that of closing */
    struct kafka_queue *bus;
    struct kafka_topics *topics;
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

static const char *consumer_topic(const struct kafka_consumer *consumer)
{
    return consumer->job->config->bus_topic;
}

static int consumer_subscribe(struct kafka_consumer *consumer);

static bool consumer_is_refused(const struct kafka_consumer *consumer)
{
    return consumer->group_refused != RD_KAFKA_RESP_ERR_NO_ERROR ||
           consumer->topic_refused != RD_KAFKA_RESP_ERR_NO_ERROR;
}

static bool consumer_is_ready(const struct kafka_consumer *consumer)
{
    return consumer->joined && !consumer->missing && !consumer->down &&
           !consumer_is_refused(consumer);
}

static void consumer_tell(struct kafka_consumer *consumer, const char *why)
{
    if (consumer->state == CONSUMER_RUNNING)
        consumer->ready("bus", consumer_is_ready(consumer), why, consumer->ready_arg);
}

static void consumer_tell_unread(struct kafka_consumer *consumer)
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

/* Some broker has answered something. */
static void consumer_is_up(void *arg)
{
    struct kafka_consumer *consumer = arg;

    if (!consumer->down)
        return;
    consumer->down = false;
    consumer_tell(consumer, "joining the group");
}

/* librdkafka tells a refusal once; it is over when partitions or messages come. */
static void consumer_tell_refused(struct kafka_consumer *consumer)
{
    rd_kafka_resp_err_t err = consumer->group_refused != RD_KAFKA_RESP_ERR_NO_ERROR
                                  ? consumer->group_refused
                                  : consumer->topic_refused;
    char why[256];

    if (kafka_refusal(err, consumer_topic(consumer), "Describe and Read", why, sizeof why))
        consumer_tell(consumer, why);
}

static void consumer_refused(struct kafka_consumer *consumer, rd_kafka_resp_err_t err)
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

static void consumer_allowed(struct kafka_consumer *consumer)
{
    consumer->group_refused = consumer->topic_refused = RD_KAFKA_RESP_ERR_NO_ERROR;
}

static void consumer_on_heard(rd_kafka_resp_err_t err, void *arg)
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

/* --- all the time --- */

/* Who deals out the partitions may have found no topic just then; librdkafka joins again only if
 * the topic is not what it was when it was there last. If the others have them all, nothing comes
 * of it. */
static void consumer_check_share(struct kafka_consumer *consumer)
{
    uint64_t since = consumer->none_ms;

    if (consumer->state != CONSUMER_RUNNING || since == 0 ||
        loop_now_ms(consumer->job->loop) - since < (uint64_t)NONE_MS << consumer->none_times ||
        kafka_topics_seen_ms(consumer->topics) < since)
        return;
    consumer->none_ms = 0;
    consumer->none_times++;
    log_info("joining again", "why=\"no partition is ours since Kafka was away\"");
    rd_kafka_unsubscribe(consumer->rk);
    consumer_subscribe(consumer);
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

static void consumer_on_tick(uv_timer_t *timer)
{
    struct kafka_consumer *consumer = container_of(timer, struct kafka_consumer, tick);

    partition_reader_commit_due(consumer->partitions);
    partition_reader_check(consumer->partitions);
    consumer_check_share(consumer);
    consumer_tell_unread(consumer);
    partition_reader_wake(consumer->partitions);
    partition_reader_again(consumer->partitions);
    partition_reader_look(consumer->partitions);
    lag_report_look(consumer->job, partition_reader_lag_ms(consumer->partitions),
                    partition_reader_span_permille(consumer->partitions));
    kafka_queue_wake(consumer->bus); /* keeps max.poll.interval.ms satisfied */
}

static void consumer_on_room(struct job *job, void *arg)
{
    (void)job;
    kafka_consumer_wake(arg);
}

static void consumer_on_again(struct job *job, void *arg)
{
    struct kafka_consumer *consumer = arg;

    (void)job;
    partition_reader_again(consumer->partitions);
}

void kafka_consumer_wake(struct kafka_consumer *consumer)
{
    partition_reader_wake(consumer->partitions);
}

/* --- the group --- */

static void consumer_complain(struct kafka_consumer *consumer, const char *what,
                              rd_kafka_error_t *error)
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

static void consumer_on_left(uv_timer_t *timer);

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

static void consumer_on_rebalance(rd_kafka_t *rk, rd_kafka_resp_err_t err,
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

/* Another member with our group.instance.id has taken our place, for one: this instance never reads
 * again. */
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
static void consumer_on_error(rd_kafka_t *rk, int err, const char *reason, void *opaque)
{
    struct kafka_consumer *consumer = opaque;

    (void)rk;
    job_count(consumer->job, JOB_BUS_ERRORS);
    log_debug("kafka error", "err=%s reason=\"%s\"", rd_kafka_err2name((rd_kafka_resp_err_t)err),
              reason);
    if (err != RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN)
        return;
    consumer->down = consumer->doubt = true;
    consumer_tell(consumer, "no broker answers, see bus.brokers");
    if (consumer->topics != NULL)
        kafka_topics_ask(consumer->topics);
}

static void consumer_on_commit(rd_kafka_t *rk, rd_kafka_resp_err_t err,
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

static bool consumer_drain(rd_kafka_queue_t *queue, void *arg)
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

static int consumer_subscribe(struct kafka_consumer *consumer)
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

static void consumer_on_topic(bool ok, const char *why, void *arg)
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

/* --- draining --- */

static void consumer_finish_closing(struct kafka_consumer *consumer)
{
    const char *group = consumer->job->config->bus_group;

    if (consumer->state != CONSUMER_CLOSING)
        return;
    if (rd_kafka_consumer_closed(consumer->rk) != 0)
        log_info("left the group", "group=%s", group);
    else if (loop_now_ms(consumer->job->loop) >= consumer->closing_ms + CLOSE_MS)
        log_warn("group not left",
                 "group=%s waited=%dms hint=\"brokers do not answer; it ends with our session\"",
                 group, (int)CLOSE_MS);
    else
        return;
    consumer->state = CONSUMER_CLOSED;
    uv_timer_stop(&consumer->limit);
    consumer->drained(consumer->drained_arg);
}

static bool closing_drain(rd_kafka_queue_t *queue, void *arg)
{
    rd_kafka_queue_poll_callback(queue, 0);
    consumer_finish_closing(arg);
    return false;
}

/* Its end is an event of no queue. */
static void consumer_on_closing(uv_timer_t *timer)
{
    struct kafka_consumer *consumer = container_of(timer, struct kafka_consumer, limit);

    rd_kafka_queue_poll_callback(consumer->queue, 0);
    consumer_finish_closing(consumer);
}

enum { CLOSING_POLL_MS = 20 };

static void consumer_close(struct kafka_consumer *consumer)
{
    consumer->state = CONSUMER_CLOSING;
    consumer->closing_ms = loop_now_ms(consumer->job->loop);
    uv_timer_stop(&consumer->tick);
    partition_reader_commit(consumer->partitions);
    kafka_queue_close(consumer->bus);
    rd_kafka_queue_destroy(consumer->queue);
    consumer->bus = NULL;
    consumer->queue = rd_kafka_queue_new(consumer->rk);
    consumer_complain(consumer, "close failed",
                      rd_kafka_consumer_close_queue(consumer->rk, consumer->queue));
    if (kafka_queue_open(consumer->job->loop, consumer->queue, closing_drain, consumer,
                         &consumer->bus) != 0)
        log_warn("closing is polled", "every=%dms", (int)CLOSING_POLL_MS);
    uv_timer_start(&consumer->limit, consumer_on_closing, CLOSING_POLL_MS, CLOSING_POLL_MS);
}

static void consumer_on_left(uv_timer_t *timer)
{
    consumer_close(container_of(timer, struct kafka_consumer, limit));
}

/* A member with a name of its own that only closes is taken for one that comes back: the others get
 * its partitions when its session is over. One that ends its subscription leaves. */
static void consumer_leave(struct kafka_consumer *consumer)
{
    if (consumer->state != CONSUMER_DRAINING)
        return;
    consumer->state = CONSUMER_LEAVING;
    partition_reader_commit(consumer->partitions);
    rd_kafka_unsubscribe(consumer->rk);
    bool none = kafka_consumer_partitions(consumer) == 0;
    uv_timer_start(&consumer->limit, consumer_on_left, none ? GOODBYE_MS : REVOKE_MS, 0);
}

static void consumer_on_finish(struct loop *loop, struct loop_task *task)
{
    (void)loop;
    consumer_leave(container_of(task, struct kafka_consumer, finish));
}

static void consumer_on_idle(struct job *job, void *arg)
{
    struct kafka_consumer *consumer = arg;

    if (consumer->state == CONSUMER_DRAINING)
        loop_defer(job->loop, &consumer->finish);
}

static void consumer_on_limit(uv_timer_t *timer)
{
    struct kafka_consumer *consumer = container_of(timer, struct kafka_consumer, limit);

    log_warn("drained in part", "unresolved=%zu; the next owner of the partitions takes them up",
             job_unresolved(consumer->job));
    consumer_leave(consumer);
}

void kafka_consumer_drain(struct kafka_consumer *consumer, int64_t wait_ms, void (*done)(void *arg),
                          void *arg)
{
    assert(consumer->state == CONSUMER_RUNNING);
    consumer->state = CONSUMER_DRAINING;
    consumer->drained = done;
    consumer->drained_arg = arg;
    consumer->job->closing = true;
    uv_timer_start(&consumer->limit, consumer_on_limit, (uint64_t)wait_ms, 0);
    if (job_unresolved(consumer->job) == 0)
        consumer_on_idle(consumer->job, consumer);
}

/* --- life --- */

/* The group's name for us: whoever comes with it takes over what is ours at once, without waiting
 * until we are taken for dead. Brokers allow only these characters. */
static void consumer_instance(const char *id, char *instance)
{
    size_t i = 0;

    for (; id[i] != '\0'; i++)
        instance[i] = isalnum((unsigned char)id[i]) || strchr("._-", id[i]) != NULL ? id[i] : '_';
    instance[i] = '\0';
}

static int consumer_settings(struct kafka_consumer *consumer, rd_kafka_conf_t *conf, char *err,
                             size_t errlen)
{
    const struct job_config *config = consumer->job->config;
    int64_t session_ms = consumer->job->session_ms;
    int64_t poll_ms = session_ms > POLL_MS ? session_ms : POLL_MS;
    char instance[sizeof consumer->job->id];
    const struct {
        const char *name, *value;
    } words[] = {
        {"group.id", config->bus_group},
        {"partition.assignment.strategy", "cooperative-sticky"},
        {"auto.offset.reset", "earliest"},
        {"enable.auto.commit", "false"}, /* its commits carry no anchors */
        {"enable.auto.offset.store", "false"},
        {"enable.partition.eof", "false"},
        {"queued.max.messages.kbytes", "8192"}, /* per partition */
        {"queued.min.messages", "10000"},
        {"topic.metadata.refresh.interval.ms", "3000"}, /* new partitions */
        {"fetch.error.backoff.ms", "100"},
    };

    consumer_instance(consumer->job->id, instance);
    if (kafka_conf_set(conf, "group.instance.id", instance, err, errlen) != 0)
        return -EINVAL;
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (kafka_conf_set(conf, words[i].name, words[i].value, err, errlen) != 0)
            return -EINVAL;
    }
    if (kafka_conf_set_int(conf, "fetch.wait.max.ms", config->fetch_wait_ms, err, errlen) != 0 ||
        kafka_conf_set_int(conf, "session.timeout.ms", session_ms, err, errlen) != 0 ||
        kafka_conf_set_int(conf, "heartbeat.interval.ms", session_ms / 8, err, errlen) != 0 ||
        kafka_conf_set_int(conf, "max.poll.interval.ms", poll_ms, err, errlen) != 0)
        return -EINVAL;
    rd_kafka_conf_set_rebalance_cb(conf, consumer_on_rebalance);
    rd_kafka_conf_set_error_cb(conf, consumer_on_error);
    rd_kafka_conf_set_offset_commit_cb(conf, consumer_on_commit);
    rd_kafka_conf_set_opaque(conf, consumer);
    return kafka_conf_options(conf, config->bus_options, err, errlen);
}

static int consumer_create(struct kafka_consumer *consumer)
{
    const struct job_config *config = consumer->job->config;
    char err[512];
    rd_kafka_conf_t *conf = kafka_conf_new(config->bus_brokers, consumer->job->id, err, sizeof err);

    if (conf != NULL && consumer_settings(consumer, conf, err, sizeof err) == 0)
        consumer->rk = rd_kafka_new(RD_KAFKA_CONSUMER, conf, err, sizeof err);
    if (consumer->rk == NULL) {
        log_error("cannot open the bus", "err=\"%s\"; see bus.brokers and bus.options", err);
        if (conf != NULL)
            rd_kafka_conf_destroy(conf);
        return -EINVAL;
    }
    rd_kafka_poll_set_consumer(consumer->rk);
    return 0;
}

/* Its queue, and all that is asked of the brokers. */
static int consumer_connect(struct kafka_consumer *consumer)
{
    const struct job_config *config = consumer->job->config;
    struct loop *loop = consumer->job->loop;
    const struct kafka_topic topic = {.name = config->bus_topic,
                                      .partitions = (int)config->bus_partitions,
                                      .replication = (int)config->bus_replication,
                                      .rights = "Describe and Read"};

    int err = kafka_queue_open(loop, consumer->queue, consumer_drain, consumer, &consumer->bus);
    if (err != 0)
        goto fail;
    err = kafka_topics_open(loop, consumer->rk, &topic, consumer_on_topic, consumer,
                            &consumer->topics);
    if (err != 0)
        goto fail_bus;
    err = consumer_subscribe(consumer);
    if (err == 0)
        return 0;
    kafka_look_wait(kafka_topics_close(consumer->topics));
fail_bus:
    kafka_queue_close(consumer->bus);
fail:
    log_error("cannot open the bus", "topic=%s err=\"%s\"", config->bus_topic, uv_strerror(err));
    return err;
}

static void consumer_start_timers(struct kafka_consumer *consumer)
{
    struct loop *loop = consumer->job->loop;

    consumer->finish.run = consumer_on_finish;
    uv_timer_init(&loop->uv, &consumer->limit);
    uv_timer_init(&loop->uv, &consumer->tick);
    consumer->handles = 2;
    uv_timer_start(&consumer->tick, consumer_on_tick, TICK_MS, TICK_MS);
}

int kafka_consumer_open(struct job *job, struct redis *redis, kafka_ready_fn ready,
                        kafka_failed_fn failed, void *arg, struct kafka_consumer **consumer)
{
    struct kafka_consumer *c = mem_zalloc(sizeof *c);

    *c = (struct kafka_consumer){.job = job, .ready = ready, .failed = failed, .ready_arg = arg};
    int err = consumer_create(c);
    if (err != 0)
        goto fail;
    c->partitions = partition_reader_open(job, c->rk, redis, consumer_on_heard, c);
    c->queue = rd_kafka_queue_get_consumer(c->rk);
    err = consumer_connect(c);
    if (err != 0)
        goto fail_rk;
    consumer_start_timers(c);
    job->room = consumer_on_room;
    job->again = consumer_on_again;
    job->idle = consumer_on_idle;
    job->arg = c;
    consumer_tell(c, "connecting");
    *consumer = c;
    return 0;

fail_rk:
    rd_kafka_queue_destroy(c->queue);
    partition_reader_close(c->partitions);
    kafka_shutdown_forget(kafka_shutdown(c->rk, NULL));
fail:
    free(c);
    return err;
}

static void consumer_on_timer_closed(uv_handle_t *handle)
{
    struct kafka_consumer *consumer = handle->data;

    if (--consumer->handles == 0)
        free(consumer);
}

void kafka_consumer_close(struct kafka_consumer *consumer)
{
    if (consumer == NULL)
        return;
    bool left = consumer->state == CONSUMER_CLOSED;
    consumer->state = CONSUMER_CLOSED;
    consumer->job->room = consumer->job->again = consumer->job->idle = NULL;
    struct kafka_look *look = kafka_topics_close(consumer->topics);
    if (!left)
        partition_reader_commit(consumer->partitions);
    partition_reader_close(consumer->partitions);
    kafka_queue_close(consumer->bus);
    rd_kafka_queue_destroy(consumer->queue);
    kafka_shutdown_forget(kafka_shutdown(consumer->rk, look));
    consumer->tick.data = consumer->limit.data = consumer;
    uv_close((uv_handle_t *)&consumer->tick, consumer_on_timer_closed);
    uv_close((uv_handle_t *)&consumer->limit, consumer_on_timer_closed);
}

size_t kafka_consumer_partitions(const struct kafka_consumer *consumer)
{
    return partition_reader_count(consumer->partitions);
}

size_t kafka_consumer_unread(const struct kafka_consumer *consumer)
{
    uint64_t longest_ms;

    return partition_reader_unread(consumer->partitions, &longest_ms);
}

int64_t kafka_consumer_lag(const struct kafka_consumer *consumer)
{
    return partition_reader_lag(consumer->partitions);
}
