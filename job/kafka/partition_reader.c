#include "job/kafka/partition_reader.h"
#include "common/base/list.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/kafka/kafka.h"
#include "job/base/job.h"
#include "job/comets/comets.h"
#include "job/delivery/dispatch.h"
#include "job/kafka/committed_anchors.h"
#include "job/kafka/reread.h"
#include "job/kafka/revoked_queues.h"
#include "job/partition/log_identity.h"
#include "job/partition/partition.h"
#include "job/partition/partition_fence.h"
#include "job/partition/partition_lag.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>

enum {
    OTHER_MS = 1500, /* longer than a heartbeat */
    BITE = 256,      /* messages of a partition per turn */
    ASK_MS = 500,    /* between two new fences of a partition */
    LATER_MS = 1000, /* between two looks whether there still is a later owner */
    COMMIT_MS = 1000,
    COMMIT_LATE_MS = 10000, /* without an answer: another commit may go */
    PATIENCE_MS = 2000, /* beyond the session's timeout: the group's word is newer than Redis's */
    QUIET_MS = 1000,    /* without a refusal: it is being read */
};

struct assigned {
    LIST_ENTRY(assigned) link;
    struct partition_reader *owner;
    struct partition partition;
    rd_kafka_queue_t *queue;
    struct kafka_queue *bus;
    struct partition_fence *fence; /* NULL: known, or not asked for */
    struct log_identity identity;
    bool anchored;     /* it is known which anchor was committed: reading may begin */
    uint64_t other_ms; /* since when the log seems to be another one; 0: it does not */
    bool restarted;    /* the log is another one, and nothing of it was read yet */
    struct reread_partition *reread;
    struct partition_lag lag;
    int64_t unread; /* at the last look */
    bool stopped;   /* its queue may hold messages that nobody was told of */
    /* Loop times; 0: never. */
    uint64_t unread_since_ms, unread_last_ms;
    uint64_t ask_ms;   /* when Redis may be asked again */
    uint64_t later_ms; /* since when Redis tells of a later owner */
};

struct partition_reader {
    struct job *job;
    rd_kafka_t *rk;
    struct redis *redis;
    LIST_HEAD(, assigned) list;
    struct reread *reread;
    int64_t unix_ms; /* when a bite was taken, by Redis's clock, as messages are dated */
    struct revoked_queues *revoked;
    struct committed_anchors *committed;
    unsigned commits;   /* that were not answered yet */
    uint64_t commit_ms; /* loop time of the last one */
    void (*heard)(rd_kafka_resp_err_t err, void *arg);
    void *arg;
    bool doubted; /* heard() is called for messages, too */
};

static const char *topic_of(const struct partition_reader *reader)
{
    return reader->job->config->bus_topic;
}

static struct assigned *assigned_find(const struct partition_reader *reader, int32_t id)
{
    struct assigned *assigned = LIST_FIRST(&reader->list);

    while (assigned != NULL && assigned->partition.id != id)
        assigned = LIST_NEXT(assigned, link);
    return assigned;
}

/* In the background: what is in the queue already is dropped by librdkafka from now on. */
static void assigned_seek(struct assigned *assigned, int64_t offset)
{
    struct partition_reader *reader = assigned->owner;
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_t *at =
        rd_kafka_topic_partition_list_add(list, topic_of(reader), assigned->partition.id);

    at->offset = offset;
    rd_kafka_error_t *error = rd_kafka_seek_partitions(reader->rk, list, 0);
    if (error != NULL)
        rd_kafka_error_destroy(error); /* that it did not wait */
    if (at->err != RD_KAFKA_RESP_ERR_NO_ERROR && at->err != RD_KAFKA_RESP_ERR__IN_PROGRESS)
        log_error("cannot seek", "topic=%s partition=%" PRId32 " offset=%" PRId64 " err=\"%s\"",
                  topic_of(reader), assigned->partition.id, offset, rd_kafka_err2str(at->err));
    rd_kafka_topic_partition_list_destroy(list);
}

/* --- reading --- */

