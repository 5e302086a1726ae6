/* lifecycle.c - start, readiness and end of the daemon.
 *
 *   start ─► lease and lists (membership) ─► comets known ───┐
 *        ├─► group (kafka_consumer) ─► partitions ─► fences ─┴─► messages flow
 *        └─► another group, of events.log (events.h) ─► the business is told of sessions
 *   SIGTERM ─► stop reading ─► answers come in ─► offsets committed, groups left ─► lease back
 */
#include "job/lifecycle.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/kafka/shutdown.h"
#include "common/trace/tracer.h"
#include "job/comets/comets.h"
#include "job/events/events.h"
#include "job/job_parts.h"
#include "job/kafka/kafka_consumer.h"
#include "job/mailbox/mailbox_handover.h"
#include "job/partition/partition_metrics.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

struct job_daemon {
    struct job job;
    struct daemon *daemon;
    struct redis *redis;
    struct membership *membership;
    struct member self;
    struct kafka_consumer *consumer; /* NULL: the lease was not held yet */
    struct events *events;           /* NULL: likewise, or events.log is empty */
    struct daemon_reload events_reload;
    struct loop_task reopen; /* of the consumer */
    bool is_short;           /* why: brokers want a longer session; else it failed */
    uint64_t failed_ms;      /* since when failures of the consumer are counted */
    unsigned failures;
    bool draining;
    int draining_parts; /* of consumer and events, those that have not left their group */
};

enum {
    SESSION_LONGER_MS = 6000, /* what brokers allow unless told otherwise */
    FAILURES_MOST = 3,        /* of the consumer within … that opening it anew may mend */
    FAILURES_MS = 60000,
};

static void open_bus(struct job_daemon *state);
static void open_events(struct job_daemon *state);

/* --- membership --- */

static void see_comets(struct job_daemon *state)
{
    comets_changed(state->job.comets, membership_list(state->membership, MEMBER_COMET));
}

/* A logic's lease stays for some seconds after it has stopped, so only an answer proves it alive.
 */
static void on_logics_told(void *arg)
{
    struct job_daemon *state = arg;

    daemon_ready(state->daemon, "logic", handover_logics_answering(state->job.handover) > 0,
                 handover_logics(state->job.handover) == 0
                     ? "no logic holds a lease"
                     : "no logic can be reached at the address that it advertises");
}

static void see_logics(struct job_daemon *state)
{
    handover_logics_changed(state->job.handover, membership_list(state->membership, MEMBER_LOGIC));
    on_logics_told(state);
}

/* Nothing is consumed until every list was read: hints would lead nowhere, and rooms to nobody. */
static void see_whether_ready(struct job_daemon *state)
{
    if (state->job.comets_known || !membership_ready(state->membership))
        return;
    see_comets(state);
    see_logics(state);
    state->job.comets_known = true;
    if (state->consumer != NULL)
        kafka_consumer_wake(state->consumer);
}

static void on_members(struct membership *membership, enum member_kind kind, void *arg)
{
    struct job_daemon *state = arg;

    state->membership = membership;
    if (kind == MEMBER_COMET)
        see_comets(state);
    else if (kind == MEMBER_LOGIC)
        see_logics(state);
    see_whether_ready(state);
}

static void on_held(struct membership *membership, bool lost, void *arg)
{
    struct job_daemon *state = arg;

    state->membership = membership;
    daemon_ready(state->daemon, "lease", true, NULL);
    if (lost)
        log_warn("lease had lapsed", "id=%s", state->self.id);
    open_events(state); /* first: what is read of the bus may have to be told */
    open_bus(state);
    see_whether_ready(state);
}

static const struct membership_events membership_events = {.changed = on_members, .held = on_held};

/* --- the two consumers --- */

static void on_ready(const char *what, bool ready, const char *why, void *arg)
{
    struct job_daemon *state = arg;

    daemon_ready(state->daemon, what, ready, why);
}

/* Opening the consumer anew loses nothing: all that is unresolved is in Kafka. A single failure may
 * happen to a job that is alone: it commits as the member it was before its session lapsed. If it
 * fails again and again, two jobs have one name. */
