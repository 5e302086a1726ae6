/* dispatch.c - see dispatch.h.
 *
 *   bytes ─envelope_check─► uid:  user_order.h ─┬─ dispatch_send ───► comets: an item per comet
 *               ▲           │                   ├─ dispatch_settle ─► mailbox_handover
 *               │           │                   └─ no room for that: partition_park
 *               │           room, all: comets: an item for each that needs it    │
 *               └──────────────── dispatch_again ◄── reread: read once more ◄──┘
 */
#include "job/delivery/dispatch.h"
#include "common/base/hash.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/kafka/kafka.h"
#include "common/protocol/name.h"
#include "common/protocol/unpack.h"
#include "job/base/job.h"
#include "job/base/message_steps.h"
#include "job/comets/comets.h"
#include "job/mailbox/mailbox_handover.h"
#include "job/mailbox/mailbox_shard.h"
#include "job/partition/partition.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* --- a uid's message: where to --- */

static uint64_t dispatch_aim(const struct user_order_entry *entry, void *arg)
{
    const struct message *message = message_of_const(entry);
    struct job *job = arg;
    uint64_t aimed = 0;

    /* If it cannot be stored, it is diverted, and sent. */
    if (message->store_first && message->found == NULL)
        return 0;
    for (uint32_t i = 0; i < message->n_hints; i++) {
        const struct hint *hint = &message->hints[i];
        struct comet_peer *comet;
        if (comets_find(job->comets, hint->comet, hint->epoch, &comet) == COMET_ALIVE)
            aimed = hash_mix64(aimed ^ hash_mix64(comet_life(comet)) ^ hint->handle) | 1;
    }
    return aimed;
}

/* How many hints from FIRST on are of the same life of the same comet. */
static uint32_t hints_alike(const struct message *message, uint32_t first)
{
    uint32_t end = first + 1;

    while (end < message->n_hints && hint_same_comet(&message->hints[first], &message->hints[end]))
        end++;
    return end - first;
}

static void dispatch_send(struct user_order_entry *entry, void *arg)
{
    struct message *message = message_of(entry);
    struct job *job = arg;

    for (uint32_t i = 0, n; i < message->n_hints; i += n) {
        const struct hint *hint = &message->hints[i];
        struct comet_peer *comet;
        n = hints_alike(message, i);
        if (comets_find(job->comets, hint->comet, hint->epoch, &comet) == COMET_ALIVE)
            comet_push(comet, message, IMC__V1__PUSH_ITEM__KIND__UID, hint, n);
    }
}

/* A message is urgent only if all before it are: they have to be stored first, because sessions are
 * told of each message by itself. */
static void dispatch_settle(struct user_order_entry *entry, void *arg)
{
    struct job *job = arg;
    struct message *message = message_of(entry);
    struct user_order_entry *before = user_order_before(entry);

    message->urgent = !message->away && (before == NULL || message_of(before)->urgent);
    handover_add(job->handover, message);
}

static bool dispatch_room(struct user_order_entry *entry, void *arg)
{
    struct message *message = message_of(entry);
    const struct job *job = arg;
    size_t shard = mailbox_shard(job, message);

    if (message->away)
        return windows_may_store(&job->windows, shard, USER_AWAY);
    return windows_may_store(&job->windows, shard,
                             message->n_hints > 0 ? USER_THERE : USER_UNKNOWN);
}

static void dispatch_stall(struct user_order_entry *entry, void *arg)
{
    struct job *job = arg;

    mailbox_shard(job, message_of(entry));
    windows_charge_storing(&job->windows, message_of(entry));
}

const struct user_order_ops dispatch_order_ops = {.aim = dispatch_aim,
                                                  .send = dispatch_send,
                                                  .settle = dispatch_settle,
                                                  .room = dispatch_room,
                                                  .stall = dispatch_stall};

static void dispatch_uid(struct job *job, struct message *message)
{
    if (!user_order_add(job->order, &message->entry, message->uid)) {
        mailbox_shard(job, message);
        partition_park(message);
    } else if (message->entry.state == ORDER_WAITING) {
        job_count(job, JOB_HELD);
    }
}

/* --- rooms and all --- */

/* A comet that appears later gets nothing of it, unless it was only taken for dead. */
static void dispatch_everywhere(struct job *job, struct message *message)
{
    size_t comets = comets_count(job->comets);

    /* The business asked for so many a second, wherever the sessions are. */
    if (message->speed > 0 && comets > 0)
        message->speed = message->speed > (int32_t)comets ? message->speed / (int32_t)comets : 1;
    uint32_t n = comets_push(job->comets, message,
                             message->kind == MESSAGE_ROOM ? IMC__V1__PUSH_ITEM__KIND__ROOM
                                                           : IMC__V1__PUSH_ITEM__KIND__ALL);
    if (n > 0)
        return;
    if (comets > 0) /* only a message to a room can be of interest to none of them */
        job_count(job, JOB_DELIVERED_ROOM);
    if (message->trace != NULL)
        message_step_done(job, message);
    partition_resolve(message);
}

/* --- envelopes --- */

static const char *push_problem(const Imc__V1__PushMsg *envelope)
{
    if (envelope->has_uid)
        return envelope->id == 0 ? "type PUSH without id" : NULL;
    return envelope->n_keys > 0 ? "type PUSH without uid, with keys: a push of goim's logic"
                                : "type PUSH without uid";
}

