/* The consumer of the log of sessions: its group, its partitions, what is committed.
 *
 *   events.log is there ─► joins the group ─► partition assigned: paused ─► what was committed is
 *   known ─► read from its beginning ─► event_partition.h
 *
 * While events.window events wait for the business, the partitions are paused. */
#include "common/base/log.h"
#include "common/kafka/shutdown.h"
#include "job/events/events_internal.h"
#include "job/events/log_consumer.h"
#include "job/kafka/committed_anchors.h"

#include <inttypes.h>

enum { RECORDS_PER_TURN = 512, REOPEN_MS = 2000 };

static struct event_partition *partition_find(const struct events *events, int32_t id)
{
    struct event_partition *partition;

    LIST_FOREACH(partition, &events->partitions, link) {
        if (partition->id == id)
            return partition;
    }
    return NULL;
}

/* --- reading and not --- */

static rd_kafka_topic_partition_list_t *list_of(const struct events *events,
                                                bool (*wanted)(const struct event_partition *))
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(8);
    const struct event_partition *partition;

    LIST_FOREACH(partition, &events->partitions, link) {
        if (wanted(partition))
            rd_kafka_topic_partition_list_add(list, events_log_name(events), partition->id);
    }
    return list;
}

static bool is_known(const struct event_partition *partition)
{
    return partition->known;
}

static bool is_unknown(const struct event_partition *partition)
{
    return !partition->known;
}

void event_group_pause(struct events *events, bool pause)
{
    rd_kafka_topic_partition_list_t *list = list_of(events, is_known);

    events->paused = pause;
    if (pause)
        rd_kafka_pause_partitions(events->rk, list);
    else
        rd_kafka_resume_partitions(events->rk, list);
    rd_kafka_topic_partition_list_destroy(list);
}

void event_group_pause_if_full(struct events *events)
{
    size_t window = (size_t)events->job->config->events_window;

    if (events->rk == NULL || events->drain_ms != 0)
        return;
    if (!events->paused && events->outlets.waiting >= window)
        event_group_pause(events, true);
    else if (events->paused && events->outlets.waiting <= window / 2)
        event_group_pause(events, false);
}

static void read_from_beginning(struct events *events, int32_t id)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);

    rd_kafka_topic_partition_list_add(list, events_log_name(events), id)->offset =
        RD_KAFKA_OFFSET_BEGINNING;
    rd_kafka_error_t *error = rd_kafka_seek_partitions(events->rk, list, 0);
    if (error != NULL) {
        job_count(events->job, JOB_BUS_ERRORS);
        log_error("events: cannot read from the beginning", "partition=%" PRId32 " err=\"%s\"", id,
                  rd_kafka_error_string(error));
        rd_kafka_error_destroy(error);
    }
    rd_kafka_topic_partition_list_destroy(list);
}

/* What was committed of partition ID is known. */
static void on_committed(int32_t id, struct log_anchor anchor, void *arg)
{
    struct events *events = arg;
    struct event_partition *partition = partition_find(events, id);

    if (partition == NULL || partition->known)
        return;
    event_partition_known(partition, anchor.offset + 1);
    if (partition->skipped)
        read_from_beginning(events, id);
    if (events->paused || events->drain_ms != 0)
        return;
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(list, events_log_name(events), id);
    rd_kafka_resume_partitions(events->rk, list);
    rd_kafka_topic_partition_list_destroy(list);
}

void event_group_ask_committed(struct events *events)
{
    if (!committed_anchors_may_ask(events->committed))
        return;
    rd_kafka_topic_partition_list_t *list = list_of(events, is_unknown);
    if (list->cnt > 0)
        committed_anchors_ask(events->committed, list);
    rd_kafka_topic_partition_list_destroy(list);
}

/* The commit's metadata says its offset, too: what comes back by committed_anchors.h. */
void event_group_commit(struct events *events)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(8);
    struct event_partition *partition;

    LIST_FOREACH(partition, &events->partitions, link) {
        int64_t position = event_partition_position(partition);
        if (position <= 0 || position == partition->committed)
            continue;
        const struct log_anchor anchor = {.offset = position - 1};
        committed_anchors_add(list, events_log_name(events), partition->id, position, anchor);
        partition->committed = position;
    }
    if (list->cnt > 0)
        rd_kafka_commit(events->rk, list, 1);
    rd_kafka_topic_partition_list_destroy(list);
}