/* Offsets start again. Unresolved messages of the former log go on as before. */
static void assigned_restart(struct assigned *assigned)
{
    job_count(assigned->owner->job, JOB_LOG_RESTARTS);
    log_warn("partition has another log",
             "topic=%s partition=%" PRId32 " read_to=%" PRId64
             "; its data was lost or the topic made anew: reading from its beginning",
             topic_of(assigned->owner), assigned->partition.id, assigned->identity.next);
    log_identity_init(&assigned->identity);
    partition_lag_begin(&assigned->lag, loop_now_ms(assigned->owner->job->loop));
    partition_restart(&assigned->partition);
    reread_forget(assigned->reread);
    assigned->other_ms = 0;
    assigned->restarted = true;
    assigned_seek(assigned, RD_KAFKA_OFFSET_BEGINNING);
}

/* The partition is not read for now. If another cluster has come in the place of ours, its group
 * does not know us, and says so first. Then we begin where that group says. */
static void assigned_doubt(struct assigned *assigned)
{
    assigned->other_ms = loop_now_ms(assigned->owner->job->loop);
}

/* Commits LIST, and frees it. If librdkafka refuses, the offsets go with the next commit. */
static void partitions_commit(struct partition_reader *reader,
                              rd_kafka_topic_partition_list_t *list)
{
    rd_kafka_resp_err_t err = rd_kafka_commit(reader->rk, list, 1);

    if (err == RD_KAFKA_RESP_ERR_NO_ERROR) {
        reader->commits++;
        reader->commit_ms = loop_now_ms(reader->job->loop);
    } else {
        partition_reader_uncommitted(reader, list);
        log_warn("offsets not committed", "err=\"%s\"", rd_kafka_err2str(err));
    }
    rd_kafka_topic_partition_list_destroy(list);
}

/* The anchor is the message at OFFSET, if that was read, or the last one below. */
static void assigned_add_commit(const struct assigned *assigned, int64_t offset,
                                rd_kafka_topic_partition_list_t *list)
{
    committed_anchors_add(list, topic_of(assigned->owner), assigned->partition.id, offset,
                          log_anchors_below(&assigned->identity.anchors, offset + 1));
}

/* At once: the group's offset is of the former log. */
static void assigned_commit_first(struct assigned *assigned, int64_t offset)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);

    assigned->restarted = false;
    assigned_add_commit(assigned, offset, list);
    partitions_commit(assigned->owner, list);
}

static void assigned_error(struct assigned *assigned, const rd_kafka_message_t *message)
{
    job_count(assigned->owner->job, JOB_BUS_ERRORS);
    log_warn("kafka partition error", "topic=%s partition=%" PRId32 " err=\"%s\"",
             topic_of(assigned->owner), assigned->partition.id, rd_kafka_message_errstr(message));
    log_identity_alarm(&assigned->identity);
}

/* False: the messages that came with it are of no use. */
static bool assigned_message(struct assigned *assigned, const rd_kafka_message_t *message)
{
    int64_t made_ms = rd_kafka_message_timestamp(message, NULL);
    uint64_t now = loop_now_ms(assigned->owner->job->loop);

    if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
        assigned_error(assigned, message);
        return true;
    }
    uint64_t mark = log_identity_mark(made_ms, message->payload, message->len);
    switch (log_identity_message(&assigned->identity, message->offset, mark, now)) {
    case LOG_NEW:
        if (assigned->restarted)
            assigned_commit_first(assigned, message->offset);
        if (made_ms > 0)
            partition_lag_read(&assigned->lag, made_ms, assigned->owner->unix_ms);
        dispatch_message(&assigned->partition, message->offset, message->payload, message->len);
        return true;
    case LOG_SEEN:
        return true;
    case LOG_SEEK:
        assigned_seek(assigned, assigned->identity.sought.offset);
        return false;
    default:
        assigned_doubt(assigned);
        return false;
    }
}

static bool assigned_wants(const struct assigned *assigned)
{
    return assigned->anchored && assigned->other_ms == 0 && partition_wants(&assigned->partition);
}

/* Of the log, as the brokers told last; -1: unknown. */
static int64_t assigned_end(const struct assigned *assigned)
{
    const struct partition_reader *reader = assigned->owner;
    int64_t low, high;

    rd_kafka_resp_err_t err = rd_kafka_get_watermark_offsets(reader->rk, topic_of(reader),
                                                             assigned->partition.id, &low, &high);
    return err == RD_KAFKA_RESP_ERR_NO_ERROR ? high : -1;
}

