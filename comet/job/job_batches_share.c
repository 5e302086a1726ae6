/* job_batches_share.c - what a loop does with its share of a batch, and what becomes of each item.
 *
 *   share_run ─► deliver_uid, _poke, _room ─► tickets ─► item_told: the last one decides
 *      │ the last loop's: push_batch_answer                  │ after the answer
 *      ▼                                                     ▼
 *   PushReply(seq): gone, refused, pending                late_flush: PushReply(late) */
#include "comet/base/comet.h"
#include "comet/base/metrics.h"
#include "comet/fanout/room.h"
#include "comet/job/job_batches.h"
#include "comet/job/job_batches_internal.h"
#include "comet/job/replay_window.h"
#include "comet/logic/logic_requests.h"
#include "comet/net/conn.h"
#include "comet/net/handle_table.h"
#include "comet/session/acks.h"
#include "comet/session/push_trace.h"
#include "comet/session/session.h"
#include "common/base/hash.h"
#include "common/base/mem.h"
#include "common/trace/trace_mark.h"
#include <assert.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum { LATE_MAX = 65536 }; /* most late results in a message: as many as job takes */

/* A late result. Those of one turn of a loop go in few messages, one after the other. */
struct late_result {
    struct push_batch *batch;
    uint32_t index, result;
    bool unwritten;
};

struct job_results {
    struct worker *worker;
    struct late_result *late;
    size_t n, cap;
    struct loop_task flush;
    /* The batch whose share is being delivered, and how many of its tickets are not done yet. Most
     * are done at once. So references for tickets are counted here, and only those that are left
     * are taken. */
    struct push_batch *running;
    uint32_t open;
};

/* --- results --- */

/* Sends N late results of one stream. If the stream is broken, job resends or settles, and needs no
 * result. */
static void late_send(const struct late_result *late, size_t n)
{
    Imc__V1__LateResult *values = mem_alloc(n * sizeof *values);
    Imc__V1__LateResult **list = mem_alloc(n * sizeof(void *));
    Imc__V1__PushReply reply;
    imc__v1__push_reply__init(&reply);

    for (size_t i = 0; i < n; i++) {
        imc__v1__late_result__init(&values[i]);
        values[i].seq = late[i].batch->proto->seq;
        values[i].index = late[i].index;
        values[i].result = late[i].result;
        values[i].unwritten = late[i].unwritten;
        list[i] = &values[i];
    }
    reply.late = list;
    reply.n_late = n;
    struct msg *msg = msg_pack(&reply.base);
    rpc_stream_send(late[0].batch->stream, msg);
    free(values);
    free(list);
}

/* Returns how many late results may be sent now. Another loop may still be packing the answer of a
 * batch, which must come first. Then the late results of that batch, and all after them, wait for
 * the next turn. */
static size_t late_ready(const struct job_results *results)
{
    size_t ready = 0;

    while (ready < results->n &&
           atomic_load_explicit(&results->late[ready].batch->answered, memory_order_acquire))
        ready++;
    return ready;
}

static void late_flush(struct loop *loop, struct loop_task *task)
{
    struct job_results *results = container_of(task, struct job_results, flush);
    struct late_result *late = results->late;
    size_t ready = late_ready(results);

    for (size_t from = 0, to; from < ready; from = to) {
        for (to = from + 1; to < ready && to - from < LATE_MAX &&
                            late[to].batch->stream == late[from].batch->stream;)
            to++;
        late_send(late + from, to - from);
        for (size_t i = from; i < to; i++)
            backing_unref(&late[i].batch->backing);
    }
    results->n -= ready;
    memmove(late, late + ready, results->n * sizeof *late);
    if (results->n > 0)
        loop_defer(loop, task);
}

/* Job wants to know that item INDEX, which was taken, was not written to any session. */
static bool is_unwritten(const struct push_batch *batch, uint32_t index)
{
    return batch->proto->tell &&
           batch->proto->items[index]->kind == IMC__V1__PUSH_ITEM__KIND__UID &&
           atomic_load_explicit(&batch->items[index].written, memory_order_relaxed) == 0;
}

