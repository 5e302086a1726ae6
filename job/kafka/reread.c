/* reread.c - see reread.h.
 *
 * librdkafka's "simple consumer" reads a partition from a given offset, without group and without
 * commits. What it has fetched in advance stays in its queue while there is no room. */
#include "job/kafka/reread.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/kafka/kafka.h"
#include "common/kafka/shutdown.h"
#include "job/base/job.h"
#include "job/delivery/dispatch.h"
#include "job/partition/partition.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>

enum {
    BITE = 128,   /* messages of a partition per turn */
    WAIT_MS = 10, /* what is parked is there: a fetch that finds nothing is of other partitions, and
                   * one that begins anew waits for it */
    QUEUE_KBYTES = 2048,
    QUEUE_MESSAGES = 2000,
};

struct reread {
    struct job *job;
    rd_kafka_t *rk; /* NULL: not needed yet, or it could not be made */
    rd_kafka_topic_t *topic;
    bool failed; /* the log has it */
};

struct reread_partition {
    struct reread *reread;
    struct partition *partition;
    rd_kafka_queue_t *queue; /* NULL: STOPPED */
    struct kafka_queue *bus;
    int64_t next;    /* offset after the newest one read again, or where reading began */
    unsigned starts; /* how often reading began */
    bool full;       /* its queue may hold messages that nobody was told of */
};

/* --- the client --- */

static rd_kafka_conf_t *reread_settings(const struct job *job, char *err, size_t errlen)
{
    const struct job_config *config = job->config;
    rd_kafka_conf_t *conf = kafka_conf_new(config->bus_brokers, job->id, err, errlen);

    if (conf == NULL)
        return NULL;
    if (kafka_conf_options(conf, config->bus_options, err, errlen) == 0 &&
        kafka_conf_set_int(conf, "queued.max.messages.kbytes", QUEUE_KBYTES, err, errlen) == 0 &&
        kafka_conf_set_int(conf, "queued.min.messages", QUEUE_MESSAGES, err, errlen) == 0 &&
        kafka_conf_set_int(conf, "fetch.wait.max.ms", WAIT_MS, err, errlen) == 0 &&
        kafka_conf_set_int(conf, "fetch.error.backoff.ms", 100, err, errlen) == 0 &&
        /* Where what is parked has been removed, reading goes on behind it. */
        kafka_conf_set(conf, "auto.offset.reset", "earliest", err, errlen) == 0 &&
        kafka_conf_set(conf, "enable.auto.commit", "false", err, errlen) == 0 &&
        kafka_conf_set(conf, "enable.auto.offset.store", "false", err, errlen) == 0)
        return conf;
    rd_kafka_conf_destroy(conf);
    return NULL;
}

static bool reread_connect(struct reread *reread)
{
    char err[512];

    if (reread->topic != NULL)
        return true;
    rd_kafka_conf_t *conf = reread_settings(reread->job, err, sizeof err);
    if (conf != NULL)
        reread->rk = rd_kafka_new(RD_KAFKA_CONSUMER, conf, err, sizeof err);
    if (reread->rk == NULL && conf != NULL)
        rd_kafka_conf_destroy(conf);
    if (reread->rk != NULL)
        reread->topic = rd_kafka_topic_new(reread->rk, reread->job->config->bus_topic, NULL);
    if (reread->topic != NULL)
        return true;
    if (reread->rk != NULL)
        kafka_shutdown_forget(kafka_shutdown(reread->rk, NULL));
    reread->rk = NULL;
    job_count(reread->job, JOB_BUS_ERRORS);
    if (!reread->failed)
        log_error("cannot read messages again", "err=\"%s\"; they wait in Kafka, tried again", err);
    reread->failed = true;
    return false;
}

struct reread *reread_open(struct job *job)
{
    struct reread *reread = mem_zalloc(sizeof *reread);

    reread->job = job;
    return reread;
}

void reread_close(struct reread *reread)
{
    loop_assert_owner(reread->job->loop);
    if (reread->topic != NULL)
        rd_kafka_topic_destroy(reread->topic);
    if (reread->rk != NULL)
        kafka_shutdown_forget(kafka_shutdown(reread->rk, NULL));
    free(reread);
}

