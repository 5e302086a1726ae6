/* comet_link.c - the drawing is in comet_link.h. */
#include "job/comet_link.h"
#include "common/log.h"
#include "common/map.h"
#include "common/mem.h"
#include "common/pipe.h"
#include "job/answer.h"
#include "job/comet_wire.h"
#include "job/job.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* Items of one PushBatch; items[i] is NULL once it is answered. */
struct batch {
    struct batch *next, *prev; /* among the pending ones, by seq */
    uint64_t seq;
    uint32_t n, open;
    struct item *items[];
};

struct items {
    struct item *first, **last;
};

struct comet {
    struct job *job;
    char id[sizeof((struct member *)0)->id];
    char address[sizeof((struct member *)0)->rpc];
    uint64_t epoch, life;
    struct pipe *pipe;
    struct items queue, returned;
    size_t n_returned;
    struct batch *pending_first, *pending_last; /* answered, but for some items */
    struct map64 *pending;                      /* seq → struct batch */
    bool listed;                                /* mark of comets_changed() */
};

struct comets {
    struct job *job;
    struct strmap *by_id;
    struct comet **list;
    size_t n;
    uint64_t lives;
};

/* --- queues --- */

static void items_init(struct items *items)
{
    items->first = NULL;
    items->last = &items->first;
}

static void items_append(struct items *items, struct item *item)
{
    item->next = NULL;
    *items->last = item;
    items->last = &item->next;
}

static struct item *items_take(struct items *items)
{
    struct item *item = items->first;

    if (item == NULL)
        return NULL;
    items->first = item->next;
    if (items->first == NULL)
        items->last = &items->first;
    return item;
}

static void item_free(struct item *item)
{
    task_unref(item->task);
    free(item);
}

static void item_answer(struct comet *comet, struct item *item, Imc__V1__PushResult result)
{
    answer_item(comet->job, item->task, item->kind, result);
    item_free(item);
}

/* What the broken stream owes goes before all that was not sent yet. */
static void comet_splice_returned(struct comet *comet)
{
    if (comet->returned.first == NULL)
        return;
    *comet->returned.last = comet->queue.first;
    if (comet->queue.first == NULL)
        comet->queue.last = comet->returned.last;
    comet->queue.first = comet->returned.first;
    items_init(&comet->returned);
}

/* --- batches that are answered, but for some items --- */

static void pending_add(struct comet *comet, struct batch *batch)
{
    struct batch *after = comet->pending_last;

    while (after != NULL && after->seq > batch->seq)
        after = after->prev;
    batch->prev = after;
    batch->next = after != NULL ? after->next : comet->pending_first;
    if (batch->next != NULL)
        batch->next->prev = batch;
    else
        comet->pending_last = batch;
    if (after != NULL)
        after->next = batch;
    else
        comet->pending_first = batch;
    map64_set(comet->pending, batch->seq, (uintptr_t)batch);
}

static void pending_remove(struct comet *comet, struct batch *batch)
{
    if (batch->prev != NULL)
        batch->prev->next = batch->next;
    else
        comet->pending_first = batch->next;
    if (batch->next != NULL)
        batch->next->prev = batch->prev;
    else
        comet->pending_last = batch->prev;
    map64_del(comet->pending, batch->seq);
}

/* The items without an answer wait to be sent again. Takes BATCH. */
static void batch_return(struct comet *comet, struct batch *batch)
{
    for (uint32_t i = 0; i < batch->n; i++) {
        if (batch->items[i] == NULL)
            continue;
        items_append(&comet->returned, batch->items[i]);
        comet->n_returned++;
    }
    free(batch);
}

static void pending_return(struct comet *comet, uint64_t below_seq)
{
    while (comet->pending_first != NULL && comet->pending_first->seq < below_seq) {
        struct batch *batch = comet->pending_first;
        assert(batch->prev == NULL);
        pending_remove(comet, batch);
        batch_return(comet, batch);
    }
}

/* --- the pipe --- */