/* Is it still the same log? */
static void assigned_check_log(struct assigned *assigned, uint64_t now)
{
    if (assigned->other_ms != 0 && now - assigned->other_ms >= OTHER_MS)
        assigned_restart(assigned);
    if (!assigned_wants(assigned))
        return;
    int64_t offset = log_identity_due(&assigned->identity, assigned_end(assigned), now);
    if (offset >= 0)
        assigned_seek(assigned, offset);
    else if (offset == LOG_IS_OTHER)
        assigned_doubt(assigned);
}

static bool assigned_drain(rd_kafka_queue_t *queue, void *arg)
{
    struct assigned *assigned = arg;
    struct partition_reader *reader = assigned->owner;
    rd_kafka_message_t *messages[BITE];
    rd_kafka_resp_err_t err = RD_KAFKA_RESP_ERR_NO_ERROR;
    bool useful = true;

    assigned->stopped = !assigned_wants(assigned);
    if (assigned->stopped)
        return false;
    ssize_t n = rd_kafka_consume_batch_queue(queue, 0, messages, BITE);
    reader->unix_ms = (int64_t)(redis_now_us(reader->redis) / 1000);
    for (ssize_t i = 0; i < n; i++) {
        err = messages[i]->err; /* an error stands alone */
        useful = useful && assigned_message(assigned, messages[i]);
        rd_kafka_message_destroy(messages[i]);
    }
    if (log_identity_is_burst(&assigned->identity))
        assigned_check_log(assigned, loop_now_ms(reader->job->loop));
    if (err != RD_KAFKA_RESP_ERR_NO_ERROR || reader->doubted) {
        reader->doubted = false;
        reader->heard(err, reader->arg);
    }
    return n == BITE; /* fewer: the queue was empty, and librdkafka tells when it is not any more */
}

void partition_reader_doubt(struct partition_reader *reader)
{
    reader->doubted = true;
}

void partition_reader_wake(struct partition_reader *reader)
{
    struct assigned *a;

    loop_assert_owner(reader->job->loop);
    LIST_FOREACH(a, &reader->list, link) {
        if (a->stopped && assigned_wants(a))
            kafka_queue_wake(a->bus);
    }
}

void partition_reader_again(struct partition_reader *reader)
{
    struct assigned *a;

    LIST_FOREACH(a, &reader->list, link)
        reread_wake(a->reread);
}

/* How many messages the log has from OFFSET on, as far as librdkafka knows. None if it is -1. */
static int64_t assigned_behind(const struct assigned *assigned, int64_t offset)
{
    int64_t end = assigned_end(assigned);

    return offset >= 0 && end > offset ? end - offset : 0;
}

void partition_reader_look(struct partition_reader *reader)
{
    struct assigned *a;
    uint64_t now = loop_now_ms(reader->job->loop);
    int64_t unix_ms = (int64_t)(redis_now_us(reader->redis) / 1000);

    reread_serve(reader->reread);
    revoked_queues_sweep(reader->revoked);
    LIST_FOREACH(a, &reader->list, link) {
        a->unread = assigned_behind(a, a->partition.tracker.next);
        a->partition.lag_ms = partition_lag_look(&a->lag, a->unread > 0, now, unix_ms);
        a->partition.behind = assigned_behind(a, offset_tracker_position(&a->partition.tracker));
    }
}

int64_t partition_reader_lag_ms(const struct partition_reader *reader)
{
    const struct assigned *a;
    int64_t most = 0;

    LIST_FOREACH(a, &reader->list, link)
        most = a->partition.lag_ms > most ? a->partition.lag_ms : most;
    return most;
}

int64_t partition_reader_span_permille(const struct partition_reader *reader)
{
    const struct assigned *a;
    int64_t most = 0;

    LIST_FOREACH(a, &reader->list, link) {
        int64_t used = partition_span_permille(&a->partition, a->unread);
        most = used > most ? used : most;
    }
    return most;
}

/* --- coming and going --- */

static void assigned_wait(struct assigned *assigned)
{
    uint64_t now = loop_now_ms(assigned->owner->job->loop);

    assigned->ask_ms = now + LATER_MS;
    if (assigned->later_ms != 0)
        return;
    assigned->later_ms = now;
    log_warn("partition has a later owner",
             "topic=%s partition=%" PRId32 " fence=%" PRIu64 "; not read until the group tells",
             topic_of(assigned->owner), assigned->partition.id, assigned->partition.fence);
}