static void late_add(struct job_results *results, struct push_batch *batch, uint32_t index,
                     uint32_t result)
{
    if (results->n == results->cap) {
        results->cap = results->cap == 0 ? 64 : results->cap * 2;
        results->late = mem_realloc(results->late, results->cap * sizeof *results->late);
    }
    backing_ref(&batch->backing);
    results->late[results->n++] = (struct late_result){
        batch, index, result, result == IMC__V1__PUSH_RESULT__TAKEN && is_unwritten(batch, index)};
    loop_defer(&results->worker->loop, &results->flush);
}

uint64_t push_item_id(const Imc__V1__PushItem *proto)
{
    const Imc__V1__Waiting *message = proto->message;

    if (message->id != 0)
        return message->id;
    return hash_fnv1a(HASH_FNV1A_BEGIN, message->body.data, message->body.len);
}

/* Takes the result of one handle or loop for item INDEX. The last result decides. */
static void item_told(struct worker *worker, struct push_batch *batch, uint32_t index,
                      enum ticket_result result)
{
    bool taken = result != TICKET_DROPPED;
    struct push_item *item = &batch->items[index];
    const Imc__V1__PushItem *proto = batch->proto->items[index];

    if (taken)
        atomic_store_explicit(&item->taken, 1, memory_order_relaxed);
    if (result == TICKET_WRITTEN)
        atomic_store_explicit(&item->written, 1, memory_order_relaxed);
    /* No atomic subtraction for the last one: nobody else changes `left` then. */
    if (atomic_load_explicit(&item->left, memory_order_acquire) != 1 &&
        atomic_fetch_sub_explicit(&item->left, 1, memory_order_acq_rel) != 1)
        return;
    taken = atomic_load_explicit(&item->taken, memory_order_relaxed) != 0;
    if (taken && proto->kind == IMC__V1__PUSH_ITEM__KIND__UID)
        replay_windows_taken(batch->service->applied, proto->partition, proto->offset,
                             push_item_id(proto),
                             atomic_load_explicit(&item->written, memory_order_relaxed) != 0);
    if (!taken)
        metric_add(worker->counters, COMET_ITEMS_GONE, 1);
    uint8_t state = taken ? ITEM_TAKEN : ITEM_GONE;
    if (worker->late->running == batch)
        atomic_store_explicit(&item->state, state, memory_order_release);
    else if (atomic_exchange_explicit(&item->state, state, memory_order_acq_rel) == ITEM_LATE)
        late_add(worker->late, batch, index,
                 taken ? IMC__V1__PUSH_RESULT__TAKEN : IMC__V1__PUSH_RESULT__GONE);
}

void push_batch_answer(struct push_batch *batch)
{
    Imc__V1__PushReply reply;
    imc__v1__push_reply__init(&reply);
    size_t n = batch->proto->n_items;
    uint32_t *lists = mem_alloc(4 * n * sizeof *lists);

    reply.seq = batch->proto->seq;
    reply.fence = batch->fence;
    reply.gone = lists;
    reply.refused = lists + n;
    reply.pending = lists + 2 * n;
    reply.unwritten = lists + 3 * n;
    for (uint32_t i = 0; i < n; i++) {
        uint8_t state = atomic_load_explicit(&batch->items[i].state, memory_order_acquire);
        if (state == ITEM_OPEN &&
            atomic_compare_exchange_strong_explicit(&batch->items[i].state, &state, ITEM_LATE,
                                                    memory_order_acq_rel, memory_order_acquire))
            reply.pending[reply.n_pending++] = i;
        else if (state == ITEM_GONE)
            reply.gone[reply.n_gone++] = i;
        else if (state == ITEM_REFUSED)
            reply.refused[reply.n_refused++] = i;
        else if (state == ITEM_TAKEN && is_unwritten(batch, i))
            reply.unwritten[reply.n_unwritten++] = i;
    }
    struct msg *msg = msg_pack(&reply.base);
    free(lists);
    rpc_stream_send(batch->stream, msg);
    rpc_stream_answered(batch->stream);
    atomic_store_explicit(&batch->answered, 1, memory_order_release);
}

/* --- a loop's share --- */

