/* dispatch.c - see dispatch.h.
 *
 *   bytes ─envelope_check─► uid:  user_order.h ─┬─ dispatch_send ───► comets: an item per comet
 *               ▲           │                   ├─ dispatch_settle ─► mailbox_handover
 *               │           │                   └─ no room for that: partition_park
 *               │           room, all: comets: an item for each live one       │
 *               └──────────────── dispatch_again ◄── reread: read once more ◄──┘
 */
#include "job/dispatch.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/kafka/kafka.h"
#include "common/protocol/unpack.h"
#include "job/comets.h"
#include "job/job.h"
#include "job/mailbox_handover.h"
#include "job/partition.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { ROOM_MAX = 128 }; /* bytes of a name, docs/protocol.md */

/* --- a uid's message: where to --- */

/* splitmix64's finisher: every bit of the result depends on every bit of X. */
static uint64_t mix(uint64_t x)
{
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9U;
    x = (x ^ x >> 27) * 0x94d049bb133111ebU;
    return x ^ x >> 31;
}

static uint64_t dispatch_aim(const struct hold_entry *entry, void *arg)
{
    const struct task *task = (const struct task *)(const void *)entry;
    struct job *job = arg;
    uint64_t aimed = 0;

    for (uint32_t i = 0; i < task->n_hints; i++) {
        const struct hint *hint = &task->hints[i];
        struct comet_peer *comet;
        if (comets_find(job->comets, hint->comet, hint->epoch, &comet) == COMET_ALIVE)
            aimed = mix(aimed ^ mix(comet_life(comet)) ^ hint->handle) | 1;
    }
    return aimed;
}

/* Hints after FIRST that are of the same life of the same comet, FIRST included. */
static uint32_t hints_alike(const struct task *task, uint32_t first)
{
    uint32_t end = first + 1;

    while (end < task->n_hints && hint_same_comet(&task->hints[first], &task->hints[end]))
        end++;
    return end - first;
}

static void dispatch_send(struct hold_entry *entry, void *arg)
{
    struct task *task = task_of(entry);
    struct job *job = arg;

    for (uint32_t i = 0, n; i < task->n_hints; i += n) {
        const struct hint *hint = &task->hints[i];
        struct comet_peer *comet;
        n = hints_alike(task, i);
        if (comets_find(job->comets, hint->comet, hint->epoch, &comet) == COMET_ALIVE)
            comet_push(comet, task, IMC__V1__PUSH_ITEM__KIND__UID, hint, n);
    }
}

/* One before it that is not urgent must be stored first: his sessions are told of each by itself.
 */
static void dispatch_settle(struct hold_entry *entry, void *arg)
{
    struct job *job = arg;
    struct task *task = task_of(entry);
    struct hold_entry *before = hold_before(entry);

    task->urgent = !task->away && (before == NULL || task_of(before)->urgent);
    settle_add(job->settle, task);
}

static bool dispatch_room(const struct hold_entry *entry, void *arg)
{
    const struct task *task = (const struct task *)(const void *)entry;

    if (task->away)
        return job_may_store(arg, JOB_USER_AWAY);
    return job_may_store(arg, task->n_hints > 0 ? JOB_USER_THERE : JOB_USER_UNKNOWN);
}

static void dispatch_stall(struct hold_entry *entry, void *arg)
{
    job_charge_storing(arg, task_of(entry));
}

const struct hold_ops dispatch_hold_ops = {.aim = dispatch_aim,
                                           .send = dispatch_send,
                                           .settle = dispatch_settle,
                                           .room = dispatch_room,
                                           .stall = dispatch_stall};

static void dispatch_uid(struct job *job, struct task *task)
{
    if (!hold_add(job->hold, &task->hold, task->uid))
        partition_park(task);
    else if (task->hold.state == HOLD_WAITING)
        job_count(job, JOB_HELD);
}

/* --- rooms and all --- */

/* A comet that appears later has no part in it, unless it was only taken for dead. */
static void dispatch_everywhere(struct job *job, struct task *task)
{
    size_t comets = comets_count(job->comets);

    /* The business asked for so many a second, wherever the sessions are. */
    if (task->speed > 0 && comets > 0)
        task->speed = task->speed > (int32_t)comets ? task->speed / (int32_t)comets : 1;
    comets_push(job->comets, task,
                task->kind == TASK_ROOM ? IMC__V1__PUSH_ITEM__KIND__ROOM
                                        : IMC__V1__PUSH_ITEM__KIND__ALL);
    if (comets == 0)
        partition_resolve(task);
}

/* --- envelopes --- */

static const char *push_problem(const Imc__V1__PushMsg *envelope)
{
    if (envelope->has_uid)
        return envelope->id == 0 ? "type PUSH without id" : NULL;
    return envelope->n_keys > 0 ? "type PUSH without uid is goim's keys push, not supported yet"
                                : "type PUSH without uid";
}

/* A comet closes the stream that carries a longer name, and would again when it is resent. */
static const char *room_problem(const char *room)
{
    if (room[0] == '\0')
        return "type ROOM without room";
    return strlen(room) > ROOM_MAX ? "a room's name of more than 128 bytes" : NULL;
}