void reread_serve(struct reread *reread)
{
    loop_assert_owner(reread->job->loop);
    if (reread->rk != NULL)
        rd_kafka_poll(reread->rk, 0);
}

/* --- a partition --- */

static void reader_stop(struct reread_partition *reader)
{
    if (reader->queue == NULL)
        return;
    rd_kafka_consume_stop(reader->reread->topic, reader->partition->id);
    kafka_queue_close(reader->bus);
    rd_kafka_queue_destroy(reader->queue);
    reader->bus = NULL;
    reader->queue = NULL;
}

static bool reader_may_take(const struct reread_partition *reader,
                            const struct offset_parked *parked)
{
    return windows_may_return(&reader->reread->job->windows, parked->shard);
}

static void reader_message(struct reread_partition *reader, const rd_kafka_message_t *message)
{
    struct partition *partition = reader->partition;

    if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
        int64_t from = reader->next;
        reader->next = message->offset + 1;
        dispatch_again(partition, from, message->offset, message->payload, message->len);
        return;
    }
    job_count(reader->reread->job, JOB_BUS_ERRORS);
    log_warn("kafka partition error", "partition=%" PRId32 " err=\"%s\" reading=again",
             partition->id, rd_kafka_message_errstr(message));
}

static bool reader_drain(rd_kafka_queue_t *queue, void *arg)
{
    struct reread_partition *reader = arg;
    rd_kafka_message_t *messages[BITE];
    struct offset_parked parked;

    if (!partition_parked(reader->partition, &parked) || parked.offset < reader->next) {
        reader_stop(reader); /* reread_wake() begins anew */
        return false;
    }
    reader->full = !reader_may_take(reader, &parked);
    if (reader->full)
        return false;
    unsigned start = reader->starts;
    ssize_t n = rd_kafka_consume_batch_queue(queue, 0, messages, BITE);
    for (ssize_t i = 0; i < n; i++) {
        if (start == reader->starts) /* what a message does may begin reading anew */
            reader_message(reader, messages[i]);
        rd_kafka_message_destroy(messages[i]);
    }
    return n > 0 && start == reader->starts;
}

static int reader_open_queue(struct reread_partition *reader)
{
    reader->queue = rd_kafka_queue_new(reader->reread->rk);
    int err = kafka_queue_open(reader->reread->job->loop, reader->queue, reader_drain, reader,
                               &reader->bus);
    if (err == 0)
        return 0;
    rd_kafka_queue_destroy(reader->queue);
    reader->queue = NULL;
    log_error("cannot read messages again",
              "partition=%" PRId32 " err=\"%s\"; raise the limit of open files",
              reader->partition->id, uv_strerror(err));
    return err;
}

static void reader_start(struct reread_partition *reader, int64_t offset)
{
    if (!reread_connect(reader->reread) || reader_open_queue(reader) != 0)
        return;
    reader->next = offset;
    reader->starts++;
    if (rd_kafka_consume_start_queue(reader->reread->topic, reader->partition->id, reader->next,
                                     reader->queue) == 0)
        return;
    job_count(reader->reread->job, JOB_BUS_ERRORS);
    log_warn("cannot read messages again", "partition=%" PRId32 " offset=%" PRId64 " err=\"%s\"",
             reader->partition->id, reader->next, rd_kafka_err2str(rd_kafka_last_error()));
    reader_stop(reader);
}

void reread_wake(struct reread_partition *reader)
{
    struct offset_parked parked;

    if (!partition_parked(reader->partition, &parked) || !reader_may_take(reader, &parked))
        return;
    /* A shard is not passed over any more, or the partition was forgotten and has begun again. */
    if (reader->queue != NULL && parked.offset < reader->next)
        reader_stop(reader);
    if (reader->queue == NULL)
        reader_start(reader, parked.offset);
    else if (reader->full)
        kafka_queue_wake(reader->bus);
}

void reread_forget(struct reread_partition *reader)
{
    reader_stop(reader);
}

struct reread_partition *reread_partition_open(struct reread *reread, struct partition *partition)
{
    struct reread_partition *reader = mem_zalloc(sizeof *reader);

    reader->reread = reread;
    reader->partition = partition;
    return reader;
}

void reread_partition_close(struct reread_partition *reader)
{
    if (reader == NULL)
        return;
    reader_stop(reader);
    free(reader);
}