static void on_commit(rd_kafka_t *rk, rd_kafka_resp_err_t err,
                      rd_kafka_topic_partition_list_t *offsets, void *opaque)
{
    struct events *events = opaque;
    struct event_partition *partition;

    (void)rk;
    (void)offsets;
    if (err == RD_KAFKA_RESP_ERR_NO_ERROR || err == RD_KAFKA_RESP_ERR__NO_OFFSET)
        return;
    job_count(events->job, JOB_BUS_ERRORS);
    log_warn("events: offsets not committed", "err=\"%s\"; tried again", rd_kafka_err2str(err));
    LIST_FOREACH(partition, &events->partitions, link)
        partition->committed = -1;
}

/* --- the group --- */

static void partition_end(struct event_partition *partition)
{
    LIST_REMOVE(partition, link);
    event_partition_close(partition);
}

static void partitions_end(struct events *events)
{
    while (!LIST_EMPTY(&events->partitions))
        partition_end(LIST_FIRST(&events->partitions));
}

static void complain(struct events *events, rd_kafka_error_t *error)
{
    if (error == NULL)
        return;
    job_count(events->job, JOB_BUS_ERRORS);
    log_error("events: the group", "err=\"%s\"", rd_kafka_error_string(error));
    rd_kafka_error_destroy(error);
}

static void partitions_come(struct events *events, rd_kafka_topic_partition_list_t *list)
{
    for (int i = 0; i < list->cnt; i++) {
        list->elems[i].offset = RD_KAFKA_OFFSET_BEGINNING;
        if (partition_find(events, list->elems[i].partition) == NULL) {
            struct event_partition *partition =
                event_partition_open(&events->outlets, list->elems[i].partition);
            LIST_INSERT_HEAD(&events->partitions, partition, link);
        }
    }
    complain(events, rd_kafka_incremental_assign(events->rk, list));
    rd_kafka_pause_partitions(events->rk, list);
    event_group_ask_committed(events);
}

static void partitions_gone(struct events *events, rd_kafka_topic_partition_list_t *list)
{
    if (!rd_kafka_assignment_lost(events->rk))
        event_group_commit(events);
    for (int i = 0; i < list->cnt; i++) {
        struct event_partition *partition = partition_find(events, list->elems[i].partition);
        if (partition != NULL)
            partition_end(partition);
    }
    complain(events, rd_kafka_incremental_unassign(events->rk, list));
}

static void on_rebalance(rd_kafka_t *rk, rd_kafka_resp_err_t err,
                         rd_kafka_topic_partition_list_t *list, void *opaque)
{
    struct events *events = opaque;

    if (err == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS) {
        partitions_come(events, list);
    } else if (err == RD_KAFKA_RESP_ERR__REVOKE_PARTITIONS) {
        partitions_gone(events, list);
    } else {
        job_count(events->job, JOB_BUS_ERRORS);
        log_error("events: rebalance failed", "err=\"%s\"", rd_kafka_err2str(err));
        partitions_end(events);
        rd_kafka_assign(rk, NULL);
        return;
    }
    log_info("events: partitions", "%s=%d",
             err == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS ? "new" : "gone", list->cnt);
}

/* The log of PARTITION ends at OFFSET. */
static void take_end(struct events *events, struct event_partition *partition, int64_t offset)
{
    int32_t id = partition->id;

    event_partition_heard(partition);
    if (event_partition_end(partition, offset))
        return;
    log_warn("events: another log",
             "topic=%s partition=%" PRId32 " end=%" PRId64
             "; read from its beginning, as if nothing were committed",
             events_log_name(events), id, offset);
    job_count(events->job, JOB_LOG_RESTARTS);
    partition_end(partition);
    partition = event_partition_open(&events->outlets, id);
    LIST_INSERT_HEAD(&events->partitions, partition, link);
    event_partition_known(partition, 0);
    read_from_beginning(events, id);
}

