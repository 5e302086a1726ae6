/* A message to a uid:
 *
 *   push_uids ─► lane of the uid ─► router_lookup ─► head of the lane? ─► produce ─► report ─► fn
 *
 * Why order per uid holds: a lane is a uid's messages between acceptance and bus_produce(), first
 * in, first out. Lookups run side by side and may come back in any order (another router after a
 * ring change, a timeout overtaking an answer), but only the head of a lane is produced, and
 * librdkafka's idempotent producer keeps the order of the calls per partition. The id is taken
 * right before bus_produce(), so ids rise in the same order. A lane exists only while a lookup is
 * under way.
 *
 * A hint is used if the router names a session, whether or not it is complete: sessions that are
 * there are there. Without one the message is settled by job, who asks again. */
#include "logic/push.h"
#include "common/log.h"
#include "common/map.h"
#include "common/mem.h"
#include "logic/bus_producer.h"
#include "logic/router_link.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

struct push_job;

/* One message to one uid, room or everybody. */
struct push_part {
    struct bus_ticket ticket;
    struct push_job *job;
    struct push_part *behind; /* in the lane */
    int64_t uid;
    bool looked_up;
    size_t n_sessions; /* the hint; kept alive by reply */
    Imc__V1__Session **sessions;
    struct router_reply *reply;
};

struct push_job {
    struct logic *logic;
    struct loop_task task; /* answers when nothing is pending */
    struct push_message message;
    Imc__V1__PushMsg__Type type;
    const char *room;
    int32_t speed;
    push_fn fn;
    void *arg;
    size_t pending, n, n_failed;
    bool *failed;
    char why[128];
    struct push_part parts[];
};

struct push_lane {
    struct push_part *head, *tail;
};

struct push_lanes {
    struct map64 *map; /* uid → struct push_lane * */
};

struct push_lanes *push_lanes_open(void)
{
    struct push_lanes *lanes = mem_zalloc(sizeof *lanes);

    lanes->map = map64_new();
    return lanes;
}

void push_lanes_close(struct push_lanes *lanes)
{
    if (lanes == NULL)
        return;
    map64_free(lanes->map);
    free(lanes);
}

/* --- one part's end --- */

/* Rows of one kind stand in the order uid, room, all: the types' numbers. */
static void count_kind(const struct push_job *job, enum logic_metric uid_row)
{
    logic_count(job->logic, uid_row + (enum logic_metric)job->type, 1);
}

static void job_on_done(struct loop *loop, struct loop_task *task)
{
    struct push_job *job = container_of(task, struct push_job, task);
    struct push_result result = {
        .n = job->n, .n_failed = job->n_failed, .failed = job->failed, .why = job->why};

    (void)loop;
    job->fn(job->arg, &result);
    free(job->failed);
    free(job);
}

static void part_done(struct push_part *part, int err, const char *why)
{
    struct push_job *job = part->job;

    count_kind(job, err == 0 ? LOGIC_PRODUCED_UID : LOGIC_FAILED_UID);
    if (err != 0) {
        job->failed[part - job->parts] = true;
        job->n_failed++;
        snprintf(job->why, sizeof job->why, "%s", why);
    }
    if (--job->pending == 0)
        loop_defer(job->logic->loop, &job->task);
}

static void part_on_report(struct bus_ticket *ticket, int err, const char *why)
{
    part_done(container_of(ticket, struct push_part, ticket), err, why);
}

/* --- producing --- */

static size_t part_key(const struct push_part *part, char *buf, size_t size, const char **key)
{
    const struct push_job *job = part->job;

    if (job->type == IMC__V1__PUSH_MSG__TYPE__ROOM) {
        *key = job->room;
        return strlen(job->room);
    }
    *key = buf;
    if (job->type == IMC__V1__PUSH_MSG__TYPE__BROADCAST)
        return (size_t)snprintf(buf, size, "all");
    return (size_t)snprintf(buf, size, "%" PRId64, part->uid);
}

/* The envelope, its key behind it. */
static struct bus_message part_message(const struct push_part *part)
{
    struct push_job *job = part->job;
    struct bus_message message;
    Imc__V1__PushMsg envelope;
    char buf[32];
    const char *key;

