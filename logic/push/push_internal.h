/* push_internal.h - what push.c and push_lanes.c share: a call, its messages, and the lanes that
 * keep the order per uid. Main loop only.
 *
 *   push.c         a call: its look-ups, its messages' envelopes, its answer
 *   push_lanes.c   which message may be produced next: lanes, the ring of calls, slices */
#ifndef IMC_LOGIC_PUSH_PUSH_INTERNAL_H
#define IMC_LOGIC_PUSH_PUSH_INTERNAL_H

#include "common/base/list.h"
#include "logic/push/job_backlog.h"
#include "logic/push/kafka_producer.h"
#include "logic/push/lookups.h"
#include "logic/push/push.h"
#include "proto/bus.pb-c.h"

struct push_job;

/* One message to a uid, a room or everybody. */
struct push_part {
    struct kafka_ticket ticket;
    struct push_job *job;
    struct push_part *behind;     /* the next in the lane */
    struct push_part *last;       /* if this is the head of a lane: its last part */
    STAILQ_ENTRY(push_part) link; /* in the job's list of ready parts */
    int64_t uid;
    bool looked_up;
    bool absent;       /* routers know that the uid has no session on our comets */
    bool away;         /* nor on goim's */
    size_t n_sessions; /* the hint; REPLY owns the sessions */
    Imc__V1__Session **sessions;
    struct router_reply *reply;
    struct foreign_push *foreign; /* sessions on goim's comets; NULL: none */
    struct traced *traced;        /* NULL: it is not traced */
    uint8_t asked, reports;       /* answers, then reports, that are still to come */
    int err;                      /* of a report */
};

struct push_job {
    struct logic *logic;
    struct loop_task task; /* answers the call when nothing is pending */
    struct lookups_call lookups;
    struct push_message message;
    int64_t since_us;
    Imc__V1__PushMsg__Type type;
    const char *room;
    int32_t speed;
    const struct push_keys *keys; /* of each part; NULL: all devices are meant */
    push_fn fn;
    void *arg;
    size_t pending, n, n_failed;
    size_t looking;                 /* unanswered look-ups */
    bool guarded;                   /* the call is refused if a user is away */
    bool away;                      /* a user is away */
    bool refused;                   /* so nothing is produced */
    bool broken;                    /* a message has failed: no more are produced */
    STAILQ_HEAD(, push_part) ready; /* in order */
    STAILQ_ENTRY(push_job) link;    /* in the ring of jobs that have ready parts */
    bool in_ring;
    uint64_t *ids; /* in the same allocation, behind the parts */
    bool *failed;  /* behind the ids */
    char why[JOB_BACKLOG_WHY];
    struct push_part parts[];
};

struct push_lanes {
    struct logic *logic;
    struct map64 *map; /* uid → the head of its lane, a struct push_part * */
    struct lookups lookups;
    STAILQ_HEAD(, push_job) ring; /* the first job gives one part and goes to the end */
    struct loop_task slice;
    size_t parts_left, bytes_left; /* what this slice may still produce */
    size_t out_parts, out_bytes;   /* what the producer has without a report */
    size_t pending;
};

/* push_lanes.c: */
/* PART is the last of its uid now. */
void lane_enter(struct push_lanes *lanes, struct push_part *part);
/* Is PART the head of its lane? It has to be in one. */
bool lane_is_head(struct push_lanes *lanes, const struct push_part *part);
/* PART, the head of its lane, may be produced; slice_run() does it. */
void part_is_ready(struct push_lanes *lanes, struct push_part *part);
/* Produces what this slice may, and has the next one come. */
void slice_run(struct push_lanes *lanes);

/* push.c: */
void part_look_up(struct lookups_call *call, size_t i);
void part_produce(struct push_part *part);
/* PART is not produced: its call has failed, or was refused. */
void part_give_up(struct push_part *part);

#endif