/* Where the log of partition ID ended when librdkafka fetched from it last; -1: it has not. */
static int64_t log_end(const struct events *events, int32_t id)
{
    int64_t low, high;

    rd_kafka_resp_err_t err =
        rd_kafka_get_watermark_offsets(events->rk, events_log_name(events), id, &low, &high);
    return err == RD_KAFKA_RESP_ERR_NO_ERROR ? high : -1;
}

static void take_record(struct events *events, struct event_partition *partition,
                        const rd_kafka_message_t *message)
{
    event_partition_record(partition, message);
    if (!partition->caught_up && event_partition_reached(partition, log_end(events, partition->id)))
        take_end(events, partition, partition->goal);
}

static void take_error(struct events *events, const rd_kafka_message_t *message)
{
    char why[256];

    job_count(events->job, JOB_BUS_ERRORS);
    log_warn("events: kafka consumer error", "err=\"%s\"", rd_kafka_message_errstr(message));
    if (message->err == RD_KAFKA_RESP_ERR__FATAL) {
        events->failed = true;
        events->reopen_ms = events_now_ms(events) + REOPEN_MS;
        events_tell(events);
    } else if (kafka_refusal(message->err, events_log_name(events), "Describe, Read and Write", why,
                             sizeof why)) {
        events->ready("events", false, why, events->ready_arg);
    }
}

static bool on_messages(rd_kafka_queue_t *queue, void *arg)
{
    struct events *events = arg;

    (void)queue;
    for (int i = 0; i < RECORDS_PER_TURN; i++) {
        rd_kafka_message_t *message = rd_kafka_consumer_poll(events->rk, 0);
        if (message == NULL)
            return false;
        struct event_partition *partition = partition_find(events, message->partition);
        if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR &&
            message->err != RD_KAFKA_RESP_ERR__PARTITION_EOF)
            take_error(events, message);
        else if (partition != NULL && message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF)
            take_end(events, partition, message->offset);
        else if (partition != NULL)
            take_record(events, partition, message);
        rd_kafka_message_destroy(message);
        if (events->outlets.waiting >= (size_t)events->job->config->events_window)
            break;
    }
    event_group_pause_if_full(events);
    return true;
}

/* --- partitions that are nobody's --- */

void event_group_look(struct events *events)
{
    group_share_look(events->share, ordered_producer_partitions(events->outlets.log));
}

static void on_unowned(size_t n, void *arg)
{
    struct events *events = arg;

    if (events->drain_ms != 0 || events->failed)
        return;
    log_warn("events: joining again", "topic=%s why=\"%zu of its partitions are nobody's\"",
             events_log_name(events), n);
    rd_kafka_unsubscribe(events->rk);
    if (!log_consumer_subscribe(events->job, events->rk))
        events->failed = true; /* it is opened anew */
}

static struct group_share *share_open(struct events *events)
{
    const struct group_share_options options = {.job = events->job,
                                                .rk = events->rk,
                                                .group = events->job->config->events_group,
                                                .topic = events_log_name(events),
                                                .unowned = on_unowned,
                                                .arg = events};

    return group_share_open(&options);
}

/* --- the consumer --- */

static const struct log_consumer_events consumer_events = {.rebalance = on_rebalance,
                                                           .commit = on_commit};

void event_group_close(struct events *events)
{
    if (events->rk == NULL)
        return;
    partitions_end(events);
    committed_anchors_close(events->committed);
    group_share_close(events->share);
    kafka_queue_close(events->bus);
    rd_kafka_queue_destroy(events->queue);
    kafka_shutdown_forget(kafka_shutdown(events->rk, NULL));
    events->rk = NULL;
}

void event_group_open(struct events *events)
{
    events->reopen_ms = events_now_ms(events) + REOPEN_MS;
    events->rk = log_consumer_new(events->job, &consumer_events, events);
    if (events->rk != NULL) {
        events->failed = events->paused = false;
        events_tell(events);
        events->queue = rd_kafka_queue_get_consumer(events->rk);
        events->committed = committed_anchors_open(events->job, events->rk, on_committed, events);
        events->share = share_open(events);
        int err =
            kafka_queue_open(events->job->loop, events->queue, on_messages, events, &events->bus);
        if (err != 0 || !log_consumer_subscribe(events->job, events->rk)) {
            log_error("events: cannot read the log", "topic=%s; tried again",
                      events_log_name(events));
            event_group_close(events);
        }
    }
}