static void on_bus_failed(bool is_short, void *arg)
{
    struct job_daemon *state = arg;
    uint64_t now = loop_now_ms(&state->daemon->loop);

    state->is_short = is_short;
    if (!is_short) {
        job_count(&state->job, JOB_CONSUMER_RESTARTS);
        if (now >= state->failed_ms + FAILURES_MS)
            state->failures = 0;
        if (state->failures++ == 0)
            state->failed_ms = now;
    }
    if (state->failures > FAILURES_MOST)
        daemon_fail(state->daemon);
    else
        loop_defer(&state->daemon->loop, &state->reopen);
}

static int on_events_reload(struct daemon *daemon, void *arg, char *err, size_t errlen)
{
    struct job_daemon *state = arg;

    (void)daemon;
    return events_reload(state->events, err, errlen);
}

static void open_events(struct job_daemon *state)
{
    if (state->draining || state->events != NULL)
        return;
    if (events_open(&state->job, state->membership, on_ready, state, &state->events) != 0) {
        daemon_fail(state->daemon);
    } else if (state->events != NULL) {
        state->events_reload =
            (struct daemon_reload){.what = "events", .run = on_events_reload, .arg = state};
        daemon_on_reload(state->daemon, &state->events_reload);
    }
}

static void open_bus(struct job_daemon *state)
{
    if (state->draining || state->consumer != NULL)
        return;
    if (kafka_consumer_open(&state->job, state->redis, on_ready, on_bus_failed, state,
                            &state->consumer) != 0)
        daemon_fail(state->daemon);
}

static void on_reopen(struct loop *loop, struct loop_task *task)
{
    struct job_daemon *state = container_of(task, struct job_daemon, reopen);

    (void)loop;
    if (state->draining)
        return;
    if (state->is_short) {
        log_warn("longer session",
                 "bus.session_timeout=%" PRId64
                 "ms used=%dms; the brokers' group.min.session.timeout.ms "
                 "does not allow less",
                 state->job.session_ms, (int)SESSION_LONGER_MS);
        state->job.session_ms = SESSION_LONGER_MS;
    }
    kafka_consumer_close(state->consumer);
    state->consumer = NULL;
    open_bus(state);
}

/* --- the daemon --- */

static void on_stalled(bool stalled, const char *why, void *arg)
{
    struct job_daemon *state = arg;
    char text[256];

    snprintf(text, sizeof text, "storing stands still: %s", why);
    daemon_ready(state->daemon, "storing", !stalled, text);
}

static int job_start(struct daemon *daemon)
{
    struct job_daemon *state = mem_zalloc(sizeof *state);
    const unsigned watch = 1U << MEMBER_COMET | 1U << MEMBER_LOGIC;

    daemon->state = state;
    state->daemon = daemon;
    state->reopen.run = on_reopen;
    daemon_ready(daemon, "bus", false, "waiting for the lease");
    daemon_ready(daemon, "logic", false, "no logic holds a lease");
    job_parts_open(&state->job, &daemon->loop, daemon->rpc, daemon->config, daemon->counters);
    state->job.tls = daemon->tls;
    state->job.stalled = on_stalled;
    state->job.logics_told = on_logics_told;
    state->job.daemon_arg = state;
    int err = daemon_join(daemon, &state->self, watch, &membership_events, state, &state->redis,
                          &state->membership);
    if (err != 0)
        goto fail_job;
    job_parts_shards(&state->job, state->redis);
    snprintf(state->job.id, sizeof state->job.id, "%s", state->self.id);
    state->job.tracer = tracer_open(
        &daemon->loop, &(struct tracer_options){
                           .redis = state->redis,
                           .service = "imc-job",
                           .member = state->job.id,
                           .counters = daemon->counters,
                           .first_metric = JOB_TRACE_KEPT,
                           .config = &((const struct job_config *)daemon->config)->tracer,
                           .tls = daemon->tls,
                       });
    err = state->job.tracer != NULL ? 0 : -EINVAL;
    if (err != 0)
        goto fail_job;
    return 0;

fail_job:
    job_parts_close(&state->job);
    free(state);
    daemon->state = NULL;
    return err;
}

static void on_drained(void *arg)
{
    struct job_daemon *state = arg;

    if (--state->draining_parts == 0)
        daemon_drained(state->daemon);
}

