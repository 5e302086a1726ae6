/* comet_stream.c - the stream of items to one comet.
 *
 *   queue ──comet_fill──► batch in flight ──comet_take_answer──► answered
 *    ▲  ▲                    │      └ some are pending ──comet_take_late──► answered
 *    │  └──── returned ◄─────┴──────────────┘ the stream broke: batch_return
 *    └ comet_splice_returned: in the old order, before all that was not sent yet */
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/base/time.h"
#include "common/containers/map.h"
#include "common/protocol/fence.h"
#include "common/protocol/message_id.h"
#include "common/protocol/unpack.h"
#include "common/rpc/pipe.h"
#include "job/comets/comets_internal.h"
#include "job/partition/partition.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* --- items --- */

void comet_item_free(struct comet_peer *comet, struct comet_item *item)
{
    if (item->kept) {
        comet->n_kept--;
        comet->comets->kept_bytes -= comet_item_size(item);
        if (comet->n_kept == 0 && comet->standing_due && comet->pipe != NULL)
            pipe_kick(comet->pipe);
    }
    message_unref(item->message);
    free(item);
}

static void item_answer(struct comet_peer *comet, struct comet_item *item,
                        Imc__V1__PushResult result)
{
    if (!item->kept)
        comet->comets->answered(comet->job, item->message, item->kind, result);
    comet_item_free(comet, item);
}

/* RESULT is a PushResult. */
static void item_result(struct comet_peer *comet, struct comet_item *item, uint32_t result,
                        bool unwritten)
{
    if (result == IMC__V1__PUSH_RESULT__TAKEN && !unwritten)
        item->message->written = true;
    item_answer(comet, item, (Imc__V1__PushResult)result);
}

/* What the broken stream owes goes before all that was never sent. */
static void comet_splice_returned(struct comet_peer *comet)
{
    STAILQ_CONCAT(&comet->returned, &comet->queue);
    STAILQ_CONCAT(&comet->queue, &comet->returned);
}

/* --- batches that are answered, but for some items --- */

static void pending_add(struct comet_peer *comet, struct comet_batch *batch)
{
    struct comet_batch *after = TAILQ_LAST(&comet->pending, comet_batches);

    while (after != NULL && after->seq > batch->seq)
        after = TAILQ_PREV(after, comet_batches, link);
    if (after != NULL)
        TAILQ_INSERT_AFTER(&comet->pending, after, batch, link);
    else
        TAILQ_INSERT_HEAD(&comet->pending, batch, link);
    map64_set(comet->by_seq, batch->seq, (uintptr_t)batch);
}

static void pending_remove(struct comet_peer *comet, struct comet_batch *batch)
{
    TAILQ_REMOVE(&comet->pending, batch, link);
    map64_del(comet->by_seq, batch->seq);
}

/* BATCH's items without an answer wait to be sent again. Frees BATCH. */
static void batch_return(struct comet_peer *comet, struct comet_batch *batch)
{
    for (uint32_t i = 0; i < batch->n; i++) {
        if (batch->items[i] == NULL)
            continue;
        STAILQ_INSERT_TAIL(&comet->returned, batch->items[i], next);
        comet->n_returned++;
    }
    free(batch);
}

static void pending_return(struct comet_peer *comet, uint64_t below_seq)
{
    struct comet_batch *batch = TAILQ_FIRST(&comet->pending), *next;

    for (; batch != NULL && batch->seq < below_seq; batch = next) {
        next = TAILQ_NEXT(batch, link);
        pending_remove(comet, batch);
        batch_return(comet, batch);
    }
}

/* --- packing --- */

struct packed_item {
    Imc__V1__PushItem item;
    Imc__V1__Waiting message;
};

/* The fence that MESSAGE travels with: that of its partition now, if the partition is ours. A kept
 * item may be older than our last fence, or its partition may be another job's by now. */
static uint64_t message_fence(const struct job *job, const struct message *message)
{
    const struct partition *ours = message->partition != NULL
                                       ? message->partition
                                       : partition_find(job, message->partition_id);

    return ours != NULL && partition_is_ours(ours) ? ours->fence : message->fence;
}