static struct msg *comet_fill(struct pipe *pipe, void *arg, uint64_t seq, void **out)
{
    struct comet *comet = arg;
    const struct job_config *config = comet->job->config;
    size_t max = (size_t)config->comet_items, bytes = 0;
    struct batch *batch = NULL;

    (void)pipe;
    comet_splice_returned(comet);
    metric_add(comet->job->counters, JOB_RESENT, (int64_t)comet->n_returned);
    comet->n_returned = 0;
    while (comet->queue.first != NULL && bytes < (size_t)config->comet_bytes &&
           (batch == NULL || batch->n < max)) {
        struct item *item = items_take(&comet->queue);
        if (item->task->partition == NULL) {
            item_free(item);
            continue;
        }
        if (batch == NULL) {
            batch = mem_alloc(sizeof *batch + max * sizeof(struct item *));
            *batch = (struct batch){.seq = seq};
        }
        batch->items[batch->n++] = item;
        bytes += comet_wire_size(item);
    }
    if (batch == NULL)
        return NULL;
    batch = mem_realloc(batch, sizeof *batch + batch->n * sizeof(struct item *));
    batch->open = batch->n;
    *out = batch;
    return comet_wire_pack(seq, comet->job->id, comet->epoch, batch->items, batch->n);
}

static void comet_malformed(struct comet *comet, const char *what, uint64_t seq)
{
    job_count(comet->job, JOB_MALFORMED_ANSWER);
    log_warn("answer fits no batch", "comet=%s what=\"%s\" seq=%" PRIu64, comet->id, what, seq);
}

static void mark(struct comet *comet, struct batch *batch, uint8_t *results,
                 const uint32_t *indexes, size_t n, uint8_t result)
{
    for (size_t i = 0; i < n; i++) {
        if (indexes[i] < batch->n)
            results[indexes[i]] = result;
        else
            comet_malformed(comet, "index beyond the batch", batch->seq);
    }
}

enum { RESULT_PENDING = 255 };

/* In order of the items, so that the messages of a user are settled in their order. */
static void comet_take_answer(struct comet *comet, struct batch *batch,
                              const Imc__V1__PushReply *reply)
{
    uint8_t *results = mem_zalloc(batch->n); /* TAKEN */

    if (reply->fence > comet->job->fence_heard)
        comet->job->fence_heard = reply->fence;
    static_assert(IMC__V1__PUSH_RESULT__TAKEN == 0, "items in no list are taken");
    mark(comet, batch, results, reply->pending, reply->n_pending, RESULT_PENDING);
    mark(comet, batch, results, reply->gone, reply->n_gone, IMC__V1__PUSH_RESULT__GONE);
    mark(comet, batch, results, reply->refused, reply->n_refused, IMC__V1__PUSH_RESULT__REFUSED);
    for (uint32_t i = 0; i < batch->n; i++) {
        if (results[i] == RESULT_PENDING)
            continue;
        struct item *item = batch->items[i];
        batch->items[i] = NULL;
        batch->open--;
        item_answer(comet, item, (Imc__V1__PushResult)results[i]);
    }
    free(results);
    if (batch->open > 0)
        pending_add(comet, batch);
    else
        free(batch);
}

static void comet_take_late(struct comet *comet, const Imc__V1__LateResult *late)
{
    uint64_t *found = map64_get(comet->pending, late->seq);
    /* NOLINTNEXTLINE(performance-no-int-to-ptr): the map holds numbers */
    struct batch *batch = found == NULL ? NULL : (struct batch *)(uintptr_t)*found;

    if (batch == NULL || late->index >= batch->n || batch->items[late->index] == NULL ||
        late->result > IMC__V1__PUSH_RESULT__REFUSED) {
        comet_malformed(comet, "late result of nothing pending", late->seq);
        return;
    }
    struct item *item = batch->items[late->index];
    batch->items[late->index] = NULL;
    if (--batch->open == 0) {
        pending_remove(comet, batch);
        free(batch);
    }
    job_count(comet->job, JOB_LATE);
    item_answer(comet, item, (Imc__V1__PushResult)late->result);
}