    imc__v1__push_msg__init(&envelope);
    envelope.type = job->type;
    envelope.operation = job->message.op;
    envelope.speed = job->speed;
    envelope.room = pb_text(job->room);
    envelope.msg = pb_bytes(job->message.body, job->message.len);
    envelope.id = ids_next(&job->logic->ids, logic_now_us(job->logic));
    envelope.has_uid = job->type == IMC__V1__PUSH_MSG__TYPE__PUSH;
    envelope.uid = part->uid;
    envelope.expires_ms = job->message.expires_ms;
    envelope.n_hints = part->n_sessions;
    envelope.hints = part->sessions;
    message.key_len = part_key(part, buf, sizeof buf, &key);
    message.value_len = imc__v1__push_msg__get_packed_size(&envelope);
    if (message.value_len + message.key_len > bus_producer_most(job->logic->bus)) {
        envelope.n_hints = 0; /* job asks where they are */
        message.value_len = imc__v1__push_msg__get_packed_size(&envelope);
    }
    uint8_t *bytes = mem_alloc(message.value_len + message.key_len);
    imc__v1__push_msg__pack(&envelope, bytes);
    memcpy(bytes + message.value_len, key, message.key_len);
    message.value = bytes;
    message.key = bytes + message.value_len;
    return message;
}

static void part_produce(struct push_part *part)
{
    struct push_job *job = part->job;
    struct bus_message message = part_message(part);
    const char *why = "";

    if (job->type == IMC__V1__PUSH_MSG__TYPE__PUSH && part->n_sessions == 0)
        logic_count(job->logic, LOGIC_UNHINTED, 1);
    part->ticket.done = part_on_report;
    int err = bus_produce(job->logic->bus, &message, &part->ticket, &why);
    router_reply_unref(part->reply);
    part->reply = NULL;
    part->n_sessions = 0;
    if (err == 0)
        return;
    free(message.value);
    part_done(part, err, why);
}

/* --- lanes --- */

static struct push_lane *lane_of(struct push_lanes *lanes, int64_t uid)
{
    uint64_t *value = map64_get(lanes->map, (uint64_t)uid);

    if (value == NULL)
        return NULL;
    return (struct push_lane *)(uintptr_t)*value; /* NOLINT(performance-no-int-to-ptr) */
}

static void lane_enter(struct push_lanes *lanes, struct push_part *part)
{
    struct push_lane *lane = lane_of(lanes, part->uid);

    if (lane == NULL) {
        lane = mem_zalloc(sizeof *lane);
        map64_set(lanes->map, (uint64_t)part->uid, (uintptr_t)lane);
        lane->head = part;
    } else {
        lane->tail->behind = part;
    }
    lane->tail = part;
}

/* Produces from the head as far as the lookups are back. */
static void lane_advance(struct push_lanes *lanes, int64_t uid)
{
    struct push_lane *lane = lane_of(lanes, uid);

    assert(lane != NULL);
    while (lane->head != NULL && lane->head->looked_up) {
        struct push_part *part = lane->head;
        lane->head = part->behind;
        part_produce(part);
    }
    if (lane->head != NULL)
        return;
    map64_del(lanes->map, (uint64_t)uid);
    free(lane);
}

static void part_on_lookup(void *arg, const struct router_answer *answer)
{
    struct push_part *part = arg;

    part->looked_up = true;
    if (answer->n_sessions > 0) {
        part->n_sessions = answer->n_sessions;
        part->sessions = answer->sessions;
        part->reply = router_reply_ref(answer->reply);
    }
    lane_advance(part->job->logic->lanes, part->uid);
}

/* --- jobs --- */

static struct push_job *job_new(struct logic *logic, const struct push_message *message, size_t n,
                                push_fn fn, void *arg)
{
    struct push_job *job = mem_zalloc(sizeof *job + n * sizeof job->parts[0]);

    job->logic = logic;
    job->task.run = job_on_done;
    job->message = *message;
    job->room = "";
    job->fn = fn;
    job->arg = arg;
    job->pending = job->n = n;
    job->failed = mem_zalloc(n * sizeof *job->failed);
    for (size_t i = 0; i < n; i++)
        job->parts[i].job = job;
    if (n == 0)
        loop_defer(logic->loop, &job->task);
    return job;
}

void push_uids(struct logic *logic, const struct push_message *message, const int64_t *uids,
               size_t n, push_fn fn, void *arg)
{
    struct push_job *job = job_new(logic, message, n, fn, arg);

    job->type = IMC__V1__PUSH_MSG__TYPE__PUSH;
    for (size_t i = 0; i < n; i++) {
        struct push_part *part = &job->parts[i];
        part->uid = uids[i];
        count_kind(job, LOGIC_ACCEPTED_UID);
        lane_enter(logic->lanes, part);
        router_lookup(logic->routers, part->uid, (uint64_t)logic->config->lookup_timeout_ms,
                      part_on_lookup, part);
    }
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

    job->type = IMC__V1__PUSH_MSG__TYPE__ROOM;
    job->room = room;
    push_single(job);
}

void push_all(struct logic *logic, const struct push_message *message, int32_t speed, push_fn fn,
              void *arg)
{
    struct push_job *job = job_new(logic, message, 1, fn, arg);

    job->type = IMC__V1__PUSH_MSG__TYPE__BROADCAST;
    job->speed = speed;
    push_single(job);
}
