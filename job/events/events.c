/* events.c - the consumer group, the two producers, and time.
 *
 *   events.log is there ─► joins the group ─► partition assigned: paused ─► what was committed is
 *   known ─► read from its beginning ─► event_partition.h
 *
 *   tick (100 ms) ─► commits, dead comets, what has to be sent again
 *
 * While events.window events wait for events.topic, the partitions are paused. */
#include "job/events/events.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/base/time.h"
#include "common/kafka/kafka.h"
#include "common/kafka/shutdown.h"
#include "common/redis/redis.h"
#include "job/events/event_json.h"
#include "job/events/event_partition.h"
#include "job/events/log_consumer.h"
#include "job/kafka/committed_anchors.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    TICK_MS = 100,
    WATCH_MS = 1000, /* between two looks who is dead, and two commits */
    RECORDS_PER_TURN = 512,
    REOPEN_MS = 2000,
    LEAVE_MS = 2000,
};

struct events {
    struct event_outlets outlets;
    struct job *job;
    kafka_ready_fn ready;
    void *ready_arg;
    rd_kafka_t *rk; /* NULL: the log is not there yet, or it failed */
    rd_kafka_queue_t *queue;
    struct kafka_queue *bus;
    struct committed_anchors *committed;
    LIST_HEAD(, event_partition) partitions;
    uint64_t looked_ms, reopen_ms;
    bool log_ready, topic_ready, paused, failed, leaving;
    uint64_t drain_ms; /* until when what was read is waited for; 0: it goes on */
    void (*drained)(void *arg);
    void *drained_arg;
    uv_timer_t tick;
};

static const char *log_name(const struct events *events)
{
    return events->job->config->events_log;
}

static uint64_t now_ms(const struct events *events)
{
    return loop_now_ms(events->job->loop);
}

static struct event_partition *partition_find(const struct events *events, int32_t id)
{
    struct event_partition *partition;

    LIST_FOREACH(partition, &events->partitions, link) {
        if (partition->id == id)
            return partition;
    }
    return NULL;
}

static void tell(struct events *events, const char *why)
{
    events->ready("events", events->log_ready && events->topic_ready && !events->failed, why,
                  events->ready_arg);
}

/* --- reading and not --- */

static rd_kafka_topic_partition_list_t *list_of(const struct events *events,
                                                bool (*wanted)(const struct event_partition *))
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(8);
    const struct event_partition *partition;

    LIST_FOREACH(partition, &events->partitions, link) {
        if (wanted(partition))
            rd_kafka_topic_partition_list_add(list, log_name(events), partition->id);
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

static void pause_known(struct events *events, bool pause)
{
    rd_kafka_topic_partition_list_t *list = list_of(events, is_known);

    events->paused = pause;
    if (pause)
        rd_kafka_pause_partitions(events->rk, list);
    else
        rd_kafka_resume_partitions(events->rk, list);
    rd_kafka_topic_partition_list_destroy(list);
}

static void pause_if_full(struct events *events)
{
    size_t window = (size_t)events->job->config->events_window;

    if (events->rk == NULL || events->drain_ms != 0)
        return;
    if (!events->paused && events->outlets.waiting >= window)
        pause_known(events, true);
    else if (events->paused && events->outlets.waiting <= window / 2)
        pause_known(events, false);
}

static void read_from_beginning(struct events *events, int32_t id)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);

    rd_kafka_topic_partition_list_add(list, log_name(events), id)->offset =
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
    rd_kafka_topic_partition_list_add(list, log_name(events), id);
    rd_kafka_resume_partitions(events->rk, list);
    rd_kafka_topic_partition_list_destroy(list);
}

static void ask_committed(struct events *events)
{
    if (!committed_anchors_may_ask(events->committed))
        return;
    rd_kafka_topic_partition_list_t *list = list_of(events, is_unknown);
    if (list->cnt > 0)
        committed_anchors_ask(events->committed, list);
    rd_kafka_topic_partition_list_destroy(list);
}

/* The commit's metadata says its offset, too: what comes back by committed_anchors.h. */
static void commit(struct events *events)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(8);
    struct event_partition *partition;

    LIST_FOREACH(partition, &events->partitions, link) {
        int64_t position = event_partition_position(partition);
        if (position <= 0 || position == partition->committed)
            continue;
        const struct log_anchor anchor = {.offset = position - 1};
        committed_anchors_add(list, log_name(events), partition->id, position, anchor);
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
    ask_committed(events);
}