static void comet_take_lates(struct comet *comet, const Imc__V1__PushReply *reply)
{
    for (size_t i = 0; i < reply->n_late; i++)
        comet_take_late(comet, reply->late[i]);
}

static void comet_answered(struct pipe *pipe, void *arg, void *batch, void *reply)
{
    const Imc__V1__PushReply *message = comet_wire_reply(reply);

    (void)pipe;
    comet_take_answer(arg, batch, message);
    comet_take_lates(arg, message);
    comet_wire_drop(reply);
}

static void comet_event(struct pipe *pipe, void *arg, void *reply)
{
    (void)pipe;
    comet_take_lates(arg, comet_wire_reply(reply));
    comet_wire_drop(reply);
}

static void comet_failed(struct pipe *pipe, void *arg, void *failed)
{
    struct comet *comet = arg;
    struct batch *batch = failed;

    (void)pipe;
    pending_return(comet, batch->seq);
    batch_return(comet, batch);
}

static void comet_state(struct pipe *pipe, void *arg, bool up, const char *why)
{
    struct comet *comet = arg;

    if (up) {
        log_info("comet stream up", "comet=%s address=%s", comet->id, comet->address);
        return;
    }
    log_warn("comet stream down", "comet=%s address=%s err=\"%s\"", comet->id, comet->address, why);
    pending_return(comet, UINT64_MAX);
    if (comet->returned.first != NULL)
        pipe_kick(pipe);
}

static const struct pipe_ops comet_pipe_ops = {.fill = comet_fill,
                                               .decode = comet_wire_decode,
                                               .answered = comet_answered,
                                               .event = comet_event,
                                               .failed = comet_failed,
                                               .state = comet_state,
                                               .drop = comet_wire_drop};

/* --- life --- */

static void comet_connect(struct comet *comet, const struct member *member)
{
    const struct job_config *config = comet->job->config;
    const struct pipe_options options = {.path = "/imc.v1.Comet/Push",
                                         .window = (int)config->comet_window,
                                         .timeout_ms = (int)config->comet_timeout_ms};

    memcpy(comet->address, member->rpc, sizeof comet->address);
    comet->pipe = pipe_open(comet->job->loop, comet->job->rpc, comet->address, &options,
                            &comet_pipe_ops, comet);
    if (comet->queue.first != NULL || comet->returned.first != NULL)
        pipe_kick(comet->pipe);
}

/* What the stream owes is in `returned` afterwards. */
static void comet_disconnect(struct comet *comet)
{
    pipe_close(comet->pipe);
    comet->pipe = NULL;
    pending_return(comet, UINT64_MAX);
}

static struct comet *comet_open(struct comets *comets, const struct member *member)
{
    struct comet *comet = mem_zalloc(sizeof *comet);

    comet->job = comets->job;
    memcpy(comet->id, member->id, sizeof comet->id);
    comet->epoch = member->epoch;
    comet->life = ++comets->lives;
    comet->pending = map64_new();
    items_init(&comet->queue);
    items_init(&comet->returned);
    comet_connect(comet, member);
    log_info("comet found", "comet=%s address=%s epoch=%" PRIu64, comet->id, comet->address,
             comet->epoch);
    return comet;
}

/* It is in no list any more, so that nothing is sent to it by what follows from the answers. */
static void comet_close(struct comet *comet, bool answer)
{
    struct item *item;

    comet_disconnect(comet);
    comet_splice_returned(comet);
    while ((item = items_take(&comet->queue)) != NULL) {
        if (answer)
            item_answer(comet, item, IMC__V1__PUSH_RESULT__GONE);
        else
            item_free(item);
    }
    map64_free(comet->pending);
    free(comet);
}

struct comets *comets_open(struct job *job)
{
    struct comets *comets = mem_zalloc(sizeof *comets);

    comets->job = job;
    comets->by_id = strmap_new();
    return comets;
}

void comets_close(struct comets *comets)
{
    for (size_t i = 0; i < comets->n; i++)
        comet_close(comets->list[i], false);
    strmap_free(comets->by_id);
    free(comets->list);
    free(comets);
}

