/* event_partition.h - one partition of the log of sessions: what its records mean, the events that
 * follow from them, and the ends that nobody else writes. Main loop only.
 *
 *   log ─► record ─► session_table, absences ─► event_sending.h ─► event_outlet.h ─► the business
 *    ▲ ▲                │                            │ told
 *    │ └─ ENDED ◄───────┴─ session_ends.c: a comet's life is over: its open sessions;
 *    │                     an end is due             │
 *    └── deletion ◄──────────────────────────────────┘
 *
 * Records below `emit_from`, which is what the group has committed, only fill the table. */
#ifndef IMC_JOB_EVENTS_EVENT_PARTITION_H
#define IMC_JOB_EVENTS_EVENT_PARTITION_H

#include "common/base/list.h"
#include "common/kafka/ordered_producer.h"
#include "job/events/absences.h"
#include "job/events/event_outlet.h"
#include "job/events/event_sending.h"
#include "job/events/session_table.h"
#include <librdkafka/rdkafka.h>

struct job;
struct membership;

/* What the partitions of a job share. events.c fills it. */
struct event_outlets {
    struct job *job;
    struct membership *membership;
    struct ordered_producer *log;
    struct event_outlet *outlet;
    uint64_t (*now_ms)(void *arg); /* the cluster's time */
    unsigned types;                /* a bit per enum event_type that is wanted */
    size_t waiting;                /* events that the business does not have yet */
    struct loop_task pump;         /* something can be sent */
};

struct event_partition {
    LIST_ENTRY(event_partition) link; /* event_group.c's */
    struct event_outlets *outlets;
    int32_t id;
    size_t refs;       /* messages on their way to Kafka, and 1 while it is assigned */
    bool gone;         /* it is not ours any more */
    bool known;        /* emit_from is */
    bool skipped;      /* a record came before that */
    bool caught_up;    /* the end was reached once */
    int64_t emit_from; /* offset of the first record that events follow from */
    int64_t next;      /* offset after the newest record */
    int64_t goal;      /* where the log ended when its first record came; 0: not known */
    size_t n_ending;   /* ends that session_ends.c has written, and that were not read yet */
    uint64_t heard_ms; /* loop time of the last event_partition_heard() */
    int64_t committed; /* position last committed; -1: none, or it was not taken */
    struct session_table table;
    struct absences absences;
    struct event_sending sending;
};

struct event_partition *event_partition_open(struct event_outlets *outlets, int32_t id);
void event_partition_close(struct event_partition *partition);
void event_partition_ref(struct event_partition *partition);
void event_partition_unref(struct event_partition *partition);
/* The group has committed OFFSET. */
void event_partition_known(struct event_partition *partition, int64_t offset);
void event_partition_record(struct event_partition *partition, const rd_kafka_message_t *message);
/* Something has come of it, or it is known why nothing does. */
void event_partition_heard(struct event_partition *partition);
/* Nothing has been heard for long, though something must be there: its end, or what was written. */
bool event_partition_is_silent(const struct event_partition *partition);
/* Behind each record until it has caught up: the log ends at END by now, or -1. Kafka tells of an
 * end only when it has nothing for a fetch, which may never be. So what the log had when its first
 * record came is enough. True: that is read, and event_partition_end() may be told of `goal`. */
bool event_partition_reached(struct event_partition *partition, int64_t end);
/* Its end is at OFFSET. False: it is shorter than what was committed, so it is another log.
 * Everything is forgotten, and it has to be read from its beginning. */
bool event_partition_end(struct event_partition *partition, int64_t offset);
/* Sends what waits. */
void event_partition_pump(struct event_partition *partition);
/* Once a second: writes the ends of sessions of comets that are dead, and ends that are due. */
void event_partition_look(struct event_partition *partition);
/* What may be committed; -1: nothing yet. */
int64_t event_partition_position(const struct event_partition *partition);

#endif