/* A comet closes a stream that carries a longer name. Sent again, the name would close the next
 * one, too. */
static const char *room_problem(const char *room)
{
    if (room[0] == '\0')
        return "type ROOM without room";
    return strlen(room) > ROOM_NAME_MAX ? "a room's name of more than 128 bytes" : NULL;
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

/* A goim comet, which goim's job serves. Our own comets are known by their leases. */
static bool is_foreign(const struct job *job, const char *server)
{
    struct comet_peer *comet;

    return server[0] != '\0' && comets_find(job->comets, server, 0, &comet) == COMET_UNKNOWN;
}

static void envelope_skip(struct partition *partition, int64_t offset,
                          const Imc__V1__PushMsg *envelope, const char *why)
{
    struct job *job = partition->job;
    bool keys = envelope != NULL && envelope->type == IMC__V1__PUSH_MSG__TYPE__PUSH &&
                !envelope->has_uid && envelope->n_keys > 0;

    if (keys && is_foreign(job, envelope->server)) {
        job_count(job, JOB_FOREIGN);
        partition_skip(partition, offset);
        return;
    }
    job_count(job, keys ? JOB_KEYS : JOB_MALFORMED);
    log_warn("message skipped", "topic=%s partition=%" PRId32 " offset=%" PRId64 " why=\"%s\"",
             job->config->bus_topic, partition->id, offset, why);
    partition_skip(partition, offset);
}

static enum message_kind envelope_kind(const Imc__V1__PushMsg *envelope)
{
    if (envelope->type == IMC__V1__PUSH_MSG__TYPE__ROOM)
        return MESSAGE_ROOM;
    return envelope->type == IMC__V1__PUSH_MSG__TYPE__BROADCAST ? MESSAGE_ALL : MESSAGE_UID;
}

/* Most envelopes fit into the room, so that none of these costs a malloc. One is unpacked at a
 * time. */
static Imc__V1__PushMsg *envelope_unpack(struct arena *arena, const void *payload, size_t len)
{
    static _Alignas(16) char room[2048];
    struct unpack_input in = {.data = payload, .len = len};
    const char *why = NULL;

    arena_init_in(arena, room, sizeof room);
    if (payload == NULL)
        return NULL;
    return (Imc__V1__PushMsg *)unpack(&imc__v1__push_msg__descriptor, arena, &in, &why);
}

void dispatch_message(struct partition *partition, int64_t offset, const void *payload, size_t len)
{
    struct job *job = partition->job;
    struct arena arena;

    loop_assert_owner(job->loop);
    if (len == KAFKA_PROBE_LEN && memcmp(payload, KAFKA_PROBE, KAFKA_PROBE_LEN) == 0) {
        partition_skip(partition, offset);
        return;
    }
    job_count(job, JOB_CONSUMED);
    Imc__V1__PushMsg *envelope = envelope_unpack(&arena, payload, len);
    const char *problem = envelope_problem(job, envelope);
    if (envelope == NULL || problem != NULL) {
        envelope_skip(partition, offset, envelope, problem);
        arena_free(&arena);
        return;
    }
    struct message *message = message_new(envelope_kind(envelope), envelope);
    arena_free(&arena);
    partition_add(partition, message, offset);
    if (message->trace != NULL)
        message_step_read(job, message);
    if (message->kind == MESSAGE_UID)
        dispatch_uid(job, message);
    else
        dispatch_everywhere(job, message);
}

/* --- read again --- */

static void parked_lost(struct partition *partition, const struct offset_parked *parked)
{
    log_error("message lost",
              "topic=%s partition=%" PRId32 " offset=%" PRId64 " uid=%" PRId64
              " why=\"it had to be stored, and Kafka has removed it before it could be\"; see "
              "the topic's retention",
              partition->job->config->bus_topic, partition->id, parked->offset, parked->uid);
    partition_lose(partition, parked);
}

static void parked_return(struct partition *partition, const struct offset_parked *parked,
                          const Imc__V1__PushMsg *envelope)
{
    struct message *message = message_new(MESSAGE_UID, envelope);

    partition_return(partition, parked, message);
    user_order_return(partition->job->order, &message->entry, message->uid);
}

void dispatch_again(struct partition *partition, int64_t from, int64_t offset, const void *payload,
                    size_t len)
{
    struct windows *windows = &partition->job->windows;
    struct offset_parked parked;
    struct arena arena;

    loop_assert_owner(partition->job->loop);
    while (partition_parked(partition, &parked) && parked.offset >= from && parked.offset < offset)
        parked_lost(partition, &parked);
    if (!partition_parked(partition, &parked) || parked.offset != offset)
        return;
    if (windows_pass_if_full(windows, parked.shard))
        return;
    const Imc__V1__PushMsg *envelope = envelope_unpack(&arena, payload, len);
    /* It was valid when it was read first. */
    if (envelope != NULL && envelope_problem(partition->job, envelope) == NULL &&
        envelope_kind(envelope) == MESSAGE_UID && envelope->uid == parked.uid)
        parked_return(partition, &parked, envelope);
    else
        parked_lost(partition, &parked);
    arena_free(&arena);
}