static void assigned_on_fence(uint64_t number, void *arg)
{
    struct assigned *assigned = arg;
    int64_t position = offset_tracker_replay(&assigned->partition.tracker);

    assigned->fence = NULL;
    if (number == 0) {
        assigned_wait(assigned);
        return;
    }
    assigned->ask_ms = loop_now_ms(assigned->owner->job->loop) + ASK_MS;
    assigned->later_ms = 0;
    partition_own(&assigned->partition, number);
    if (position >= 0) {
        log_identity_rewind(&assigned->identity, position);
        partition_lag_begin(&assigned->lag, loop_now_ms(assigned->owner->job->loop));
        assigned_seek(assigned, position);
    }
    log_info("partition taken", "topic=%s partition=%" PRId32 " fence=%" PRIu64,
             topic_of(assigned->owner), assigned->partition.id, number);
    comets_state(assigned->owner->job->comets);
    kafka_queue_wake(assigned->bus);
}

static void assigned_ask(struct assigned *assigned)
{
    struct partition_reader *reader = assigned->owner;
    struct job *job = reader->job;
    uint64_t patience = (uint64_t)job->session_ms + PATIENCE_MS;
    const struct partition_fence_question question = {
        .topic = topic_of(reader),
        .partition = assigned->partition.id,
        .ours = assigned->partition.fence,
        .heard = job->fence_heard,
        .claim = assigned->later_ms != 0 && loop_now_ms(job->loop) - assigned->later_ms > patience,
    };

    assigned->fence =
        partition_fence_ask(job->loop, reader->redis, &question, assigned_on_fence, assigned);
}

static void assigned_on_anchor(int32_t id, struct log_anchor anchor, void *arg)
{
    struct partition_reader *reader = arg;
    struct assigned *assigned = assigned_find(reader, id);

    if (assigned == NULL || assigned->anchored)
        return;
    assigned->anchored = true;
    log_identity_expect(&assigned->identity, anchor);
    kafka_queue_wake(assigned->bus);
}

/* One question for all partitions whose anchor is not known. */
static void partitions_ask_anchors(struct partition_reader *reader)
{
    struct assigned *a;
    rd_kafka_topic_partition_list_t *list;

    if (!committed_anchors_may_ask(reader->committed))
        return;
    list = rd_kafka_topic_partition_list_new(16);
    LIST_FOREACH(a, &reader->list, link) {
        if (!a->anchored)
            rd_kafka_topic_partition_list_add(list, topic_of(reader), a->partition.id);
    }
    if (list->cnt > 0)
        committed_anchors_ask(reader->committed, list);
    rd_kafka_topic_partition_list_destroy(list);
}

static void assigned_check(struct assigned *assigned, uint64_t now)
{
    const struct partition *partition = &assigned->partition;

    if (partition->refused && assigned->fence == NULL && now >= assigned->ask_ms)
        assigned_ask(assigned);
    if (partition->refused || partition->fence == 0 || !assigned->anchored) {
        assigned->unread_last_ms = now;
        if (assigned->unread_since_ms == 0)
            assigned->unread_since_ms = now;
    } else if (now - assigned->unread_last_ms > QUIET_MS) {
        assigned->unread_since_ms = 0;
    }
}

void partition_reader_check(struct partition_reader *reader)
{
    struct assigned *a;
    uint64_t now = loop_now_ms(reader->job->loop);

    partitions_ask_anchors(reader);
    LIST_FOREACH(a, &reader->list, link) {
        assigned_check(a, now);
        assigned_check_log(a, now);
    }
}

size_t partition_reader_unread(const struct partition_reader *reader, uint64_t *longest_ms)
{
    const struct assigned *a;
    uint64_t now = loop_now_ms(reader->job->loop);
    size_t n = 0;

    *longest_ms = 0;
    LIST_FOREACH(a, &reader->list, link) {
        if (a->unread_since_ms == 0)
            continue;
        n++;
        if (now - a->unread_since_ms > *longest_ms)
            *longest_ms = now - a->unread_since_ms;
    }
    return n;
}

