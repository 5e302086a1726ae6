/* deliver.c - a loop's share of a call of goim's job.
 *
 *   goim_share_arrived ─┬─ push: some keys a turn ─► sessions ─► written, queued or dropped
 *                       └─ room, all ─► fanout ─► tickets: their walks have begun
 *   share_drop, the last one ─► goim_call_loop_done */
#include "comet/base/metrics.h"
#include "comet/base/worker.h"
#include "comet/fanout/room.h"
#include "comet/goim/calls_internal.h"
#include "comet/net/conn.h"
#include "comet/net/goim_client.h"
#include "comet/session/goim_keys.h"
#include "comet/wire/wire.h"
#include <stdatomic.h>
#include <string.h>

enum {
    /* So many messages are written in a turn, and so many keys looked for. */
    TURN_WRITES = 1024,
    TURN_KEYS = 4096,
    KEY_SESSIONS = 64, /* the most sessions of a key that get a message: the newest */
};

static void share_drop(struct goim_share *share)
{
    struct goim_call *call = share->call;

    if (--share->open > 0)
        return;
    if (share->found > 0)
        atomic_fetch_add_explicit(&call->found, share->found, memory_order_relaxed);
    goim_call_loop_done(call);
}

/* --- to keys --- */

/* Writes the message with its own version and sequence. */
static enum write_result write_bare(struct conn *conn, const struct goim_call *call)
{
    const struct push *push = &call->pushes[0];
    const struct wire_unit unit = {.version = call->version,
                                   .op = push->op,
                                   .seq = call->seq,
                                   .body = push->body,
                                   .body_len = push->body_len};
    struct msg *msg = msg_new(wire_reply(conn->wire, &unit, NULL, 0));

    wire_reply(conn->wire, &unit, msg->data, msg->len);
    enum write_result result = conn_write_msg(conn, msg, TICKET_NONE);
    msg_unref(msg);
    return result;
}

/* Returns how many messages were written, or are queued. */
static size_t write_all(struct conn *conn, const struct goim_call *call)
{
    size_t taken = 0;

    if (call->bare)
        return write_bare(conn, call) < WRITE_FULL;
    for (size_t i = 0; i < call->n_pushes; i++)
        taken += conn_push(conn, &call->pushes[i], TICKET_NONE) < WRITE_FULL;
    return taken;
}

static void push_to_session(struct conn *conn, const struct goim_call *call)
{
    _Atomic int64_t *counters = conn->worker->counters;

    if (conn->state != CONN_OPEN)
        return;
    if (!goim_client_accepts(conn->goim, call->accept_op)) {
        metric_add(counters, COMET_DECLINED, (int64_t)call->n_pushes);
        return;
    }
    size_t taken = write_all(conn, call);
    metric_add(counters, COMET_DELIVERIES_KEY, (int64_t)taken);
    if (taken < call->n_pushes)
        metric_add(counters, COMET_GOIM_DROPPED, (int64_t)(call->n_pushes - taken));
}

/* Returns how many messages there were to write. */
static size_t push_to_key(struct goim_share *share, const char *key)
{
    struct conn *conn = goim_keys_find(share->worker, key);
    size_t n = 0;

    share->found += conn != NULL;
    for (; conn != NULL && n < KEY_SESSIONS; conn = conn->goim->key_next, n++)
        push_to_session(conn, share->call);
    return n * share->call->n_pushes;
}

static void push_to_keys(struct loop *loop, struct loop_task *task)
{
    struct goim_share *share = container_of(task, struct goim_share, task);
    const struct goim_call *call = share->call;
    size_t writes = 0, end = share->key + TURN_KEYS;

    end = end < call->n_keys ? end : call->n_keys;
    while (share->key < end && writes < TURN_WRITES)
        writes += push_to_key(share, call->keys[share->key++]);
    if (share->key < call->n_keys && !share->worker->closed)
        loop_defer(loop, task);
    else
        share_drop(share);
}

/* --- to rooms and to all --- */

static void share_told(void *owner, uint64_t arg, struct conn *conn, enum ticket_result result)
{
    (void)arg;
    (void)conn;
    (void)result;
    share_drop(owner);
}

static const struct ticket_ops share_ticket = {.done = share_told};

static void push_to_audience(struct goim_share *share, const struct push *push)
{
    struct goim_call *call = share->call;
    struct ticket ticket = {.ops = &share_ticket, .owner = share};

    share->open++;
    if (call->kind == GOIM_CALL_ROOM)
        room_push(share->worker, call->room, strlen(call->room), push, ticket);
    else
        room_push_all(share->worker, push, call->speed, ticket);
}

void goim_share_arrived(struct loop *loop, struct inbox_item *item)
{
    struct goim_share *share = container_of(item, struct goim_share, item);
    const struct goim_call *call = share->call;

    share->task.run = push_to_keys;
    if (share->worker->closed) {
        share_drop(share);
    } else if (call->kind == GOIM_CALL_PUSH) {
        push_to_keys(loop, &share->task);
    } else {
        for (size_t i = 0; i < call->n_pushes; i++)
            push_to_audience(share, &call->pushes[i]);
        share_drop(share);
    }
}
