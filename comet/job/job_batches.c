#include "comet/job/job_batches.h"
#include "comet/base/comet.h"
#include "comet/base/metrics.h"
#include "comet/fanout/room.h"
#include "comet/job/broadcast_gaps.h"
#include "comet/job/replay_window.h"
#include "comet/logic/logic_requests.h"
#include "comet/net/conn.h"
#include "comet/net/handle_table.h"
#include "comet/session/session.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/protocol/message_id.h"
#include "common/protocol/unpack.h"
#include "proto/push.pb-c.h"
#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

struct job_batches {
    struct comet *comet;
    job_missed_fn missed;
    struct replay_windows *applied;
    int64_t *counters; /* the rpc thread's block */
};

/* An item's way: OPEN ─► a result, told in the answer; or OPEN ─► LATE when the answer leaves first
 * ─► a result, told late. Whoever comes second, the answer or the result, sees the other: both
 * exchange the state. (Not while the loop's share is being delivered: the answer waits for that.)
 */
enum item_state { ITEM_OPEN, ITEM_LATE, ITEM_TAKEN, ITEM_GONE, ITEM_REFUSED };

struct push_item {
    uint32_t left; /* atomic: handles or loops that have not told yet */
    uint8_t taken; /* atomic: some session took it */
    uint8_t state; /* atomic, enum item_state */
};

struct push_share {
    struct inbox_item item;
    struct loop_task end; /* of the turn, when walks have begun */
    struct push_batch *batch;
};

struct push_batch {
    struct backing backing;
    struct arena arena;
    Imc__V1__PushBatch *proto;
    struct job_batches *service;
    struct rpc_stream *stream;
    struct push_item *items;
    struct push_share *shares; /* one per loop */
    uint64_t fence;            /* the highest of those that refused items came too late for */
    uint32_t loops_left;       /* atomic: shares that are not done */
    uint8_t answered;          /* atomic: the answer has left, late results may follow */
    size_t held;               /* bytes of the arena that are counted for the peer */
};

/* In each list of a batch: what job.ini's comet.items may be. */
enum { ITEMS_MAX = 65536, LATE_MAX = 65536 };

/* Late results of one loop's turn, at most one message per stream. */
struct late_result {
    struct push_batch *batch;
    uint32_t index, result;
};

struct job_results {
    struct worker *worker;
    struct late_result *late;
    size_t n, cap;
    struct loop_task flush;
    /* The batch whose share is being delivered, and how many of its tickets are not told yet: most
     * are told at once, so their references are counted here and only what is left becomes real. */
    struct push_batch *running;
    uint32_t open;
};

static void batch_free(struct backing *backing)
{
    struct push_batch *batch = container_of(backing, struct push_batch, backing);

    rpc_stream_release(batch->stream, batch->held);
    rpc_stream_unref(batch->stream);
    arena_free(&batch->arena);
    free(batch);
}

/* --- results --- */

/* A broken stream: job resends or settles, it needs no answer. */
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
        list[i] = &values[i];
    }
    reply.late = list;
    reply.n_late = n;
    struct msg *msg = msg_new(imc__v1__push_reply__get_packed_size(&reply));
    imc__v1__push_reply__pack(&reply, msg->data);
    rpc_stream_send(late[0].batch->stream, msg);
    free(values);
    free(list);
}

/* Another loop may still be packing a batch's answer, which must be there first: its late results,
 * and what comes after them, wait for the next turn. Returns how many may go. */