static void item_describe(struct packed_item *packed, struct comet_item *item,
                          const struct comet_peer *comet)
{
    struct message *message = item->message;
    Imc__V1__PushItem *out = &packed->item;

    imc__v1__push_item__init(out);
    out->kind = item->kind;
    out->partition = (uint32_t)message->partition_id;
    out->fence = message_fence(comet->job, message);
    out->epoch = comet->epoch;
    out->uid = message->uid;
    out->n_handles = item->n_handles;
    out->handles = item->handles;
    if (item->kind == IMC__V1__PUSH_ITEM__KIND__POKE) {
        out->n_ids = 1;
        out->ids = &message->id;
        return;
    }
    out->offset = message->offset;
    out->speed = message->speed;
    if (message->kind == MESSAGE_ROOM)
        out->room = message->room;
    imc__v1__waiting__init(&packed->message);
    packed->message.id = message->id;
    packed->message.op = message->op;
    packed->message.expires_ms = message->expires_ms;
    packed->message.body.len = message->body_len;
    packed->message.body.data = message->body;
    packed->message.trace = message_mark(message);
    out->message = &packed->message;
}

static void standing_describe(Imc__V1__Standing *out, const struct comet_peer *comet,
                              const struct comet_batch *batch)
{
    const struct partition *p;
    size_t n = 0;

    imc__v1__standing__init(out);
    out->epoch = comet->epoch;
    out->link = comet->link;
    out->missed_rooms = batch->missed_rooms;
    out->missed_all = batch->missed_all;
    LIST_FOREACH(p, &comet->job->partitions, link)
        n += partition_is_ours(p);
    out->partitions = mem_alloc((n + 1) * sizeof *out->partitions);
    out->fences = mem_alloc((n + 1) * sizeof *out->fences);
    LIST_FOREACH(p, &comet->job->partitions, link) {
        if (!partition_is_ours(p))
            continue;
        out->partitions[out->n_partitions++] = (uint32_t)p->id;
        out->fences[out->n_fences++] = p->fence;
    }
}

static struct msg *batch_pack(struct comet_peer *comet, const struct comet_batch *batch)
{
    Imc__V1__PushBatch out;
    Imc__V1__Standing standing = {0};
    Imc__V1__RoomsQuestion question;
    struct packed_item *packed = mem_alloc((batch->n + 1) * sizeof *packed);
    /* NOLINTNEXTLINE(bugprone-sizeof-expression): an array of pointers */
    Imc__V1__PushItem **list = mem_alloc((batch->n + 1) * sizeof *list);

    for (size_t i = 0; i < batch->n; i++) {
        item_describe(&packed[i], batch->items[i], comet);
        list[i] = &packed[i].item;
    }
    imc__v1__push_batch__init(&out);
    out.seq = batch->seq;
    out.job = comet->job->id;
    out.process = comet->process;
    out.tell = comet->job->tell_fact != NULL;
    out.n_items = batch->n;
    out.items = list;
    if (batch->standing) {
        standing_describe(&standing, comet, batch);
        out.standing = &standing;
    }
    if (comet_rooms_due(&comet->rooms)) {
        comet_rooms_describe(&comet->rooms, &question);
        out.rooms = &question;
    }
    struct msg *msg = msg_pack(&out.base);
    free(standing.partitions);
    free(standing.fences);
    free(list);
    free(packed);
    return msg;
}

/* --- the pipe --- */

static struct comet_batch *batch_new(uint64_t seq, size_t max)
{
    struct comet_batch *batch = mem_alloc(sizeof *batch + max * sizeof(struct comet_item *));

    *batch = (struct comet_batch){.seq = seq};
    return batch;
}

/* A Standing goes only once no kept item is under way. Then the comet is as if it had never been
 * lost. */
static bool standing_may_go(const struct comet_peer *comet)
{
    return comet->standing_due && !comet->lost &&
           (comet->n_kept == 0 || comet->missed_rooms || comet->missed_all);
}

static void batch_add_standing(struct comet_peer *comet, struct comet_batch *batch)
{
    batch->standing = true;
    batch->missed_rooms = comet->missed_rooms;
    batch->missed_all = comet->missed_all;
    comet->standing_due = comet->missed_rooms = comet->missed_all = false;
}

