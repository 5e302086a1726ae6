/* A message to a uid:
 *
 *   push_uids ─► lane of the uid ─► lookups ─► head of the lane? ─► ready ─► slice: produce ─►
 *                                     │        all of the call            │    report ─► fn
 *                                     └─ guarded: looked up, nobody away  └─ the bus has room
 *
 * push_lanes.c keeps the order per uid, and has calls take turns.
 *
 * If a router names sessions, they become the hint, even if the router is not complete. A message
 * without a hint goes through job to logic/peers/settle_requests.c, which stores it and asks the
 * router again. Job does so soon, unless the message says that its user is away. */
#include "logic/push/push.h"
#include "common/base/mem.h"
#include "logic/base/pb.h"
#include "logic/push/envelope.h"
#include "logic/push/envelope_trace.h"
#include "logic/push/foreign_push.h"
#include "logic/push/job_backlog.h"
#include "logic/push/kafka_producer.h"
#include "logic/push/lookups.h"
#include "logic/push/push_internal.h"
#include "logic/push/room_rates.h"
#include "logic/router/routers.h"
#include "proto/bus.pb-c.h"

#include <stdlib.h>
#include <string.h>

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
    if (job->n > 0 && job->n_failed == 0)
        logic_took(job->logic, LOGIC_ACCEPT_UID + job->type * HISTOGRAM_SLOTS, job->since_us);
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
    if (part->traced != NULL)
        envelope_trace_end(part->job->logic, &part->traced, &part->ticket, err, why);
    if (!STAILQ_EMPTY(&lanes->ring))
        loop_defer(lanes->logic->loop, &lanes->slice);
    part_reported(part, err, why);
}

/* --- producing --- */

static struct kafka_message part_message(struct push_part *part)
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
    part->traced = envelope_trace(job->logic, &envelope, job->message.traced, job->message.context);
    envelope.collapse = pb_text(job->message.collapse != NULL ? job->message.collapse : "");
    envelope.store_first = envelope_stores_first(&envelope);
    if (job->keys != NULL) {
        const struct push_keys *keys = &job->keys[part - job->parts];
        envelope.keys = pb_texts(keys->list);
        envelope.n_keys = keys->n;
    }
    return envelope_pack_within(&envelope, kafka_producer_most(job->logic->bus),
                                job->message.context);
}

static void part_forget_hint(struct push_part *part)
{
    router_reply_unref(part->reply);
    part->reply = NULL;
    part->n_sessions = 0;
    foreign_push_drop(&part->foreign);
}

void part_give_up(struct push_part *part)
{
    part_forget_hint(part);
    part_done(part, part->job->refused ? -ECANCELED : -EIO, part->job->why);
}

void part_produce(struct push_part *part)
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
    kafka_message_drop(&message);
    if (part->traced != NULL)
        envelope_trace_end(job->logic, &part->traced, &part->ticket, err, why);
    part_reported(part, err, why);
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
        if (lane_is_head(lanes, part))
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
    else if (!job->guarded && lane_is_head(lanes, part))
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

void part_look_up(struct lookups_call *call, size_t i)
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
    job->since_us = time_mono_us();
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
    room_rates_count(logic->room_rates, room, (uint64_t)time_mono_ms());
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
