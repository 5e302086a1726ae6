/* A message to a uid:
 *
 *   push_uids ─► lane of the uid ─► lookups ─► head of the lane? ─► ready ─► slice: produce ─►
 *                                     │        all of the call            │    report ─► fn
 *                                     └─ guarded: looked up, nobody away  └─ the bus has room
 *
 * Why the order per uid is kept: a lane is the queue of a uid's messages between acceptance and
 * kafka_produce(). Look-ups run at the same time and are answered in any order: after a change of
 * the ring another router answers, or a timeout comes before an answer. But only the head of a lane
 * becomes ready. The next message becomes head when that one is produced. And librdkafka's
 * idempotent producer keeps the order of calls per partition. The id is made right before
 * kafka_produce(), so ids rise in the same order. A lane exists only while it has a message.
 *
 * Why a call for many users does not hold up others: its ready messages wait in a list, a few bytes
 * each, and share one body. A slice packs and produces some of them, of each call in turn. The next
 * slice runs in the next turn of the loop. There is none while librdkafka has enough. If one
 * message of a call fails, those of its messages that still wait are not tried.
 *
 * If a router names sessions, they become the hint, even if the router is not complete. A message
 * without a hint goes through job to logic/peers/settle_requests.c, which stores it and asks the
 * router again. Job does so soon, unless the message says that its user is away. */
#include "logic/push/push.h"
#include "common/base/list.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/base/saturate.h"
#include "common/containers/map.h"
#include "logic/base/pb.h"
#include "logic/push/envelope.h"
#include "logic/push/foreign_push.h"
#include "logic/push/job_backlog.h"
#include "logic/push/kafka_producer.h"
#include "logic/push/lookups.h"
#include "logic/router/routers.h"
#include "proto/bus.pb-c.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum {
    /* So many take about a millisecond. */
    SLICE_PARTS = 256,
    SLICE_BYTES = 1 << 20,
    /* The most parts that the producer may have without a report. A lone push is produced behind
     * them. librdkafka takes 100,000 messages by default. Beyond a few MB, requests to Kafka do not
     * become larger. */
    OUT_PARTS = 20000,
    OUT_BYTES = 32 << 20,
};

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
    uint8_t asked, reports;       /* answers, then reports, that are still to come */
    int err;                      /* of a report */
};

struct push_job {
    struct logic *logic;
    struct loop_task task; /* answers the call when nothing is pending */
    struct lookups_call lookups;
    struct push_message message;
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

static void on_slice(struct loop *loop, struct loop_task *task);
static void part_look_up(struct lookups_call *call, size_t i);

static void slice_begin(struct push_lanes *lanes)
{
    lanes->parts_left = SLICE_PARTS;
    lanes->bytes_left = SLICE_BYTES;
}

struct push_lanes *push_lanes_open(struct logic *logic)
{
    struct push_lanes *lanes = mem_zalloc(sizeof *lanes);

    lanes->logic = logic;
    lanes->map = map64_new();
    STAILQ_INIT(&lanes->ring);
    lanes->slice.run = on_slice;
    lookups_init(&lanes->lookups, part_look_up);
    slice_begin(lanes);
    return lanes;
}

void push_lanes_close(struct push_lanes *lanes)
{
    if (lanes == NULL)
        return;
    map64_free(lanes->map);
    free(lanes);
}

size_t push_pending(const struct push_lanes *lanes)
{
    return lanes->pending;
}

/* --- one part's end --- */

/* Counts by kind. The metrics of uid, room and all stand in the order of the types' numbers. */
static void count_kind(const struct push_job *job, enum logic_metric uid_row)
{
    logic_count(job->logic, uid_row + (enum logic_metric)job->type, 1);
}

static void job_on_done(struct loop *loop, struct loop_task *task)
{
    struct push_job *job = container_of(task, struct push_job, task);
    struct push_result result = {
        .n = job->n,
        .n_failed = job->n_failed,
        .failed = job->failed,
        .ids = job->ids,
        .why = job->why,
        .refused = job->refused,
    };

    (void)loop;
    job->fn(job->arg, &result);
    free(job);
}

/* PART has its result. ERR -ECANCELED: it was not accepted at all. */
static void part_done(struct push_part *part, int err, const char *why)
{
    struct push_job *job = part->job;

    if (err != -ECANCELED)
        count_kind(job, err == 0 ? LOGIC_PRODUCED_UID : LOGIC_FAILED_UID);
    if (err != 0) {
        job->failed[part - job->parts] = true;
        job->n_failed++;
        if (why != job->why)
            snprintf(job->why, sizeof job->why, "%s", why);
        job->broken = true;
    }
    job->logic->lanes->pending--;
    if (--job->pending == 0)
        loop_defer(job->logic->loop, &job->task);
}

/* One of what was produced for PART, a struct push_part, has its report. */
static void part_reported(void *arg, int err, const char *why)
{
    struct push_part *part = arg;

    if (err != 0)
        snprintf(part->job->why, sizeof part->job->why, "%s", why);
    part->err = err != 0 ? err : part->err;
    if (--part->reports == 0)
        part_done(part, part->err, part->job->why);
}

static void part_on_report(struct kafka_ticket *ticket, int err, const char *why)
{
    struct push_part *part = container_of(ticket, struct push_part, ticket);
    struct push_lanes *lanes = part->job->logic->lanes;

    lanes->out_parts--;
    lanes->out_bytes -= part->job->message.len;
    if (!STAILQ_EMPTY(&lanes->ring))
        loop_defer(lanes->logic->loop, &lanes->slice);
    part_reported(part, err, why);
}

/* --- producing --- */

static struct kafka_message part_message(const struct push_part *part)
{
    struct push_job *job = part->job;
    Imc__V1__PushMsg envelope;