static struct push item_push(struct push_batch *batch, const Imc__V1__PushItem *proto)
{
    const Imc__V1__Waiting *message = proto->message;

    return (struct push){
        .backing = &batch->backing,
        .body = message->body.data,
        .body_len = (uint32_t)message->body.len,
        .op = message->op,
        .id = message->id,
        .expires_ms = message->expires_ms,
        .trace = message->trace.len == TRACE_MARK_LEN ? message->trace.data : NULL,
    };
}

/* A ticket is done on the loop that took it, but when the process ends, loops have no threads any
 * more. So the ticket says which loop it is. The ticket holds a reference to its batch until it is
 * done. */
enum { TICKET_LOOP_SHIFT = 32 };

static void ticket_item_push(const struct ticket *ticket, struct push *push)
{
    struct push_batch *batch = ticket->owner;

    *push = item_push(batch, batch->proto->items[(uint32_t)ticket->arg]);
}

static void uid_told(void *owner, uint64_t arg, struct conn *conn, enum ticket_result result)
{
    struct push_batch *batch = owner;
    struct worker *worker = &batch->service->comet->workers[arg >> TICKET_LOOP_SHIFT];

    const Imc__V1__PushItem *proto = batch->proto->items[(uint32_t)arg];
    bool uid = proto->kind == IMC__V1__PUSH_ITEM__KIND__UID;
    if (uid && proto->message->trace.len > 0 && conn != NULL) {
        struct push push = item_push(batch, proto);
        push_trace_told(conn, &push, result);
    }
    if (uid && result == TICKET_WRITTEN)
        acks_written(worker, conn, proto->message->id, false);
    item_told(worker, batch, (uint32_t)arg, result);
    if (worker->late->running == batch)
        worker->late->open--;
    else
        backing_unref(&batch->backing);
}

static const struct ticket_ops item_ticket = {.done = uid_told, .push = ticket_item_push};

static struct ticket batch_ticket(const struct worker *worker, struct push_batch *batch,
                                  uint32_t index)
{
    worker->late->open++;
    return (struct ticket){.ops = &item_ticket,
                           .owner = batch,
                           .arg = (uint64_t)worker->loop.index << TICKET_LOOP_SHIFT | index};
}

static void deliver_uid(struct worker *worker, struct push_batch *batch, uint32_t index)
{
    const Imc__V1__PushItem *proto = batch->proto->items[index];
    struct push push = item_push(batch, proto);

    for (size_t i = 0; i < proto->n_handles; i++) {
        if (handle_loop(proto->handles[i]) != worker->loop.index)
            continue;
        metric_add(worker->counters, COMET_ITEMS_UID, 1);
        struct conn *conn = handle_table_find(worker->table, proto->handles[i]);
        bool gone = conn == NULL || (conn->counted && conn->uid != proto->uid);
        if (push.trace != NULL && gone)
            push_trace_gone(worker, proto->uid, proto->handles[i], &push);
        else if (push.trace != NULL)
            push_trace_sent(conn, &push);
        if (gone)
            item_told(worker, batch, index, TICKET_DROPPED);
        else
            session_push(conn, &push, batch_ticket(worker, batch, index));
    }
}

/* A poke came for a session that is gone. Logic keeps the messages for that session, which never
 * saw them. We waive them, so that the user's next session does not get again what others have
 * had. */
static void poke_waive(struct worker *worker, const Imc__V1__PushItem *proto, uint64_t handle)
{
    struct logic_confirm confirm = {.how = CONFIRM_WAIVED, .uid = proto->uid, .handle = handle};

    for (size_t i = 0; i < proto->n_ids; i++)
        logic_requests_confirm(worker->logic, &confirm, proto->ids[i]);
}

static void deliver_poke(struct worker *worker, struct push_batch *batch, uint32_t index)
{
    const Imc__V1__PushItem *proto = batch->proto->items[index];

    for (size_t i = 0; i < proto->n_handles; i++) {
        if (handle_loop(proto->handles[i]) != worker->loop.index)
            continue;
        metric_add(worker->counters, COMET_ITEMS_POKE, 1);
        struct conn *conn = handle_table_find(worker->table, proto->handles[i]);
        bool here = conn != NULL && conn->state < CONN_CLOSING;
        if (here)
            session_poke(conn, proto->ids, proto->n_ids);
        else
            poke_waive(worker, proto, proto->handles[i]);
        item_told(worker, batch, index, here ? TICKET_WRITTEN : TICKET_DROPPED);
    }
}