static void partitions_gone(struct events *events, rd_kafka_topic_partition_list_t *list)
{
    if (!rd_kafka_assignment_lost(events->rk))
        commit(events);
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

static void take_end(struct events *events, const rd_kafka_message_t *message)
{
    struct event_partition *partition = partition_find(events, message->partition);

    if (partition == NULL || event_partition_end(partition, message->offset))
        return;
    log_warn("events: another log",
             "topic=%s partition=%" PRId32 " end=%" PRId64
             "; read from its beginning, as if nothing were committed",
             log_name(events), message->partition, message->offset);
    job_count(events->job, JOB_LOG_RESTARTS);
    partition_end(partition);
    partition = event_partition_open(&events->outlets, message->partition);
    LIST_INSERT_HEAD(&events->partitions, partition, link);
    event_partition_known(partition, 0);
    read_from_beginning(events, message->partition);
}

static void take_error(struct events *events, const rd_kafka_message_t *message)
{
    char why[256];

    job_count(events->job, JOB_BUS_ERRORS);
    log_warn("events: kafka consumer error", "err=\"%s\"", rd_kafka_message_errstr(message));
    if (message->err == RD_KAFKA_RESP_ERR__FATAL) {
        events->failed = true;
        events->reopen_ms = now_ms(events) + REOPEN_MS;
        tell(events, "the consumer of events.log failed for good; it is opened anew");
    } else if (kafka_refusal(message->err, log_name(events), "Describe, Read and Write", why,
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
        if (message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF)
            take_end(events, message);
        else if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR)
            take_error(events, message);
        else if (partition != NULL)
            event_partition_record(partition, message);
        rd_kafka_message_destroy(message);
    }
    pause_if_full(events);
    return true;
}

/* --- the consumer --- */

static const struct log_consumer_events consumer_events = {.rebalance = on_rebalance,
                                                           .commit = on_commit};

static void consumer_close(struct events *events)
{
    if (events->rk == NULL)
        return;
    partitions_end(events);
    committed_anchors_close(events->committed);
    kafka_queue_close(events->bus);
    rd_kafka_queue_destroy(events->queue);
    kafka_shutdown_forget(kafka_shutdown(events->rk, NULL));
    events->rk = NULL;
}

static void consumer_open(struct events *events)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);

    events->reopen_ms = now_ms(events) + REOPEN_MS;
    events->rk = log_consumer_new(events->job, &consumer_events, events);
    if (events->rk != NULL) {
        events->failed = events->paused = false;
        events->queue = rd_kafka_queue_get_consumer(events->rk);
        events->committed = committed_anchors_open(events->job, events->rk, on_committed, events);
        rd_kafka_topic_partition_list_add(list, log_name(events), RD_KAFKA_PARTITION_UA);
        int err =
            kafka_queue_open(events->job->loop, events->queue, on_messages, events, &events->bus);
        if (err != 0 || rd_kafka_subscribe(events->rk, list) != RD_KAFKA_RESP_ERR_NO_ERROR) {
            log_error("events: cannot read the log", "topic=%s; tried again", log_name(events));
            consumer_close(events);
        }
    }
    rd_kafka_topic_partition_list_destroy(list);
}

/* --- the way out --- */

static void left(struct events *events)
{
    void (*drained)(void *arg) = events->drained;

    events->drained = NULL;
    if (drained != NULL)
        drained(events->drained_arg);
}

static void drain_look(struct events *events)
{
    uint64_t now = now_ms(events);

    if (events->leaving) {
        if (LIST_EMPTY(&events->partitions) || now >= events->drain_ms + LEAVE_MS)
            left(events);
        return;
    }
    if (events->outlets.waiting > 0 && now < events->drain_ms)
        return;
    events->leaving = true;
    events->drain_ms = now;
    if (events->rk == NULL) {
        left(events);
        return;
    }
    commit(events);
    rd_kafka_unsubscribe(events->rk);
}

void events_drain(struct events *events, int64_t wait_ms, void (*done)(void *arg), void *arg)
{
    loop_assert_owner(events->job->loop);
    events->drained = done;
    events->drained_arg = arg;
    if (events->rk != NULL)
        pause_known(events, true);
    events->drain_ms = now_ms(events) + (uint64_t)wait_ms;
}

/* --- all the time --- */

static void on_pump(struct loop *loop, struct loop_task *task)
{
    struct events *events = container_of(task, struct events, outlets.pump);
    struct event_partition *partition;

    (void)loop;
    LIST_FOREACH(partition, &events->partitions, link)
        event_partition_pump(partition);
    pause_if_full(events);
}

static void look(struct events *events)
{
    struct event_partition *partition;

    events->looked_ms = now_ms(events);
    LIST_FOREACH(partition, &events->partitions, link)
        event_partition_look(partition);
    commit(events);
}