static struct comet *comets_get(struct comets *comets, const char *id)
{
    return strmap_get(comets->by_id, id, strlen(id));
}

static void comets_keep(struct comets *comets, const struct member *member)
{
    struct comet *comet = comets_get(comets, member->id);

    if (comet == NULL || comet->epoch != member->epoch)
        return;
    comet->listed = true;
    if (strcmp(comet->address, member->rpc) == 0)
        return;
    comet_disconnect(comet);
    comet_connect(comet, member);
}

/* Takes those that are not listed out; returns them, *N of them. */
static struct comet **comets_remove_unlisted(struct comets *comets, size_t *n)
{
    /* NOLINTNEXTLINE(bugprone-sizeof-expression): an array of pointers */
    struct comet **removed = mem_alloc((comets->n + 1) * sizeof *removed);
    size_t kept = 0;

    *n = 0;
    for (size_t i = 0; i < comets->n; i++) {
        struct comet *comet = comets->list[i];
        if (comet->listed) {
            comet->listed = false;
            comets->list[kept++] = comet;
            continue;
        }
        strmap_del(comets->by_id, comet->id, strlen(comet->id));
        removed[(*n)++] = comet;
    }
    comets->n = kept;
    return removed;
}

static void comets_add_new(struct comets *comets, const struct member_list *list)
{
    size_t room = comets->n + list->n + 1;

    /* NOLINTNEXTLINE(bugprone-sizeof-expression): an array of pointers */
    comets->list = mem_realloc(comets->list, room * sizeof *comets->list);
    for (size_t i = 0; i < list->n; i++) {
        const struct member *member = &list->members[i];
        if (member->rpc[0] == '\0' || comets_get(comets, member->id) != NULL)
            continue;
        struct comet *comet = comet_open(comets, member);
        strmap_set(comets->by_id, comet->id, strlen(comet->id), comet);
        comets->list[comets->n++] = comet;
    }
}

void comets_changed(struct comets *comets, const struct member_list *list)
{
    size_t n_removed;

    for (size_t i = 0; i < list->n; i++)
        comets_keep(comets, &list->members[i]);
    struct comet **removed = comets_remove_unlisted(comets, &n_removed);
    comets_add_new(comets, list);
    for (size_t i = 0; i < n_removed; i++) {
        log_info("comet lost", "comet=%s epoch=%" PRIu64, removed[i]->id, removed[i]->epoch);
        comet_close(removed[i], true);
    }
    free(removed);
}

enum comet_standing comets_find(struct comets *comets, const char *id, uint64_t epoch,
                                struct comet **comet)
{
    struct comet *found = comets_get(comets, id);

    if (found == NULL || found->epoch < epoch)
        return COMET_UNKNOWN;
    if (found->epoch > epoch)
        return COMET_OVER;
    *comet = found;
    return COMET_ALIVE;
}

size_t comets_count(const struct comets *comets)
{
    return comets->n;
}

size_t comets_up(const struct comets *comets)
{
    size_t up = 0;

    for (size_t i = 0; i < comets->n; i++)
        up += pipe_is_up(comets->list[i]->pipe);
    return up;
}

uint64_t comet_life(const struct comet *comet)
{
    return comet->life;
}

void comet_push(struct comet *comet, struct task *task, Imc__V1__PushItem__Kind kind,
                const struct hint *hints, size_t n)
{
    struct item *item = mem_alloc(sizeof *item + n * sizeof item->handles[0]);

    item->task = task_ref(task);
    item->kind = kind;
    item->n_handles = (uint32_t)n;
    for (size_t i = 0; i < n; i++)
        item->handles[i] = hints[i].handle;
    items_append(&comet->queue, item);
    task->waiting++;
    pipe_kick(comet->pipe);
}

uint32_t comets_push(struct comets *comets, struct task *task, Imc__V1__PushItem__Kind kind)
{
    for (size_t i = 0; i < comets->n; i++)
        comet_push(comets->list[i], task, kind, NULL, 0);
    return (uint32_t)comets->n;
}