static void batch_take_back_standing(struct comet_peer *comet, const struct comet_batch *batch)
{
    if (!batch->standing)
        return;
    comet->standing_due = true;
    comet->missed_rooms |= batch->missed_rooms;
    comet->missed_all |= batch->missed_all;
}

static void batch_fill(struct comet_peer *comet, struct comet_batch *batch, size_t max)
{
    size_t bytes = 0, most = (size_t)comet->job->config->comet_bytes;

    while (!STAILQ_EMPTY(&comet->queue) && bytes < most && batch->n < max) {
        struct comet_item *item = STAILQ_TAKE(&comet->queue, next);
        if (!item->kept && item->message->partition == NULL) {
            comet_item_free(comet, item);
            continue;
        }
        batch->items[batch->n++] = item;
        bytes += comet_item_size(item);
    }
}

static struct msg *comet_fill(struct pipe *pipe, void *arg, uint64_t seq, void **out)
{
    struct comet_peer *comet = arg;
    size_t max = (size_t)comet->job->config->comet_items;

    (void)pipe;
    comet_splice_returned(comet);
    metric_add(comet->job->counters, JOB_RESENT, (int64_t)comet->n_returned);
    comet->n_returned = 0;
    if (STAILQ_EMPTY(&comet->queue) && !standing_may_go(comet) && !comet_rooms_due(&comet->rooms))
        return NULL;
    struct comet_batch *batch = batch_new(seq, max);
    batch_fill(comet, batch, max);
    if (standing_may_go(comet))
        batch_add_standing(comet, batch);
    if (batch->n == 0 && !batch->standing && !comet_rooms_due(&comet->rooms)) {
        free(batch);
        return NULL;
    }
    batch = mem_realloc(batch, sizeof *batch + batch->n * sizeof(struct comet_item *));
    batch->open = batch->n;
    *out = batch;
    return batch_pack(comet, batch);
}

static void comet_malformed(struct comet_peer *comet, const char *what, uint64_t seq)
{
    job_count(comet->job, JOB_MALFORMED_ANSWER);
    log_warn("answer fits no batch", "comet=%s what=\"%s\" seq=%" PRIu64, comet->id, what, seq);
}

static void mark(struct comet_peer *comet, struct comet_batch *batch, uint8_t *results,
                 const uint32_t *indexes, size_t n, uint8_t result)
{
    for (size_t i = 0; i < n; i++) {
        if (indexes[i] < batch->n)
            results[indexes[i]] = result;
        else
            comet_malformed(comet, "index beyond the batch", batch->seq);
    }
}

enum { RESULT_PENDING = 255, RESULT_UNWRITTEN = 254 };

/* Goes through the items in their order, so that the messages of a user are settled in order. */
static void comet_take_answer(struct comet_peer *comet, struct comet_batch *batch,
                              const Imc__V1__PushReply *reply)
{
    uint8_t *results = mem_zalloc(batch->n); /* TAKEN */

    if (reply->fence > comet->job->fence_heard) {
        if (fence_is_plausible(reply->fence, time_unix_ms()))
            comet->job->fence_heard = reply->fence;
        else
            comet_malformed(comet, "a fence of the far future", batch->seq);
    }
    static_assert(IMC__V1__PUSH_RESULT__TAKEN == 0, "items in no list are taken");
    mark(comet, batch, results, reply->pending, reply->n_pending, RESULT_PENDING);
    mark(comet, batch, results, reply->gone, reply->n_gone, IMC__V1__PUSH_RESULT__GONE);
    mark(comet, batch, results, reply->unwritten, reply->n_unwritten, RESULT_UNWRITTEN);
    mark(comet, batch, results, reply->refused, reply->n_refused, IMC__V1__PUSH_RESULT__REFUSED);
    for (uint32_t i = 0; i < batch->n; i++) {
        if (results[i] == RESULT_PENDING)
            continue;
        struct comet_item *item = batch->items[i];
        batch->items[i] = NULL;
        batch->open--;
        item_result(comet, item, results[i] == RESULT_UNWRITTEN ? 0 : results[i],
                    results[i] == RESULT_UNWRITTEN);
    }
    free(results);
    if (batch->open > 0)
        pending_add(comet, batch);
    else
        free(batch);
}

