/* events_internal.h - what events.c and event_group.c share. Main loop only.
 *
 *   events.c        where events go, drains, time
 *   event_group.c   the consumer of the log: its group, its partitions, what is committed */
#ifndef IMC_JOB_EVENTS_EVENTS_INTERNAL_H
#define IMC_JOB_EVENTS_EVENTS_INTERNAL_H

#include "common/base/list.h"
#include "common/kafka/kafka.h"
#include "job/events/event_partition.h"
#include "job/events/message_facts.h"
#include "job/kafka/group_share.h"
#include "job/kafka/kafka_consumer.h"

enum { EVENTS_WHY_MAX = 200 };

struct events {
    struct event_outlets outlets;
    struct message_facts facts;
    struct job *job;
    kafka_ready_fn ready;
    void *ready_arg;
    rd_kafka_t *rk; /* NULL: the log is not there yet, or it failed */
    rd_kafka_queue_t *queue;
    struct kafka_queue *bus;
    struct committed_anchors *committed;
    struct group_share *share;
    LIST_HEAD(, event_partition) partitions;
    uint64_t looked_ms, reopen_ms;
    bool log_ready, outlet_ready, paused, failed, leaving;
    char log_why[EVENTS_WHY_MAX], outlet_why[EVENTS_WHY_MAX]; /* why the two are not ready */
    size_t silent;     /* partitions: event_partition_is_silent() */
    uint64_t drain_ms; /* until when what was read is waited for; 0: it goes on */
    void (*drained)(void *arg);
    void *drained_arg;
    uv_timer_t tick;
};

static inline const char *events_log_name(const struct events *events)
{
    return events->job->config->events_log;
}

static inline uint64_t events_now_ms(const struct events *events)
{
    return loop_now_ms(events->job->loop);
}

/* events.c: */
/* Tells whether it works, and why not. */
void events_tell(struct events *events);

/* event_group.c: */
/* Joins the group. If that fails, events->rk stays NULL; try again at events->reopen_ms. */
void event_group_open(struct events *events);
/* What was read and not told is forgotten. Does nothing if there is no consumer. */
void event_group_close(struct events *events);
/* What was committed of partitions that came is asked for, if it is not under way. */
void event_group_ask_committed(struct events *events);
void event_group_commit(struct events *events);
/* Is each partition of the log some job's? If not, joins the group again. */
void event_group_look(struct events *events);
/* The partitions whose committed offset is known are read no further, or again. */
void event_group_pause(struct events *events, bool pause);
/* Likewise, if events.window events wait, or half of it. */
void event_group_pause_if_full(struct events *events);

#endif
