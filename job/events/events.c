/* events.c - where events go, the way out, and time.
 *
 *   tick (100 ms) ─► the consumer (event_group.c), commits, dead comets, what has to be sent again
 */
#include "job/events/events.h"
#include "common/base/mem.h"
#include "common/base/time.h"
#include "common/events/event_types.h"
#include "common/redis/redis.h"
#include "job/events/events_internal.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    TICK_MS = 100,
    WATCH_MS = 1000, /* between two looks who is dead, and two commits */
    LEAVE_MS = 2000,
};

/* The first cause of several is told: the others may follow from it. */
void events_tell(struct events *events)
{
    const char *why = NULL;
    char silent[96];

    (void)snprintf(silent, sizeof silent,
                   "%zu partitions of events.log are assigned, and nothing comes of them",
                   events->silent);
    if (!events->log_ready)
        why = events->log_why;
    else if (events->failed)
        why = "the consumer of events.log failed for good; it is opened anew";
    else if (!events->outlet_ready)
        why = events->outlet_why;
    else if (events->silent > 0)
        why = silent;
    events->ready("events", why == NULL, why != NULL ? why : "", events->ready_arg);
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
    uint64_t now = events_now_ms(events);

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
    event_group_commit(events);
    rd_kafka_unsubscribe(events->rk);
}

void events_drain(struct events *events, int64_t wait_ms, void (*done)(void *arg), void *arg)
{
    loop_assert_owner(events->job->loop);
    events->drained = done;
    events->drained_arg = arg;
    if (events->rk != NULL)
        event_group_pause(events, true);
    events->drain_ms = events_now_ms(events) + (uint64_t)wait_ms;
}

/* --- all the time --- */

static void on_pump(struct loop *loop, struct loop_task *task)
{
    struct events *events = container_of(task, struct events, outlets.pump);
    struct event_partition *partition;

    (void)loop;
    LIST_FOREACH(partition, &events->partitions, link)
        event_partition_pump(partition);
    message_facts_pump(&events->facts);
    event_group_pause_if_full(events);
}

static void look_for_silent(struct events *events)
{
    struct event_partition *partition;
    size_t silent = 0;

    LIST_FOREACH(partition, &events->partitions, link) {
        if (events->paused)
            event_partition_heard(partition);
        silent += event_partition_is_silent(partition);
    }
    if (silent == events->silent)
        return;
    events->silent = silent;
    events_tell(events);
}

static void look(struct events *events)
{
    struct event_partition *partition;

    events->looked_ms = events_now_ms(events);
    LIST_FOREACH(partition, &events->partitions, link)
        event_partition_look(partition);
    look_for_silent(events);
    event_group_commit(events);
}

static void on_tick(uv_timer_t *timer)
{
    struct events *events = container_of(timer, struct events, tick);

    if (events->failed && events->rk != NULL)
        event_group_close(events);
    if (events->rk == NULL && events->log_ready && events->drain_ms == 0 &&
        events_now_ms(events) >= events->reopen_ms)
        event_group_open(events);
    loop_defer(events->job->loop, &events->outlets.pump);
    if (events->rk != NULL) {
        kafka_queue_wake(events->bus); /* keeps max.poll.interval.ms satisfied */
        event_group_ask_committed(events);
        if (events->drain_ms == 0)
            event_group_look(events);
        if (events_now_ms(events) >= events->looked_ms + WATCH_MS)
            look(events);
    }
    if (events->drain_ms != 0)
        drain_look(events);
}

static void keep_why(char out[EVENTS_WHY_MAX], const char *why)
{
    (void)snprintf(out, EVENTS_WHY_MAX, "%s", why);
}

static void on_log(bool ready, const char *why, void *arg)
{
    struct events *events = arg;

    events->log_ready = ready;
    keep_why(events->log_why, ready ? "" : why);
    events_tell(events);
}

static void on_outlet(bool ready, const char *why, void *arg)
{
    struct events *events = arg;

    events->outlet_ready = ready;
    keep_why(events->outlet_why, ready ? "" : why);
    events_tell(events);
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
    const struct producer_bus bus = {.loop = events->job->loop,
                                     .client_id = events->job->id,
                                     .brokers = config->bus_brokers,
                                     .options = config->bus_options,
                                     .replication = (int)config->bus_replication,
                                     .now_ms = bus_now_ms,
                                     .arg = events->job};
    const struct event_outlet_options outlet = {
        .job = events->job, .bus = bus, .ready = on_outlet, .count = on_count, .arg = events};
    const struct ordered_options log = {
        .bus = bus,
        .name = "events.log",
        .topic = config->events_log,
        .partitions = (int)config->bus_partitions,
        .settings = SESSION_LOG_SETTINGS,
        .timeout_ms = config->events_timeout_ms,
        .linger_ms = EVENTS_LINGER_MS,
        .max_waiting = (size_t)config->events_window_bytes,
        .ready = on_log,
        .count = on_count,
        .arg = events,
    };
    int err = event_outlet_open(&outlet, &events->outlets.outlet);

    if (err != 0)
        return err;
    err = ordered_producer_open(&log, &events->outlets.log);
    if (err != 0)
        event_outlet_close(events->outlets.outlet);
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
    keep_why(events->log_why, "Kafka was not asked yet");
    keep_why(events->outlet_why, "Kafka was not asked yet");
    LIST_INIT(&events->partitions);
    int failed =
        event_types_read(job->config->events_types, &events->outlets.types, err, sizeof err);
    assert(failed == 0); /* job_config_check() */
    failed = open_producers(events);
    if (failed != 0) {
        free(events);
        return failed;
    }
    message_facts_init(&events->facts, &events->outlets);
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
    event_group_close(events);
    event_outlet_close(events->outlets.outlet);
    message_facts_close(&events->facts);
    ordered_producer_close(events->outlets.log);
    uv_close((uv_handle_t *)&events->tick, on_tick_closed);
}

int events_reload(struct events *events, char *err, size_t errlen)
{
    loop_assert_owner(events->job->loop);
    return event_outlet_reload(events->outlets.outlet, err, errlen);
}

void events_scrape(const struct events *events)
{
    const struct event_partition *partition;
    int64_t open = 0, remembered = 0, absent = 0, partitions = 0, reading = 0, ending = 0;

    LIST_FOREACH(partition, &events->partitions, link) {
        partitions++;
        reading += !partition->caught_up;
        ending += (int64_t)partition->n_ending;
        open += (int64_t)partition->table.n_open;
        remembered += (int64_t)partition->table.n_closed;
        absent += (int64_t)partition->absences.n;
    }
    metric_set(events->job->counters, JOB_EVENTS_PARTITIONS, partitions);
    metric_set(events->job->counters, JOB_EVENTS_UNOWNED,
               events->rk != NULL ? (int64_t)group_share_unowned(events->share) : 0);
    metric_set(events->job->counters, JOB_EVENTS_READING, reading);
    metric_set(events->job->counters, JOB_EVENTS_ENDING, ending);
    metric_set(events->job->counters, JOB_EVENTS_OPEN, open);
    metric_set(events->job->counters, JOB_EVENTS_REMEMBERED, remembered);
    metric_set(events->job->counters, JOB_EVENTS_ABSENT, absent);
    metric_set(events->job->counters, JOB_EVENTS_FACTS, (int64_t)events->facts.n);
    metric_set(events->job->counters, JOB_EVENTS_WAITING, (int64_t)events->outlets.waiting);
    event_outlet_scrape(events->outlets.outlet);
}