static void comet_take_late(struct comet_peer *comet, const Imc__V1__LateResult *late)
{
    uint64_t *found = map64_get(comet->by_seq, late->seq);
    /* NOLINTNEXTLINE(performance-no-int-to-ptr): the map holds numbers */
    struct comet_batch *batch = found == NULL ? NULL : (struct comet_batch *)(uintptr_t)*found;

    if (batch == NULL || late->index >= batch->n || batch->items[late->index] == NULL ||
        late->result > IMC__V1__PUSH_RESULT__REFUSED) {
        comet_malformed(comet, "late result of nothing pending", late->seq);
        return;
    }
    struct comet_item *item = batch->items[late->index];
    batch->items[late->index] = NULL;
    if (--batch->open == 0) {
        pending_remove(comet, batch);
        free(batch);
    }
    job_count(comet->job, JOB_LATE);
    item_result(comet, item, late->result, late->unwritten);
}

static void comet_take_lates(struct comet_peer *comet, const Imc__V1__PushReply *reply)
{
    for (size_t i = 0; i < reply->n_late; i++)
        comet_take_late(comet, reply->late[i]);
}

/* rpc thread. */
static void *comet_decode(struct msg *msg)
{
    return decoded_new(&imc__v1__push_reply__descriptor, msg, "comet");
}

static const Imc__V1__PushReply *reply_of(const struct decoded *decoded)
{
    return (const Imc__V1__PushReply *)decoded->message;
}

static void comet_answered(struct pipe *pipe, void *arg, void *batch, void *reply)
{
    const Imc__V1__PushReply *message = reply_of(reply);

    (void)pipe;
    comet_take_answer(arg, batch, message);
    comet_take_lates(arg, message);
    decoded_free(reply);
}

static void comet_event(struct pipe *pipe, void *arg, void *reply)
{
    struct comet_peer *comet = arg;
    const Imc__V1__RoomNews *news = reply_of(reply)->rooms;

    if (news != NULL && comet_rooms_take(&comet->rooms, news))
        pipe_kick(pipe);
    comet_take_lates(comet, reply_of(reply));
    decoded_free(reply);
}

static void comet_failed(struct pipe *pipe, void *arg, void *failed)
{
    struct comet_peer *comet = arg;
    struct comet_batch *batch = failed;

    (void)pipe;
    batch_take_back_standing(comet, batch);
    pending_return(comet, batch->seq);
    batch_return(comet, batch);
}

static void comet_state(struct pipe *pipe, void *arg, bool up, const char *why)
{
    struct comet_peer *comet = arg;

    if (up) {
        log_info("comet stream up", "comet=%s address=%s", comet->id, comet->address);
        return;
    }
    if (!comet->lost)
        log_warn("comet stream down", "comet=%s address=%s err=\"%s\"", comet->id, comet->address,
                 why);
    comet_rooms_reset(&comet->rooms);
    pending_return(comet, UINT64_MAX);
    if (!STAILQ_EMPTY(&comet->returned) || comet->standing_due)
        pipe_kick(pipe);
}

static const struct pipe_ops comet_pipe_ops = {.fill = comet_fill,
                                               .decode = comet_decode,
                                               .answered = comet_answered,
                                               .event = comet_event,
                                               .failed = comet_failed,
                                               .state = comet_state,
                                               .drop = decoded_free};

static struct rpc_name comet_name(const struct comet_peer *comet)
{
    struct rpc_name name = {.epoch = comet->epoch};

    memcpy(name.id, comet->id, sizeof name.id);
    return name;
}

void comet_connect(struct comet_peer *comet)
{
    const struct job_config *config = comet->job->config;
    const struct pipe_options options = {.path = "/imc.v1.Comet/Push",
                                         .window = (int)config->comet_window,
                                         .timeout_ms = (int)config->comet_timeout_ms,
                                         .to = comet_name(comet),
                                         .call = PIPE_PUSH};

    comet->pipe = pipe_open(comet->job->loop, comet->job->rpc, comet->address, &options,
                            &comet_pipe_ops, comet);
    pipe_kick(comet->pipe);
}

void comet_disconnect(struct comet_peer *comet)
{
    pipe_close(comet->pipe);
    comet->pipe = NULL;
    comet_rooms_reset(&comet->rooms);
    pending_return(comet, UINT64_MAX);
    comet_splice_returned(comet);
}