static void on_tick(uv_timer_t *timer)
{
    struct events *events = container_of(timer, struct events, tick);

    if (events->failed && events->rk != NULL)
        consumer_close(events);
    if (events->rk == NULL && events->log_ready && events->drain_ms == 0 &&
        now_ms(events) >= events->reopen_ms)
        consumer_open(events);
    if (events->rk != NULL) {
        kafka_queue_wake(events->bus); /* keeps max.poll.interval.ms satisfied */
        ask_committed(events);
        loop_defer(events->job->loop, &events->outlets.pump);
        if (now_ms(events) >= events->looked_ms + WATCH_MS)
            look(events);
    }
    if (events->drain_ms != 0)
        drain_look(events);
}

static void on_log(bool ready, const char *why, void *arg)
{
    struct events *events = arg;

    events->log_ready = ready;
    tell(events, why);
}

static void on_topic(bool ready, const char *why, void *arg)
{
    struct events *events = arg;

    events->topic_ready = ready;
    tell(events, why);
}

static void on_count(enum ordered_count what, void *arg)
{
    struct events *events = arg;

    if (what == ORDERED_FAILED)
        job_count(events->job, JOB_EVENTS_FAILED);
    else if (what == ORDERED_RESTARTS)
        job_count(events->job, JOB_EVENTS_RESTARTS);
}

static uint64_t bus_now_ms(void *arg)
{
    const struct job *job = arg;

    return job->redis != NULL ? redis_now_us(job->redis) / 1000 : time_unix_ms();
}

/* --- life --- */

static int open_producers(struct events *events)
{
    const struct job_config *config = events->job->config;
    struct ordered_options options = {
        .bus = {.loop = events->job->loop,
                .client_id = events->job->id,
                .brokers = config->bus_brokers,
                .options = config->bus_options,
                .replication = (int)config->bus_replication,
                .now_ms = bus_now_ms,
                .arg = events->job},
        .name = "events.topic",
        .topic = config->events_topic,
        .timeout_ms = config->events_timeout_ms,
        .max_waiting = (size_t)config->events_window_bytes,
        .ready = on_topic,
        .count = on_count,
        .arg = events,
    };
    int err = ordered_producer_open(&options, &events->outlets.topic);

    if (err != 0)
        return err;
    options.name = "events.log";
    options.topic = config->events_log;
    options.partitions = (int)config->bus_partitions;
    options.settings = SESSION_LOG_SETTINGS;
    options.ready = on_log;
    err = ordered_producer_open(&options, &events->outlets.log);
    if (err != 0)
        ordered_producer_close(events->outlets.topic);
    return err;
}

int events_open(struct job *job, struct membership *membership, kafka_ready_fn ready, void *arg,
                struct events **out)
{
    char err[128];

    loop_assert_owner(job->loop);
    if (job->config->events_log[0] == '\0')
        return 0;
    struct events *events = mem_zalloc(sizeof *events);
    *events = (struct events){.job = job, .ready = ready, .ready_arg = arg};
    events->outlets =
        (struct event_outlets){.job = job, .membership = membership, .now_ms = bus_now_ms};
    events->outlets.pump.run = on_pump;
    LIST_INIT(&events->partitions);
    int failed =
        event_types_read(job->config->events_types, &events->outlets.types, err, sizeof err);
    assert(failed == 0); /* job_config_check() */
    failed = open_producers(events);
    if (failed != 0) {
        free(events);
        return failed;
    }
    uv_timer_init(&job->loop->uv, &events->tick);
    uv_timer_start(&events->tick, on_tick, TICK_MS, TICK_MS);
    *out = events;
    return 0;
}

static void on_tick_closed(uv_handle_t *handle)
{
    free(container_of((uv_timer_t *)handle, struct events, tick));
}

void events_close(struct events *events)
{
    if (events == NULL)
        return;
    loop_assert_owner(events->job->loop);
    consumer_close(events);
    ordered_producer_close(events->outlets.topic);
    ordered_producer_close(events->outlets.log);
    uv_close((uv_handle_t *)&events->tick, on_tick_closed);
}

void events_scrape(const struct events *events)
{
    const struct event_partition *partition;
    int64_t open = 0, remembered = 0, partitions = 0;

    LIST_FOREACH(partition, &events->partitions, link) {
        partitions++;
        open += (int64_t)partition->table.n_open;
        remembered += (int64_t)partition->table.n_closed;
    }
    metric_set(events->job->counters, JOB_EVENTS_PARTITIONS, partitions);
    metric_set(events->job->counters, JOB_EVENTS_OPEN, open);
    metric_set(events->job->counters, JOB_EVENTS_REMEMBERED, remembered);
    metric_set(events->job->counters, JOB_EVENTS_WAITING, (int64_t)events->outlets.waiting);
}