static void deliver_room(struct worker *worker, struct push_batch *batch, uint32_t index)
{
    const Imc__V1__PushItem *proto = batch->proto->items[index];
    struct push push = item_push(batch, proto);
    struct ticket ticket = batch_ticket(worker, batch, index);

    if (proto->kind == IMC__V1__PUSH_ITEM__KIND__ROOM) {
        metric_add(worker->counters, COMET_ITEMS_ROOM, 1);
        room_push(worker, proto->room, strlen(proto->room), &push, ticket);
    } else {
        metric_add(worker->counters, COMET_ITEMS_ALL, 1);
        room_push_all(worker, &push, proto->speed, ticket);
    }
}

/* Delivers the loop's share. True: it has messages to rooms, or to all. */
static bool deliver_share(struct worker *worker, struct push_batch *batch)
{
    bool rooms = false;

    for (uint32_t i = 0; i < batch->proto->n_items; i++) {
        const Imc__V1__PushItem *proto = batch->proto->items[i];
        uint8_t state = atomic_load_explicit(&batch->items[i].state, memory_order_relaxed);
        /* Skips items that the rpc thread has decided, or that wait for no result. */
        if (state != ITEM_OPEN ||
            atomic_load_explicit(&batch->items[i].left, memory_order_relaxed) == 0)
            continue;
        switch (proto->kind) {
        case IMC__V1__PUSH_ITEM__KIND__UID:
            deliver_uid(worker, batch, i);
            break;
        case IMC__V1__PUSH_ITEM__KIND__POKE:
            deliver_poke(worker, batch, i);
            break;
        case IMC__V1__PUSH_ITEM__KIND__ROOM:
        case IMC__V1__PUSH_ITEM__KIND__ALL:
            deliver_room(worker, batch, i);
            rooms = true;
            break;
        default:
            assert(false && "kinds were checked on the rpc thread");
        }
    }
    return rooms;
}

void push_share_done(struct push_batch *batch)
{
    if (atomic_fetch_sub_explicit(&batch->loops_left, 1, memory_order_acq_rel) == 1)
        push_batch_answer(batch);
    backing_unref(&batch->backing);
}

static void share_end(struct loop *loop, struct loop_task *task)
{
    (void)loop;
    push_share_done(container_of(task, struct push_share, end)->batch);
}

static void share_run(struct loop *loop, struct inbox_item *posted)
{
    struct push_share *share = container_of(posted, struct push_share, item);
    struct worker *worker = container_of(loop, struct worker, loop);
    struct job_results *results = worker->late;
    struct push_batch *batch = share->batch;
    bool rooms = false;

    if (!worker->closed) {
        results->running = batch;
        rooms = deliver_share(worker, batch);
        results->running = NULL;
        atomic_fetch_add_explicit(&batch->backing.refs, results->open, memory_order_relaxed);
        results->open = 0;
    }
    /* Walks begin at the end of the turn, in tasks that are queued already. The share ends behind
     * them, so that the answer has the results of these items, too. */
    if (rooms)
        loop_defer(loop, &share->end);
    else
        push_share_done(batch);
}

void push_share_init(struct push_share *share, struct push_batch *batch)
{
    *share = (struct push_share){.item.run = share_run, .end.run = share_end, .batch = batch};
}

struct job_results *job_results_open(struct worker *worker)
{
    struct job_results *results = mem_zalloc(sizeof *results);

    loop_assert_owner(&worker->loop);
    results->worker = worker;
    results->flush.run = late_flush;
    return results;
}

void job_results_close(struct job_results *results)
{
    loop_assert_owner(&results->worker->loop);
    for (size_t i = 0; i < results->n; i++)
        backing_unref(&results->late[i].batch->backing);
    free(results->late);
    free(results);
}