/* Half of the time is for answers, the rest for the group and the lease. */
static void job_drain(struct daemon *daemon)
{
    struct job_daemon *state = daemon->state;
    const struct job_config *config = daemon->config;

    state->draining = true;
    comets_give_up(state->job.comets);
    state->draining_parts = (state->consumer != NULL) + (state->events != NULL);
    if (state->draining_parts == 0)
        daemon_drained(daemon);
    if (state->events != NULL)
        events_drain(state->events, config->daemon.drain_ms / 2, on_drained, state);
    if (state->consumer != NULL)
        kafka_consumer_drain(state->consumer, config->daemon.drain_ms / 2, on_drained, state);
}

static void job_stop(struct daemon *daemon)
{
    struct job_daemon *state = daemon->state;

    kafka_consumer_close(state->consumer);
    events_close(state->events);
    job_parts_close(&state->job);
    tracer_close(state->job.tracer);
    daemon->state = NULL;
    free(state);
    if (kafka_shutdowns_wait() > 0)
        daemon_abandon(daemon);
}

static void job_daemon_scrape(struct daemon *daemon)
{
    struct job_daemon *state = daemon->state;

    if (state == NULL)
        return;
    job_parts_scrape(&state->job);
    if (state->events != NULL)
        events_scrape(state->events);
    if (state->consumer == NULL)
        return;
    metric_set(daemon->counters, JOB_PARTITIONS,
               (int64_t)kafka_consumer_partitions(state->consumer));
    metric_set(daemon->counters, JOB_PARTITIONS_UNREAD,
               (int64_t)kafka_consumer_unread(state->consumer));
    metric_set(daemon->counters, JOB_PARTITIONS_UNOWNED,
               (int64_t)kafka_consumer_unowned(state->consumer));
    metric_set(daemon->counters, JOB_LAG, partitions_behind(&state->job));
}

static void job_daemon_render(struct daemon *daemon, struct exposition *to)
{
    const struct job_daemon *state = daemon->state;

    if (state != NULL)
        partitions_render(&state->job, to);
}

static void job_daemon_memory(struct daemon *daemon, enum memory_level level)
{
    struct job_daemon *state = daemon->state;

    windows_set_memory(&state->job.windows, level != MEMORY_OK);
}

/* Users who are online get their messages without Redis and logics, as long as the partitions stay.
 * A job that gets a partition asks Redis for a fence first, and "partitions" fails until then. */
static const struct daemon_need job_needs[] = {
    {"redis", USE_STORE},
    {"redis_write", USE_STORE},
    {"clock", USE_STORE},
    {"logic", USE_STORE},
    {"storing", USE_STORE},
    {"bus", USE_PUSH | USE_STORE},
    {"partitions", USE_PUSH | USE_STORE},
    {"events", 0}, /* they wait in events.log */
    {NULL, 0},
};

static const struct series_row job_series[] = {
    {SERIES_REQUESTS, JOB_CONSUMED}, {SERIES_BACKLOG_MS, JOB_LAG_MS},
    {SERIES_ERRORS, JOB_BUS_ERRORS}, {SERIES_ERRORS, JOB_SETTLE_FAILED},
    {SERIES_ERRORS, JOB_MALFORMED},  {SERIES_REFUSED, JOB_REFUSED},
    {SERIES_COUNT, SERIES_END},
};

const struct daemon_spec job_daemon_spec = {
    .name = "job",
    .summary = "takes pushes from Kafka to the comets that hold the sessions, and what finds "
               "nobody to its mailbox",
    .kind = MEMBER_JOB,
    .admin_default = "127.0.0.1:7373",
    .rpc_default = "",
    .rows = job_config_rows,
    .config_size = sizeof(struct job_config),
    .needs = job_needs,
    .metrics = job_metric_rows,
    .n_metrics = JOB_METRIC_ROWS,
    .series = job_series,
    .check = job_config_check,
    .start = job_start,
    .drain = job_drain,
    .stop = job_stop,
    .scrape = job_daemon_scrape,
    .render = job_daemon_render,
    .document_live = partition_metrics_document,
    .memory = job_daemon_memory,
    .memory_refused = "reading far ahead in Kafka",
};