static const char *envelope_problem(const struct job *job, const Imc__V1__PushMsg *envelope)
{
    static char text[96];

    if (envelope == NULL)
        return "not a protobuf message of imc.v1.PushMsg";
    if (envelope->msg.len > (size_t)job->config->max_message) {
        snprintf(text, sizeof text, "a body of %zu bytes, job.max_message is %" PRId64,
                 envelope->msg.len, job->config->max_message);
        return text;
    }
    switch (envelope->type) {
    case IMC__V1__PUSH_MSG__TYPE__PUSH:
        return push_problem(envelope);
    case IMC__V1__PUSH_MSG__TYPE__ROOM:
        return room_problem(envelope->room);
    case IMC__V1__PUSH_MSG__TYPE__BROADCAST:
        return NULL;
    default:
        snprintf(text, sizeof text, "unknown type %d", (int)envelope->type);
        return text;
    }
}

static void envelope_skip(struct partition *partition, int64_t offset,
                          const Imc__V1__PushMsg *envelope, const char *why)
{
    struct job *job = partition->job;
    bool keys = envelope != NULL && envelope->type == IMC__V1__PUSH_MSG__TYPE__PUSH &&
                !envelope->has_uid && envelope->n_keys > 0;

    job_count(job, keys ? JOB_KEYS : JOB_MALFORMED);
    log_warn("message skipped", "topic=%s partition=%" PRId32 " offset=%" PRId64 " why=\"%s\"",
             job->config->bus_topic, partition->id, offset, why);
    partition_skip(partition, offset);
}

static enum task_kind envelope_kind(const Imc__V1__PushMsg *envelope)
{
    if (envelope->type == IMC__V1__PUSH_MSG__TYPE__ROOM)
        return TASK_ROOM;
    return envelope->type == IMC__V1__PUSH_MSG__TYPE__BROADCAST ? TASK_ALL : TASK_UID;
}

static Imc__V1__PushMsg *envelope_unpack(struct arena *arena, const void *payload, size_t len)
{
    struct unpack_input in = {.data = payload, .len = len};
    const char *why = NULL;

    if (payload == NULL)
        return NULL;
    return (Imc__V1__PushMsg *)unpack(&imc__v1__push_msg__descriptor, arena, &in, &why);
}

void dispatch_message(struct partition *partition, int64_t offset, const void *payload, size_t len)
{
    struct job *job = partition->job;
    struct arena arena;

    if (len == BUS_PROBE_LEN && memcmp(payload, BUS_PROBE, BUS_PROBE_LEN) == 0) {
        partition_skip(partition, offset);
        return;
    }
    job_count(job, JOB_CONSUMED);
    arena_init(&arena);
    Imc__V1__PushMsg *envelope = envelope_unpack(&arena, payload, len);
    const char *problem = envelope_problem(job, envelope);
    if (envelope == NULL || problem != NULL) {
        envelope_skip(partition, offset, envelope, problem);
        arena_free(&arena);
        return;
    }
    struct task *task = task_new(envelope_kind(envelope), envelope);
    arena_free(&arena);
    partition_add(partition, task, offset);
    if (task->kind == TASK_UID)
        dispatch_uid(job, task);
    else
        dispatch_everywhere(job, task);
}

/* --- read again --- */

static void parked_lost(struct partition *partition, uint64_t ticket, int64_t offset, int64_t uid)
{
    log_error("message lost",
              "topic=%s partition=%" PRId32 " offset=%" PRId64 " uid=%" PRId64
              " why=\"it had to be stored, and Kafka has removed it before it could be\"; see "
              "the topic's retention",
              partition->job->config->bus_topic, partition->id, offset, uid);
    partition_lose(partition, ticket, uid);
}

static void parked_return(struct partition *partition, uint64_t ticket, int64_t offset,
                          const Imc__V1__PushMsg *envelope)
{
    struct task *task = task_new(TASK_UID, envelope);

    task->offset = offset;
    partition_return(partition, ticket, task);
    hold_return(partition->job->hold, &task->hold, task->uid);
}

void dispatch_again(struct partition *partition, int64_t offset, const void *payload, size_t len)
{
    int64_t parked, uid;
    uint64_t ticket;
    struct arena arena;

    while (partition_parked(partition, &ticket, &parked, &uid) && parked < offset)
        parked_lost(partition, ticket, parked, uid);
    if (!partition_parked(partition, &ticket, &parked, &uid) || parked != offset)
        return;
    arena_init(&arena);
    const Imc__V1__PushMsg *envelope = envelope_unpack(&arena, payload, len);
    /* It was valid when it was read first. */
    if (envelope != NULL && envelope_problem(partition->job, envelope) == NULL &&
        envelope_kind(envelope) == TASK_UID && envelope->uid == uid)
        parked_return(partition, ticket, offset, envelope);
    else
        parked_lost(partition, ticket, offset, uid);
    arena_free(&arena);
}