    imc__v1__push_msg__init(&envelope);
    envelope.type = job->type;
    envelope.operation = job->message.op;
    envelope.speed = job->speed;
    envelope.room = pb_text(job->room);
    envelope.msg = pb_bytes(job->message.body, job->message.len);
    envelope.id = message_id_next(&job->logic->ids, logic_now_us(job->logic));
    job->ids[part - job->parts] = envelope.id;
    envelope.has_uid = job->type == IMC__V1__PUSH_MSG__TYPE__PUSH;
    envelope.uid = part->uid;
    envelope.expires_ms = job->message.expires_ms;
    envelope.n_hints = part->n_sessions;
    envelope.hints = part->sessions;
    envelope.away = part->away;
    envelope.any = job->message.any;
    envelope.store_first = envelope_stores_first(&envelope);
    if (job->keys != NULL) {
        const struct push_keys *keys = &job->keys[part - job->parts];
        envelope.keys = pb_texts(keys->list);
        envelope.n_keys = keys->n;
    }
    if (envelope_size(&envelope) > kafka_producer_most(job->logic->bus))
        envelope.n_hints = 0; /* too many hints: job asks where the sessions are */
    return envelope_pack(&envelope);
}

static void part_forget_hint(struct push_part *part)
{
    router_reply_unref(part->reply);
    part->reply = NULL;
    part->n_sessions = 0;
    foreign_push_drop(&part->foreign);
}

static void part_produce(struct push_part *part)
{
    struct push_job *job = part->job;
    struct push_lanes *lanes = job->logic->lanes;
    struct kafka_message message;
    const char *why = "";

    if (job->logic->bus == NULL) { /* logic is stopping */
        part_forget_hint(part);
        part_done(part, -EIO, "this logic is stopping");
        return;
    }
    bool foreign_only = part->foreign != NULL && part->absent && foreign_push_lives(part->foreign);
    part->reports = part->foreign != NULL && !foreign_only ? 2 : 1;
    if (part->foreign != NULL)
        foreign_push_send(&part->foreign, &job->message, part_reported, part);
    if (foreign_only)
        return; /* nothing waits in the mailbox for a session that cannot fetch it */
    message = part_message(part);
    if (job->type == IMC__V1__PUSH_MSG__TYPE__PUSH && part->n_sessions == 0)
        logic_count(job->logic, LOGIC_UNHINTED, 1);
    part_forget_hint(part);
    part->ticket.done = part_on_report;
    lanes->out_parts++;
    lanes->out_bytes += job->message.len;
    int err = kafka_produce(job->logic->bus, &message, &part->ticket, &why);
    if (err == 0)
        return;
    lanes->out_parts--;
    lanes->out_bytes -= job->message.len;
    free(message.value);
    part_reported(part, err, why);
}

/* --- what is ready --- */

static void ring_append(struct push_lanes *lanes, struct push_job *job)
{
    job->in_ring = true;
    STAILQ_INSERT_TAIL(&lanes->ring, job, link);
}

static void part_is_ready(struct push_lanes *lanes, struct push_part *part)
{
    struct push_job *job = part->job;

    STAILQ_INSERT_TAIL(&job->ready, part, link);
    if (!job->in_ring)
        ring_append(lanes, job);
}

/* The next ready part, of each job in turn. */
static struct push_part *ring_take(struct push_lanes *lanes)
{
    struct push_job *job = STAILQ_TAKE(&lanes->ring, link);
    struct push_part *part = STAILQ_TAKE(&job->ready, link);