static size_t late_ready(const struct job_results *results)
{
    size_t ready = 0;

    while (ready < results->n &&
           __atomic_load_n(&results->late[ready].batch->answered, __ATOMIC_ACQUIRE))
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

static void late_add(struct job_results *results, struct push_batch *batch, uint32_t index,
                     uint32_t result)
{
    if (results->n == results->cap) {
        results->cap = results->cap == 0 ? 64 : results->cap * 2;
        results->late = mem_realloc(results->late, results->cap * sizeof *results->late);
    }
    backing_ref(&batch->backing);
    results->late[results->n++] = (struct late_result){batch, index, result};
    loop_defer(&results->worker->loop, &results->flush);
}

/* What tells this message from others at its offset. goim's pushes to rooms and all have no id. */
static uint64_t item_id(const Imc__V1__PushItem *proto)
{
    const Imc__V1__Waiting *message = proto->message;
    uint64_t hash = 0xcbf29ce484222325U; /* FNV-1a */

    if (message->id != 0)
        return message->id;
    for (size_t i = 0; i < message->body.len; i++)
        hash = (hash ^ message->body.data[i]) * 0x100000001b3U;
    return hash;
}

/* One handle's or loop's word on item INDEX; the last one decides. */
static void item_told(struct worker *worker, struct push_batch *batch, uint32_t index, bool taken)
{
    struct push_item *item = &batch->items[index];
    const Imc__V1__PushItem *proto = batch->proto->items[index];

    if (taken)
        __atomic_store_n(&item->taken, 1, __ATOMIC_RELAXED);
    /* The last one has it to itself. */
    if (__atomic_load_n(&item->left, __ATOMIC_ACQUIRE) != 1 &&
        __atomic_sub_fetch(&item->left, 1, __ATOMIC_ACQ_REL) != 0)
        return;
    taken = __atomic_load_n(&item->taken, __ATOMIC_RELAXED) != 0;
    if (taken && proto->kind == IMC__V1__PUSH_ITEM__KIND__UID)
        replay_windows_taken(batch->service->applied, proto->partition, proto->offset,
                             item_id(proto));
    if (!taken)
        metric_add(worker->counters, COMET_ITEMS_GONE, 1);
    uint8_t state = taken ? ITEM_TAKEN : ITEM_GONE;
    if (worker->late->running == batch)
        __atomic_store_n(&item->state, state, __ATOMIC_RELEASE);
    else if (__atomic_exchange_n(&item->state, state, __ATOMIC_ACQ_REL) == ITEM_LATE)
        late_add(worker->late, batch, index,
                 taken ? IMC__V1__PUSH_RESULT__TAKEN : IMC__V1__PUSH_RESULT__GONE);
}

static void batch_answer(struct push_batch *batch)
{
    Imc__V1__PushReply reply;
    imc__v1__push_reply__init(&reply);
    size_t n = batch->proto->n_items;
    uint32_t *lists = mem_alloc(3 * n * sizeof *lists);

    reply.seq = batch->proto->seq;
    reply.fence = batch->fence;
    reply.gone = lists;
    reply.refused = lists + n;
    reply.pending = lists + 2 * n;
    for (uint32_t i = 0; i < n; i++) {
        uint8_t state = __atomic_load_n(&batch->items[i].state, __ATOMIC_ACQUIRE);
        if (state == ITEM_OPEN &&
            __atomic_compare_exchange_n(&batch->items[i].state, &state, ITEM_LATE, false,
                                        __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
            reply.pending[reply.n_pending++] = i;
        else if (state == ITEM_GONE)
            reply.gone[reply.n_gone++] = i;
        else if (state == ITEM_REFUSED)
            reply.refused[reply.n_refused++] = i;
    }
    struct msg *msg = msg_new(imc__v1__push_reply__get_packed_size(&reply));
    imc__v1__push_reply__pack(&reply, msg->data);
    free(lists);
    rpc_stream_send(batch->stream, msg);
    rpc_stream_answered(batch->stream);
    __atomic_store_n(&batch->answered, 1, __ATOMIC_RELEASE);
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
    };
}

/* A ticket is told on the loop that took it, but at the end that is no thread of its own: the
 * ticket says which loop. It keeps its batch alive: the reference goes with the last word. */
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

    (void)conn;
    if (result == TICKET_WRITTEN &&
        batch->proto->items[(uint32_t)arg]->kind == IMC__V1__PUSH_ITEM__KIND__UID)
        metric_add(worker->counters, COMET_DELIVERIES_UID, 1);
    item_told(worker, batch, (uint32_t)arg, result != TICKET_DROPPED);
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
        if (conn == NULL || (conn->counted && conn->uid != proto->uid))
            item_told(worker, batch, index, false);
        else
            session_push(conn, &push, batch_ticket(worker, batch, index));
    }
}