static void partitions_add(struct partition_reader *reader, int32_t id)
{
    struct job *job = reader->job;

    if (assigned_find(reader, id) != NULL)
        return;
    struct assigned *assigned = mem_zalloc(sizeof *assigned);
    assigned->owner = reader;
    partition_init(&assigned->partition, job, id);
    log_identity_init(&assigned->identity);
    assigned->reread = reread_partition_open(reader->reread, &assigned->partition);
    partition_lag_begin(&assigned->lag, loop_now_ms(job->loop));
    assigned->queue = rd_kafka_queue_get_partition(reader->rk, topic_of(reader), id);
    assert(assigned->queue != NULL);
    revoked_queues_back(reader->revoked, id);
    rd_kafka_queue_forward(assigned->queue, NULL);
    int err =
        kafka_queue_open(job->loop, assigned->queue, assigned_drain, assigned, &assigned->bus);
    if (err != 0) {
        log_error("cannot read a partition",
                  "partition=%" PRId32 " err=\"%s\"; raise the limit of open files", id,
                  uv_strerror(err));
        abort(); /* restarted, it tries again; going on would leave the partition to nobody */
    }
    LIST_INSERT_HEAD(&reader->list, assigned, link);
    assigned_ask(assigned);
}

void partition_reader_add(struct partition_reader *reader,
                          const rd_kafka_topic_partition_list_t *list)
{
    loop_assert_owner(reader->job->loop);
    for (int i = 0; i < list->cnt; i++)
        partitions_add(reader, list->elems[i].partition);
    partitions_ask_anchors(reader);
}

void partition_reader_remove(struct partition_reader *reader, int32_t id)
{
    struct assigned *assigned = assigned_find(reader, id);

    loop_assert_owner(reader->job->loop);
    if (assigned == NULL)
        return;
    LIST_REMOVE(assigned, link);
    partition_fence_cancel(assigned->fence);
    reread_partition_close(assigned->reread);
    kafka_queue_close(assigned->bus);
    revoked_queues_add(reader->revoked, id, assigned->queue);
    partition_free(&assigned->partition);
    free(assigned);
}

void partition_reader_clear(struct partition_reader *reader)
{
    while (!LIST_EMPTY(&reader->list))
        partition_reader_remove(reader, LIST_FIRST(&reader->list)->partition.id);
}

struct partition_reader *partition_reader_open(struct job *job, rd_kafka_t *rk, struct redis *redis,
                                               void (*heard)(rd_kafka_resp_err_t err, void *arg),
                                               void *arg)
{
    struct partition_reader *reader = mem_zalloc(sizeof *reader);

    *reader =
        (struct partition_reader){.job = job, .rk = rk, .redis = redis, .heard = heard, .arg = arg};
    reader->reread = reread_open(job);
    reader->revoked = revoked_queues_open(rk);
    reader->committed = committed_anchors_open(job, rk, assigned_on_anchor, reader);
    return reader;
}

void partition_reader_close(struct partition_reader *reader)
{
    partition_reader_clear(reader);
    committed_anchors_close(reader->committed);
    reread_close(reader->reread);
    revoked_queues_close(reader->revoked);
    free(reader);
}

/* --- offsets --- */

void partition_reader_commit(struct partition_reader *reader)
{
    struct assigned *a;
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(16);

    loop_assert_owner(reader->job->loop);
    LIST_FOREACH(a, &reader->list, link) {
        int64_t offset = partition_to_commit(&a->partition);
        if (offset >= 0)
            assigned_add_commit(a, offset, list);
    }
    if (list->cnt > 0)
        partitions_commit(reader, list);
    else
        rd_kafka_topic_partition_list_destroy(list);
}

/* One at a time: while the brokers are away, librdkafka keeps each that it cannot send. */
void partition_reader_commit_due(struct partition_reader *reader)
{
    uint64_t since_ms = loop_now_ms(reader->job->loop) - reader->commit_ms;

    if (since_ms >= COMMIT_LATE_MS)
        reader->commits = 0;
    if (since_ms >= COMMIT_MS && reader->commits == 0)
        partition_reader_commit(reader);
}

void partition_reader_uncommitted(struct partition_reader *reader,
                                  const rd_kafka_topic_partition_list_t *list)
{
    for (int i = 0; list != NULL && i < list->cnt; i++) {
        struct assigned *assigned = assigned_find(reader, list->elems[i].partition);
        if (assigned != NULL)
            assigned->partition.committed = -1;
    }
}

void partition_reader_committed(struct partition_reader *reader)
{
    if (reader->commits > 0)
        reader->commits--;
}

size_t partition_reader_count(const struct partition_reader *reader)
{
    const struct assigned *a;
    size_t n = 0;

    LIST_FOREACH(a, &reader->list, link)
        n++;
    return n;
}
