/* kafka_consumer.c - opening and closing, and what is done all the time. See kafka_consumer.h.
 *
 *   tick (100 ms) ─► partition_reader.h: commits that are due, fences, the log, parked messages
 *                └─► readiness, lag */
#include "job/kafka/kafka_consumer.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/kafka/kafka.h"
#include "common/kafka/shutdown.h"
#include "common/kafka/topics.h"
#include "job/base/job.h"
#include "job/kafka/group_share.h"
#include "job/kafka/kafka_consumer_internal.h"
#include "job/kafka/partition_reader.h"
#include "job/mailbox/lag_report.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
    TICK_MS = LAG_REPORT_EVERY_MS,
    POLL_MS = 60000, /* max.poll.interval.ms: a loop that hangs so long loses its partitions */
};

/* --- all the time --- */

static void consumer_look_at_group(struct kafka_consumer *consumer)
{
    if (consumer->state == CONSUMER_RUNNING && !consumer->down)
        group_share_look(consumer->share, kafka_topics_partitions(consumer->topics));
}

static void consumer_on_tick(uv_timer_t *timer)
{
    struct kafka_consumer *consumer = container_of(timer, struct kafka_consumer, tick);

    partition_reader_commit_due(consumer->partitions);
    partition_reader_check(consumer->partitions);
    consumer_check_share(consumer);
    consumer_look_at_group(consumer);
    consumer_tell_unread(consumer);
    partition_reader_wake(consumer->partitions);
    windows_look(&consumer->job->windows);
    partition_reader_again(consumer->partitions);
    partition_reader_look(consumer->partitions);
    lag_report_look(consumer->job, partition_reader_lag_ms(consumer->partitions),
                    partition_reader_span_permille(consumer->partitions));
    kafka_queue_wake(consumer->bus); /* keeps max.poll.interval.ms satisfied */
}

static void consumer_on_room(void *arg)
{
    kafka_consumer_wake(arg);
}

static void consumer_on_again(void *arg)
{
    struct kafka_consumer *consumer = arg;

    partition_reader_again(consumer->partitions);
}

void kafka_consumer_wake(struct kafka_consumer *consumer)
{
    partition_reader_wake(consumer->partitions);
}

static const struct windows_events windows_events = {
    .room = consumer_on_room, .again = consumer_on_again, .idle = consumer_on_idle};

/* --- life --- */

/* The group's name for the job ID. INSTANCE has the room that ID takes. Brokers allow only these
 * characters. */
static void instance_of(const char *id, char *instance)
{
    size_t i = 0;

    for (; id[i] != '\0'; i++)
        instance[i] = isalnum((unsigned char)id[i]) || strchr("._-", id[i]) != NULL ? id[i] : '_';
    instance[i] = '\0';
}

int kafka_consumer_settings(const struct job *job, const struct kafka_group *group,
                            rd_kafka_conf_t *conf, char *err, size_t errlen)
{
    char instance[sizeof job->id];
    const struct {
        const char *name, *value;
    } words[] = {
        {"group.id", group->name},
        {"group.instance.id", instance},
        {"partition.assignment.strategy", "cooperative-sticky"},
        {"auto.offset.reset", "earliest"},
        {"enable.auto.commit", "false"}, /* its commits carry no anchors */
        {"enable.auto.offset.store", "false"},
        {"enable.partition.eof", group->tells_end ? "true" : "false"},
        {"topic.metadata.refresh.interval.ms", "3000"}, /* new partitions */
        {"fetch.error.backoff.ms", "100"},
    };

    instance_of(job->id, instance);
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (kafka_conf_set(conf, words[i].name, words[i].value, err, errlen) != 0)
            return -EINVAL;
    }
    const struct {
        const char *name;
        int64_t value;
    } numbers[] = {
        {"queued.max.messages.kbytes", group->queued_kib},
        {"fetch.wait.max.ms", job->config->fetch_wait_ms},
        {"session.timeout.ms", group->session_ms},
        {"heartbeat.interval.ms", group->session_ms / 8},
    };
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        if (kafka_conf_set_int(conf, numbers[i].name, numbers[i].value, err, errlen) != 0)
            return -EINVAL;
    }
    return 0;
}

static int consumer_settings(struct kafka_consumer *consumer, rd_kafka_conf_t *conf, char *err,
                             size_t errlen)
{
    const struct job_config *config = consumer->job->config;
    int64_t session_ms = consumer->job->session_ms;
    int64_t poll_ms = session_ms > POLL_MS ? session_ms : POLL_MS;
    const struct kafka_group group = {
        .name = config->bus_group, .session_ms = session_ms, .queued_kib = 8192};

    if (kafka_consumer_settings(consumer->job, &group, conf, err, errlen) != 0 ||
        kafka_conf_set(conf, "queued.min.messages", "10000", err, errlen) != 0 ||
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

static struct group_share *consumer_share_open(struct kafka_consumer *consumer)
{
    const struct group_share_options options = {.job = consumer->job,
                                                .rk = consumer->rk,
                                                .group = consumer->job->config->bus_group,
                                                .topic = consumer_topic(consumer),
                                                .unowned = consumer_on_unowned,
                                                .arg = consumer};

    return group_share_open(&options);
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

    loop_assert_owner(job->loop);
    *c = (struct kafka_consumer){.job = job, .ready = ready, .failed = failed, .ready_arg = arg};
    int err = consumer_create(c);
    if (err != 0)
        goto fail;
    c->partitions = partition_reader_open(job, c->rk, redis, consumer_on_heard, c);
    c->queue = rd_kafka_queue_get_consumer(c->rk);
    err = consumer_connect(c);
    if (err != 0)
        goto fail_rk;
    c->share = consumer_share_open(c);
    consumer_start_timers(c);
    job->windows.events = &windows_events;
    job->windows.arg = c;
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
    loop_assert_owner(consumer->job->loop);
    bool left = consumer->state == CONSUMER_CLOSED;
    consumer->state = CONSUMER_CLOSED;
    consumer->job->windows.events = NULL;
    struct kafka_look *look = kafka_topics_close(consumer->topics);
    group_share_close(consumer->share);
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

size_t kafka_consumer_unowned(const struct kafka_consumer *consumer)
{
    return group_share_unowned(consumer->share);
}