/* Logic took the session for one that is there, and keeps the messages for it. It never saw them:
 * a session that comes in its place must not get again what others have had by now. */
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
        item_told(worker, batch, index, here);
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

/* True if there are messages to rooms among it. */
static bool deliver_share(struct worker *worker, struct push_batch *batch)
{
    bool rooms = false;

    for (uint32_t i = 0; i < batch->proto->n_items; i++) {
        const Imc__V1__PushItem *proto = batch->proto->items[i];
        uint8_t state = __atomic_load_n(&batch->items[i].state, __ATOMIC_RELAXED);
        /* An item with nobody left to tell was decided on the rpc thread. */
        if (state != ITEM_OPEN || __atomic_load_n(&batch->items[i].left, __ATOMIC_RELAXED) == 0)
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

static void share_done(struct push_batch *batch)
{
    if (__atomic_sub_fetch(&batch->loops_left, 1, __ATOMIC_ACQ_REL) == 0)
        batch_answer(batch);
    backing_unref(&batch->backing);
}

static void share_end(struct loop *loop, struct loop_task *task)
{
    (void)loop;
    share_done(container_of(task, struct push_share, end)->batch);
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
        __atomic_fetch_add(&batch->backing.refs, results->open, __ATOMIC_RELAXED);
        results->open = 0;
    }
    /* Walks begin at the end of the turn, in tasks that wait already: behind them the answer knows
     * of these items as well. */
    if (rooms)
        loop_defer(loop, &share->end);
    else
        share_done(batch);
}

/* --- the rpc thread --- */

/* Loops that ITEM is for, as bits; 0: nobody here. */
static uint64_t item_loops(const struct comet *comet, const Imc__V1__PushItem *proto,
                           uint32_t *left)
{
    uint64_t loops = 0;

    *left = 0;
    if (proto->kind == IMC__V1__PUSH_ITEM__KIND__ROOM ||
        proto->kind == IMC__V1__PUSH_ITEM__KIND__ALL) {
        *left = (uint32_t)comet->n_workers;
        return comet->n_workers == 64 ? ~0ULL : (1ULL << comet->n_workers) - 1;
    }
    for (size_t i = 0; i < proto->n_handles; i++) {
        int loop = handle_loop(proto->handles[i]);
        if (loop >= comet->n_workers)
            continue;
        loops |= 1ULL << loop;
        ++*left;
    }
    return loops;
}

/* A message to a user without an id can be neither ordered nor kept. */
static bool item_is_nameless(const Imc__V1__PushItem *proto)
{
    return proto->kind == IMC__V1__PUSH_ITEM__KIND__UID && proto->message->id == 0;
}

/* Whether a job with FENCE may speak for PARTITION. */
static enum replay_speaker job_speaks(struct job_batches *service, uint32_t partition,
                                      uint64_t fence, uint64_t now_ms)
{
    enum replay_speaker speaker =
        replay_windows_speaker(service->applied, partition, fence, now_ms);

    if (speaker != SPEAKER_IMPLAUSIBLE)
        return speaker;
    metric_add(service->counters, COMET_FENCES_IMPLAUSIBLE, 1);
    log_warn("fence of the far future refused",
             "partition=%u fence=%" PRIu64 " now=%" PRIu64 "; forged, or a clock is wrong: this "
             "machine's or that of Redis",
             partition, fence, now_ms);
    return speaker;
}

/* The state of an item before any loop saw it, and the loops it needs. */
static uint64_t item_begin(struct job_batches *service, const Imc__V1__PushItem *proto,
                           struct push_item *item)
{
    bool poke = proto->kind == IMC__V1__PUSH_ITEM__KIND__POKE;
    bool by_handle = poke || proto->kind == IMC__V1__PUSH_ITEM__KIND__UID;
    enum replay_verdict verdict = poke ? REPLAY_NEW
                                       : replay_windows_check(service->applied, proto->partition,
                                                              proto->offset, item_id(proto));
    uint64_t loops = item_loops(service->comet, proto, &item->left);
    if (verdict == REPLAY_REPEAT) {
        metric_add(service->counters, COMET_ITEMS_REPEATED, 1);
        item->state = ITEM_TAKEN;
    } else if (loops == 0 || item_is_nameless(proto) ||
               (by_handle &&
                proto->epoch != __atomic_load_n(&service->comet->epoch, __ATOMIC_ACQUIRE))) {
        metric_add(service->counters, COMET_ITEMS_GONE, 1);
        item->state = ITEM_GONE;
    } else {
        item->state = ITEM_OPEN;
        /* To a room it goes once, whatever becomes of the stream before its walks begin: each loop
         * has it in its inbox. */
        if (!by_handle)
            replay_windows_taken(service->applied, proto->partition, proto->offset, item_id(proto));
        return loops;
    }
    return 0;
}

static uint64_t batch_begin(struct push_batch *batch)
{
    struct job_batches *service = batch->service;
    uint64_t loops = 0, now_ms = unix_now_ms();

    for (size_t i = 0; i < batch->proto->n_items; i++) {
        const Imc__V1__PushItem *proto = batch->proto->items[i];
        enum replay_speaker speaker = job_speaks(service, proto->partition, proto->fence, now_ms);
        if (speaker == SPEAKER_HEARD) {
            loops |= item_begin(service, proto, &batch->items[i]);
            continue;
        }
        metric_add(service->counters, COMET_ITEMS_FENCED, speaker == SPEAKER_FENCED);
        batch->items[i].state = ITEM_REFUSED;
        uint64_t fence = replay_windows_fence(service->applied, proto->partition);
        batch->fence = fence > batch->fence ? fence : batch->fence;
    }
    return loops;
}

static bool item_is_valid(const Imc__V1__PushItem *proto)
{
    switch (proto->kind) {
    case IMC__V1__PUSH_ITEM__KIND__POKE:
        return true;
    case IMC__V1__PUSH_ITEM__KIND__ROOM:
        return proto->message != NULL && proto->room[0] != '\0' &&
               strlen(proto->room) <= ROOM_NAME_MAX;
    case IMC__V1__PUSH_ITEM__KIND__UID:
    case IMC__V1__PUSH_ITEM__KIND__ALL:
        return proto->message != NULL;
    default:
        return false;
    }
}

static struct push_batch *batch_new(struct job_batches *service, struct rpc_stream *stream,
                                    const struct msg *msg, const char **why)
{
    struct unpack_input in = {msg->data, msg->len, ITEMS_MAX};
    struct push_batch *batch = mem_zalloc(sizeof *batch);

    batch->backing.refs = 1;
    batch->backing.free = batch_free;
    batch->service = service;
    batch->stream = rpc_stream_ref(stream);
    arena_init(&batch->arena);
    batch->proto =
        (Imc__V1__PushBatch *)unpack(&imc__v1__push_batch__descriptor, &batch->arena, &in, why);
    *why = batch->proto != NULL ? "an item that makes no sense, or no seq" : *why;
    bool valid = batch->proto != NULL && batch->proto->seq != 0;
    for (size_t i = 0; valid && i < batch->proto->n_items; i++)
        valid = item_is_valid(batch->proto->items[i]);
    if (valid) {
        batch->held = batch->arena.bytes;
        rpc_stream_hold(stream, batch->held);
        return batch;
    }
    backing_unref(&batch->backing);
    return NULL;
}

static void batch_post(struct push_batch *batch, uint64_t loops)
{
    struct comet *comet = batch->service->comet;

    batch->loops_left = (uint32_t)__builtin_popcountll(loops);
    if (batch->loops_left == 0) {
        batch_answer(batch);
        return;
    }
    batch->shares = arena_alloc(&batch->arena, (size_t)comet->n_workers * sizeof *batch->shares);
    for (int i = 0; i < comet->n_workers; i++) {
        struct push_share *share = &batch->shares[i];
        if ((loops & (1ULL << i)) == 0)
            continue;
        *share = (struct push_share){.item.run = share_run, .end.run = share_end, .batch = batch};
        backing_ref(&batch->backing);
        /* A loop that has closed is on its way out with the process: pending for ever, so job
         * resends or settles when the stream breaks. */
        if (!inbox_post(&comet->workers[i].loop, &share->item))
            share_done(batch);
    }
}

/* Leaves the partitions for which this job may speak. */
static void standing_sift(struct job_batches *service, Imc__V1__Standing *standing)
{
    uint64_t now_ms = unix_now_ms();
    size_t kept = 0;

    for (size_t i = 0; i < standing->n_partitions && i < standing->n_fences; i++) {
        uint32_t partition = standing->partitions[i];
        uint64_t fence = standing->fences[i];
        if (fence == 0 || job_speaks(service, partition, fence, now_ms) != SPEAKER_HEARD)
            continue;
        standing->partitions[kept] = partition;
        standing->fences[kept++] = fence;
    }
    standing->n_partitions = standing->n_fences = kept;
}

static void batch_take_standing(struct push_batch *batch)
{
    struct comet *comet = batch->service->comet;

    if (batch->proto->standing == NULL)
        return;
    standing_sift(batch->service, batch->proto->standing);
    unsigned missed = broadcast_gaps_take(comet->standings, batch->proto->standing);
    if (missed != 0)
        batch->service->missed(comet, missed, "a job did not keep them, or is another than before");
}

/* Meant for another process: one that had our id, or has our address. */
static bool batch_is_for_us(const struct push_batch *batch)
{
    uint64_t ours = __atomic_load_n(&batch->service->comet->process, __ATOMIC_ACQUIRE);

    return batch->proto->process == 0 || batch->proto->process == ours;
}

static void batch_disown(struct push_batch *batch)
{
    metric_add(batch->service->counters, COMET_ITEMS_MISDIRECTED, (int64_t)batch->proto->n_items);
    for (size_t i = 0; i < batch->proto->n_items; i++)
        batch->items[i].state = ITEM_GONE;
    batch_post(batch, 0);
}

static void service_message(struct rpc_stream *stream, void *arg, struct msg *msg)
{
    struct job_batches *service = arg;
    const char *why = "";
    struct push_batch *batch = batch_new(service, stream, msg, &why);

    msg_unref(msg);
    if (batch == NULL) {
        metric_add(service->counters, COMET_BATCHES_MALFORMED, 1);
        log_error("malformed batch from job, closing its stream", "peer=%s why=\"%s\"",
                  rpc_stream_peer(stream), why);
        rpc_stream_close(stream);
        return;
    }
    batch->items = arena_alloc(&batch->arena, batch->proto->n_items * sizeof *batch->items);
    memset(batch->items, 0, batch->proto->n_items * sizeof *batch->items);
    if (!batch_is_for_us(batch)) {
        batch_disown(batch);
        backing_unref(&batch->backing);
        return;
    }
    uint64_t loops = batch_begin(batch);
    batch_take_standing(batch);
    batch_post(batch, loops);
    backing_unref(&batch->backing);
}

static void service_closed(struct rpc_stream *stream, void *arg, const char *why)
{
    (void)arg;
    log_info("job left", "peer=%s why=\"%s\"", rpc_stream_peer(stream), why);
    rpc_stream_unref(stream);
}

static const struct rpc_stream_events service_events = {.message = service_message,
                                                        .closed = service_closed};

void job_batches_opened(struct rpc_stream *stream, void *service)
{
    log_info("job connected", "peer=%s", rpc_stream_peer(stream));
    rpc_stream_accept(rpc_stream_ref(stream), &service_events, service);
}

struct job_batches *job_batches_open(struct comet *comet, job_missed_fn missed)
{
    struct job_batches *service = mem_zalloc(sizeof *service);

    service->comet = comet;
    service->missed = missed;
    service->applied = replay_windows_new();
    service->counters = metrics_block(comet->daemon->metrics);
    return service;
}

void job_batches_close(struct job_batches *service)
{
    if (service == NULL)
        return;
    replay_windows_free(service->applied);
    free(service);
}

struct job_results *job_results_open(struct worker *worker)
{
    struct job_results *results = mem_zalloc(sizeof *results);

    results->worker = worker;
    results->flush.run = late_flush;
    return results;
}

void job_results_close(struct job_results *results)
{
    for (size_t i = 0; i < results->n; i++)
        backing_unref(&results->late[i].batch->backing);
    free(results->late);
    free(results);
}