    job->in_ring = false;
    if (!STAILQ_EMPTY(&job->ready))
        ring_append(lanes, job);
    return part;
}

/* --- lanes --- */

static struct push_part *lane_head(uint64_t value)
{
    return (struct push_part *)(uintptr_t)value; /* NOLINT(performance-no-int-to-ptr) */
}

static void lane_enter(struct push_lanes *lanes, struct push_part *part)
{
    uint64_t *value = map64_get(lanes->map, (uint64_t)part->uid);

    if (value == NULL) {
        part->last = part;
        map64_set(lanes->map, (uint64_t)part->uid, (uintptr_t)part);
        return;
    }
    struct push_part *head = lane_head(*value);
    head->last->behind = part;
    head->last = part;
}

/* Is PART the head of its lane? It has to be in one. */
static bool is_head(struct push_lanes *lanes, const struct push_part *part)
{
    uint64_t *value = map64_get(lanes->map, (uint64_t)part->uid);

    assert(value != NULL);
    return lane_head(*value) == part;
}

/* May PART, the head of its lane, go? */
static bool part_may_go(const struct push_part *part)
{
    return part->looked_up && (!part->job->guarded || part->job->looking == 0);
}

/* HEAD leaves its lane, and the next part becomes head. */
static void lane_advance(struct push_lanes *lanes, const struct push_part *head)
{
    struct push_part *next = head->behind;

    assert(is_head(lanes, head));
    if (next == NULL) {
        map64_del(lanes->map, (uint64_t)head->uid);
        return;
    }
    next->last = head->last;
    map64_set(lanes->map, (uint64_t)next->uid, (uintptr_t)next);
    if (part_may_go(next))
        part_is_ready(lanes, next);
}

static bool slice_has_room(const struct push_lanes *lanes)
{
    return lanes->parts_left > 0 && lanes->bytes_left > 0 && lanes->out_parts < OUT_PARTS &&
           lanes->out_bytes < OUT_BYTES;
}

static void slice_spend(struct push_lanes *lanes, size_t bytes)
{
    lanes->parts_left--;
    lanes->bytes_left = saturate_sub(lanes->bytes_left, bytes);
}

/* A part is ready, and may be taken out. */
static bool slice_may_run(const struct push_lanes *lanes)
{
    const struct push_job *job = STAILQ_FIRST(&lanes->ring);

    return job != NULL && (slice_has_room(lanes) || job->broken);
}

/* Produces a slice. Parts of a call that has failed are only taken out, for which the producer
 * needs no room. */
static void slice_run(struct push_lanes *lanes)
{
    while (slice_may_run(lanes)) {
        struct push_part *part = ring_take(lanes);
        struct push_job *job = part->job;
        lane_advance(lanes, part);
        if (job->broken) {
            part_forget_hint(part);
            part_done(part, job->refused ? -ECANCELED : -EIO, job->why);
            continue;
        }
        slice_spend(lanes, job->message.len);
        part_produce(part);
    }
    /* The next slice comes in the next turn, or when a report makes room. */
    loop_defer(lanes->logic->loop, &lanes->slice);
}

static void on_slice(struct loop *loop, struct loop_task *task)
{
    struct push_lanes *lanes = container_of(task, struct push_lanes, slice);

    (void)loop;
    slice_begin(lanes);
    if (slice_may_run(lanes))
        slice_run(lanes);
}

/* --- lookups --- */

/* All look-ups of a guarded job are answered: produces everything or nothing. */
static void job_decide(struct push_job *job)
{
    struct push_lanes *lanes = job->logic->lanes;

    job->refused = job->broken = job->away;
    if (!job->refused)
        logic_count(job->logic, LOGIC_ACCEPTED_UID, (int64_t)job->n);
    for (size_t i = 0; i < job->n; i++) {
        struct push_part *part = &job->parts[i];
        if (is_head(lanes, part))
            part_is_ready(lanes, part);
    }
}

/* PART has one of its answers. With the last one it is known where its user is. */
static void part_answered(struct push_part *part)
{
    struct push_job *job = part->job;
    struct push_lanes *lanes = job->logic->lanes;

    if (--part->asked > 0)
        return;
    part->looked_up = true;
    job->looking--;
    part->away = part->absent && part->foreign == NULL;
    job->away |= part->away;
    lookups_answered(&lanes->lookups, &job->lookups);
    if (job->guarded && job->looking == 0)
        job_decide(job);
    else if (!job->guarded && is_head(lanes, part))
        part_is_ready(lanes, part);
    slice_run(lanes);
}

static void part_on_lookup(void *arg, const struct router_answer *answer)
{
    struct push_part *part = arg;
    const struct push_job *job = part->job;
    size_t n = answer->n_sessions;

    if (job->keys != NULL) {
        const struct push_keys *keys = &job->keys[part - job->parts];
        n = router_sessions_with_keys(answer->sessions, n, keys->list, keys->n);
    }
    part->absent = n == 0 && answer->complete;
    if (n > 0) {
        part->n_sessions = n;
        part->sessions = answer->sessions;
        part->reply = router_reply_ref(answer->reply);
    }
    part_answered(part);
}

static void part_on_foreign(void *arg, struct foreign_push *push)
{
    struct push_part *part = arg;

    part->foreign = push;
    part_answered(part);
}

static void part_look_up(struct lookups_call *call, size_t i)
{
    struct push_job *job = container_of(call, struct push_job, lookups);
    struct push_part *part = &job->parts[i];
    bool foreign = job->logic->config->goim_comets && job->logic->redis != NULL;

    part->asked = foreign ? 2 : 1;
    if (foreign)
        foreign_push_find(job->logic, part->uid,
                          job->keys != NULL ? &job->keys[part - job->parts] : NULL, part_on_foreign,
                          part);
    if (job->broken || job->logic->routers == NULL) /* logic is stopping */
        part_on_lookup(part, &(struct router_answer){.result = ROUTER_AWAY});
    else
        router_lookup(job->logic->routers, part->uid,
                      (uint64_t)job->logic->config->lookup_timeout_ms, part_on_lookup, part);
}

/* --- jobs --- */

static struct push_job *job_new(struct logic *logic, const struct push_message *message, size_t n,
                                push_fn fn, void *arg)
{
    struct push_job *job = mem_zalloc(
        sizeof *job + n * (sizeof job->parts[0] + sizeof *job->ids + sizeof *job->failed));

    job->logic = logic;
    job->task.run = job_on_done;
    job->message = *message;
    job->room = "";
    job->fn = fn;
    job->arg = arg;
    job->pending = job->n = n;
    logic->lanes->pending += n;
    STAILQ_INIT(&job->ready);
    job->ids = (uint64_t *)&job->parts[n];
    job->failed = (bool *)&job->ids[n];
    for (size_t i = 0; i < n; i++)
        job->parts[i].job = job;
    if (n == 0)
        loop_defer(logic->loop, &job->task);
    return job;
}

/* Looks up where the users are. */
static void push_begin(struct push_job *job, const int64_t *uids)
{
    struct logic *logic = job->logic;

    job->type = IMC__V1__PUSH_MSG__TYPE__PUSH;
    job->looking = job->n;
    job->guarded = job_backlogs_verdict(logic->backlogs, job->why) != JOB_BACKLOG_FINE;
    if (!job->guarded)
        logic_count(logic, LOGIC_ACCEPTED_UID, (int64_t)job->n);
    for (size_t i = 0; i < job->n; i++) {
        struct push_part *part = &job->parts[i];
        part->uid = uids[i];
        lane_enter(logic->lanes, part);
    }
    lookups_begin(&logic->lanes->lookups, &job->lookups, job->n);
}

void push_uids(struct logic *logic, const struct push_message *message, const int64_t *uids,
               size_t n, push_fn fn, void *arg)
{
    struct push_job *job = job_new(logic, message, n, fn, arg);

    loop_assert_owner(logic->loop);
    push_begin(job, uids);
}

void push_keys(struct logic *logic, const struct push_message *message,
               const struct push_users *users, push_fn fn, void *arg)
{
    struct push_job *job = job_new(logic, message, users->n, fn, arg);

    loop_assert_owner(logic->loop);
    job->keys = users->keys;
    push_begin(job, users->uids);
}

static void push_single(struct push_job *job)
{
    count_kind(job, LOGIC_ACCEPTED_UID);
    part_produce(&job->parts[0]);
}

void push_room(struct logic *logic, const struct push_message *message, const char *room,
               push_fn fn, void *arg)
{
    struct push_job *job = job_new(logic, message, 1, fn, arg);

    loop_assert_owner(logic->loop);
    job->type = IMC__V1__PUSH_MSG__TYPE__ROOM;
    job->room = room;
    push_single(job);
}

void push_all(struct logic *logic, const struct push_message *message, int32_t speed, push_fn fn,
              void *arg)
{
    struct push_job *job = job_new(logic, message, 1, fn, arg);

    loop_assert_owner(logic->loop);
    job->type = IMC__V1__PUSH_MSG__TYPE__BROADCAST;
    job->speed = speed;
    push_single(job);
}
