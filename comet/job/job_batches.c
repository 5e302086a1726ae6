#include "comet/job/job_batches.h"
#include "comet/base/comet.h"
#include "comet/base/metrics.h"
#include "comet/fanout/room.h"
#include "comet/job/broadcast_gaps.h"
#include "comet/job/job_batches_internal.h"
#include "comet/job/replay_window.h"
#include "comet/job/room_grants.h"
#include "comet/net/handle_table.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/base/time.h"
#include "common/protocol/message_id.h"
#include "common/protocol/unpack.h"
#include <inttypes.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

/* The most items in each list of a batch: the highest value of job's comet.items. */
enum { ITEMS_MAX = 65536 };

static void batch_free(struct backing *backing)
{
    struct push_batch *batch = container_of(backing, struct push_batch, backing);

    rpc_stream_release(batch->stream, batch->held);
    rpc_stream_unref(batch->stream);
    arena_free(&batch->arena);
    free(batch);
}

/* The loops that an item is for, as bits; 0: none. *LEFT becomes the number of results to wait
 * for. */
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

/* True: a message to a user has no id, so it can be neither ordered nor stored. */
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

/* Sets the first state of an item. Returns the loops that must get it. */
static uint64_t item_begin(struct job_batches *service, const Imc__V1__PushItem *proto,
                           struct push_item *item)
{
    bool poke = proto->kind == IMC__V1__PUSH_ITEM__KIND__POKE;
    bool by_handle = poke || proto->kind == IMC__V1__PUSH_ITEM__KIND__UID;
    enum replay_verdict verdict = poke ? REPLAY_NEW
                                       : replay_windows_check(service->applied, proto->partition,
                                                              proto->offset, push_item_id(proto));
    uint32_t left;
    uint64_t loops = item_loops(service->comet, proto, &left);
    bool passed = !by_handle && replay_windows_passed(service->applied, proto->partition,
                                                      proto->offset, proto->message->id);

    atomic_init(&item->left, left);
    if (verdict != REPLAY_NEW || passed) {
        metric_add(service->counters, COMET_ITEMS_REPEATED, 1);
        atomic_init(&item->state, ITEM_TAKEN);
        atomic_init(&item->written, verdict == REPLAY_REPEAT);
    } else if (loops == 0 || item_is_nameless(proto) ||
               (by_handle && proto->epoch != atomic_load_explicit(&service->comet->epoch,
                                                                  memory_order_acquire))) {
        metric_add(service->counters, COMET_ITEMS_GONE, 1);
        atomic_init(&item->state, ITEM_GONE);
    } else {
        atomic_init(&item->state, ITEM_OPEN);
        /* A message to a room or to all is taken from now on, even if the stream breaks before its
         * walks begin: each loop will have it in its inbox. */
        if (!by_handle) {
            replay_windows_taken(service->applied, proto->partition, proto->offset,
                                 push_item_id(proto), true);
            replay_windows_pass(service->applied, proto->partition, proto->offset,
                                proto->message->id);
        }
        return loops;
    }
    return 0;
}

static uint64_t batch_begin(struct push_batch *batch)
{
    struct job_batches *service = batch->service;
    uint64_t loops = 0, now_ms = time_unix_ms();

    for (size_t i = 0; i < batch->proto->n_items; i++) {
        const Imc__V1__PushItem *proto = batch->proto->items[i];
        enum replay_speaker speaker = job_speaks(service, proto->partition, proto->fence, now_ms);
        if (speaker == SPEAKER_HEARD) {
            loops |= item_begin(service, proto, &batch->items[i]);
            continue;
        }
        metric_add(service->counters, COMET_ITEMS_FENCED, speaker == SPEAKER_FENCED);
        atomic_init(&batch->items[i].state, ITEM_REFUSED);
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

    atomic_init(&batch->backing.refs, 1);
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

    atomic_init(&batch->loops_left, (uint32_t)__builtin_popcountll(loops));
    if (loops == 0) {
        push_batch_answer(batch);
        return;
    }
    batch->shares = arena_alloc(&batch->arena, (size_t)comet->n_workers * sizeof *batch->shares);
    for (int i = 0; i < comet->n_workers; i++) {
        struct push_share *share = &batch->shares[i];
        if ((loops & (1ULL << i)) == 0)
            continue;
        push_share_init(share, batch);
        backing_ref(&batch->backing);
        /* A loop that has closed will never answer, because the process is ending. Its items stay
         * pending. Job resends or settles them when the stream breaks. */
        if (!inbox_post(&comet->workers[i].loop, &share->item))
            push_share_done(batch);
    }
}

/* Takes out the partitions for which this job may not speak. */
static void standing_sift(struct job_batches *service, Imc__V1__Standing *standing)
{
    uint64_t now_ms = time_unix_ms();
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

/* False: the batch is meant for another process, which had our id or has our address. */
static bool batch_is_for_us(const struct push_batch *batch)
{
    uint64_t ours = atomic_load_explicit(&batch->service->comet->process, memory_order_acquire);

    return batch->proto->process == 0 || batch->proto->process == ours;
}

static void batch_disown(struct push_batch *batch)
{
    metric_add(batch->service->counters, COMET_ITEMS_MISDIRECTED, (int64_t)batch->proto->n_items);
    for (size_t i = 0; i < batch->proto->n_items; i++)
        atomic_init(&batch->items[i].state, ITEM_GONE);
    batch_post(batch, 0);
}

static void batch_take_question(const struct push_batch *batch)
{
    struct room_grants *grants = batch->service->comet->grants;

    if (batch->proto->rooms != NULL && grants != NULL)
        room_grants_asked(grants, batch->stream, batch->proto->rooms);
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
    batch_take_question(batch);
    batch_post(batch, loops);
    backing_unref(&batch->backing);
}

static void service_closed(struct rpc_stream *stream, void *arg, const char *why)
{
    struct job_batches *service = arg;

    metric_add(service->counters, COMET_JOB_STREAMS, -1);
    log_info("job left", "peer=%s why=\"%s\"", rpc_stream_peer(stream), why);
    if (service->comet->grants != NULL)
        room_grants_ended(service->comet->grants, stream);
    rpc_stream_unref(stream);
}

static const struct rpc_stream_events service_events = {.message = service_message,
                                                        .closed = service_closed};

void job_batches_opened(struct rpc_stream *stream, void *arg)
{
    struct job_batches *service = arg;

    metric_add(service->counters, COMET_JOB_STREAMS, 1);
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
