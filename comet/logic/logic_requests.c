#include "comet/logic/logic_requests.h"
#include "comet/base/cluster_view.h"
#include "comet/base/comet.h"
#include "comet/base/metrics.h"
#include "comet/logic/logic_batch.h"
#include "comet/logic/logic_reply.h"
#include "comet/logic/request_queue.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/containers/slab.h"
#include "common/rpc/pipe.h"
#include "proto/session.pb-c.h"
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum { BATCH_REQUESTS = 1000, BATCH_BYTES = 512 * 1024, CONFIRM_IDS = 64, TICK_MS = 100 };

_Static_assert((int)LOGIC_OK == (int)IMC__V1__LOGIC_STATUS__OK &&
                   (int)LOGIC_UNAVAILABLE == (int)IMC__V1__LOGIC_STATUS__UNAVAILABLE &&
                   (int)LOGIC_RING_MISMATCH == (int)IMC__V1__LOGIC_STATUS__RING_MISMATCH &&
                   (int)LOGIC_TOO_LARGE == (int)IMC__V1__LOGIC_STATUS__TOO_LARGE &&
                   (int)LOGIC_NOT_CONFIGURED == (int)IMC__V1__LOGIC_STATUS__NOT_CONFIGURED,
               "as in session.proto");
_Static_assert((int)CONFIRM_WRITTEN == (int)IMC__V1__CONFIRM__HOW__WRITTEN &&
                   (int)CONFIRM_ACKNOWLEDGED == (int)IMC__V1__CONFIRM__HOW__ACKNOWLEDGED,
               "as in session.proto");

struct listed_logic {
    STAILQ_ENTRY(listed_logic) entry;
    struct logic_requests *link;
    struct pipe *pipe;
    char id[64];
    uint64_t epoch;
    bool probe; /* the stream is down: an empty batch is due, to find out whether logic is back */
    bool named; /* a batch on this stream has said whose it is */
    uint64_t named_epoch;
    bool closed; /* it said that it cannot do what we ask for now */
    struct room_orders *orders;
    struct questions *questions;
    bool upstream; /* it said that it takes what clients send to the business */
};

struct logic_requests {
    struct worker *worker;
    struct logic_link options;
    bool upstream; /* as asks.upstream() was told last */
    STAILQ_HEAD(listed_logics, listed_logic) peers;
    struct logic_request_queue queue;    /* all but Connects */
    struct logic_request_queue connects; /* in the order in which clients authenticated */
    size_t connecting;                   /* Connects in batches: at most options.admissions */
    size_t pending;                      /* queued or unanswered */
    struct logic_request *last_confirm;  /* still queued, so that ids can join it */
    struct slab *requests;
    uv_timer_t tick;
};

/* What a batch carried, in the order of its lists. */
struct logic_sent {
    struct logic_request_queue requests;
    uint64_t epoch;
};

/* --- the queue --- */

/* The worker's main link. The others carry requests of one kind. */
static bool link_is_main(const struct logic_requests *link)
{
    return !link->options.slow && !link->options.connects;
}

static void link_kick(struct logic_requests *link)
{
    struct listed_logic *peer;

    STAILQ_FOREACH(peer, &link->peers, entry)
        pipe_kick(peer->pipe);
}

static void request_free(struct logic_requests *link, struct logic_request *request)
{
    if (request->push.backing != NULL)
        backing_unref(request->push.backing);
    mem_wiped_free(request->bytes, request->bytes_len);
    msg_unref(request->headers);
    free(request->key);
    free(request->ids);
    slab_free(link->requests, request);
    link->pending--;
}

static void request_finish(struct logic_requests *link, struct logic_request *request,
                           const struct logic_answer *answer)
{
    if (request->done != NULL)
        request->done(link->worker, request, answer);
    request_free(link, request);
}

struct logic_request *logic_requests_new(struct logic_requests *link, enum logic_request_kind kind)
{
    struct logic_request *request = slab_alloc(link->requests);
    request->kind = kind;
    link->pending++;
    return request;
}

/* Tells net/listener.c how many clients wait for their turn. */
static void link_connects_wait(struct logic_requests *link, int by)
{
    link->worker->connects_waiting += (size_t)by;
}

void logic_requests_send(struct logic_requests *link, struct logic_request *request)
{
    loop_assert_owner(&link->worker->loop);
    if (request->kind == REQUEST_CONNECT) {
        STAILQ_INSERT_TAIL(&link->connects, request, link);
        link_connects_wait(link, 1);
    } else {
        STAILQ_INSERT_TAIL(&link->queue, request, link);
    }
    if (!uv_is_active((uv_handle_t *)&link->tick))
        uv_timer_again(&link->tick);
    link_kick(link);
}

static bool confirm_joins(const struct logic_request *request, const struct logic_confirm *confirm)
{
    return request != NULL && request->uid == confirm->uid && request->handle == confirm->handle &&
           request->how == confirm->how && (request->key != NULL) == (confirm->key != NULL) &&
           request->n_ids < CONFIRM_IDS;
}

void logic_requests_confirm(struct logic_requests *link, const struct logic_confirm *confirm,
                            uint64_t id)
{
    struct logic_request *request = link->last_confirm;

    loop_assert_owner(&link->worker->loop);
    if (confirm->how != CONFIRM_WAIVED)
        metric_add(link->worker->counters, COMET_CONFIRMED, 1);
    if (!confirm_joins(request, confirm)) {
        request = logic_requests_new(link, REQUEST_CONFIRM);
        request->uid = confirm->uid;
        request->handle = confirm->handle;
        request->how = confirm->how;
        request->key = confirm->key != NULL ? mem_strdup(confirm->key) : NULL;
        request->ids = mem_alloc(CONFIRM_IDS * sizeof *request->ids);
        logic_requests_send(link, request);
        link->last_confirm = request;
    }
    request->ids[request->n_ids++] = id;
}

size_t logic_requests_pending(const struct logic_requests *link)
{
    return link->pending;
}

static void link_end(struct logic_requests *link, struct logic_request_queue *unanswered)
{
    struct logic_request *request;

    while ((request = STAILQ_TAKE(unanswered, link)) != NULL)
        request_finish(link, request, &(struct logic_answer){.answered = false});
}

static void link_expire(struct logic_requests *link)
{
    uint64_t now = loop_now_ms(&link->worker->loop);
    struct logic_request_queue expired = STAILQ_HEAD_INITIALIZER(expired);

    link_connects_wait(link, -request_queue_expire(&link->connects, &expired, now));
    request_queue_expire(&link->queue, &expired, now);
    link_end(link, &expired);
}

static void link_on_tick(uv_timer_t *tick)
{
    struct logic_requests *link = tick->data;
    struct listed_logic *peer;
    bool down = false;

    link_expire(link);
    STAILQ_FOREACH(peer, &link->peers, entry) {
        peer->probe = !pipe_is_up(peer->pipe);
        down = down || peer->probe;
    }
    if (STAILQ_EMPTY(&link->queue) && STAILQ_EMPTY(&link->connects) && !down)
        uv_timer_stop(tick);
    link_kick(link);
}

/* --- batches --- */

static enum logic_access link_access(const struct logic_requests *link)
{
    enum logic_access best = LOGIC_UNREACHED;
    const struct listed_logic *peer;

    STAILQ_FOREACH(peer, &link->peers, entry) {
        enum logic_access access = !pipe_is_up(peer->pipe) ? LOGIC_UNREACHED
                                   : peer->closed          ? LOGIC_CLOSED
                                                           : LOGIC_ADMITS;
        best = access > best ? access : best;
    }
    return best;
}

/* Whose head is sent next. NULL: nobody's; Connects beyond the window wait. */
static struct logic_request_queue *link_next(struct logic_requests *link)
{
    size_t most = link->options.admissions > 0 ? (size_t)link->options.admissions : SIZE_MAX;

    if (!STAILQ_EMPTY(&link->connects) && link->connecting < most)
        return &link->connects;
    return STAILQ_EMPTY(&link->queue) ? NULL : &link->queue;
}

/* Takes as many requests off the heads of the queues as fit into one batch. */
static void link_take(struct logic_requests *link, struct logic_request_queue *taken,
                      size_t counts[REQUEST_KINDS])
{
    struct logic_request_queue *queue;
    size_t n = 0, bytes = 0;

    while (n < BATCH_REQUESTS && bytes < BATCH_BYTES && (queue = link_next(link)) != NULL) {
        struct logic_request *request = STAILQ_FIRST(queue);
        /* At most one REGISTERED per batch: the field is not repeated. */
        if (request->kind == REQUEST_REGISTERED && counts[REQUEST_REGISTERED] > 0)
            break;
        request->again = request->sent;
        request->sent = true;
        counts[request->kind]++;
        link->connecting += request->kind == REQUEST_CONNECT;
        n++;
        bytes += logic_batch_size(request);
        if (request == link->last_confirm)
            link->last_confirm = NULL;
        STAILQ_REMOVE_HEAD(queue, link);
        STAILQ_INSERT_TAIL(taken, request, link);
    }
    link_connects_wait(link, -(int)counts[REQUEST_CONNECT]);
}

/* A closed logic gets requests if all are: it answers at once. A slow link asks those that said
 * that they take what it carries. */
static bool peer_takes(const struct listed_logic *peer)
{
    if (peer->link->options.slow)
        return peer->upstream;
    return !peer->closed || link_access(peer->link) != LOGIC_ADMITS;
}

/* Has a new life begun since logic heard on this stream whose it is? Orders for the new life do not
 * come by it until a batch says so. */
static bool peer_has_old_epoch(const struct listed_logic *peer)
{
    uint64_t epoch = peer->link->worker->view->comet_epoch;

    return peer->named && epoch != 0 && peer->named_epoch != epoch;
}

static struct msg *link_fill(struct pipe *pipe, void *arg, uint64_t seq, void **sent_out)
{
    struct listed_logic *peer = arg;
    struct logic_requests *link = peer->link;
    struct worker *worker = link->worker;
    size_t counts[REQUEST_KINDS] = {0};
    struct logic_request_queue requests = STAILQ_HEAD_INITIALIZER(requests);

    /* A logic that may be dead only gets an empty batch, so that no request waits for it in
     * vain. */
    if (pipe_is_up(pipe) && worker->view->comet_epoch != 0 && peer_takes(peer))
        link_take(link, &requests, counts);
    if (STAILQ_EMPTY(&requests) && !room_orders_have_results(peer->orders) &&
        !questions_have_answers(peer->questions) && !peer_has_old_epoch(peer) && !peer->probe)
        return NULL;
    peer->probe = false;
    peer->named = true;
    peer->named_epoch = worker->view->comet_epoch;

    Imc__V1__SessionBatch batch;
    imc__v1__session_batch__init(&batch);
    struct arena arena;
    arena_init(&arena);
    batch.seq = seq;
    batch.comet = worker->comet->id;
    batch.epoch = worker->view->comet_epoch;
    batch.ring = worker->view->ring_hash;
    logic_batch_build(worker, &batch, &arena, &requests, counts);
    room_orders_pack(peer->orders, &batch, &arena);
    questions_pack(peer->questions, &batch, &arena);
    struct msg *msg = msg_pack(&batch.base);
    questions_packed(peer->questions);
    if (batch.n_connects > 0 || batch.n_renews > 0)
        msg_is_secret(msg);
    arena_free(&arena);

    struct logic_sent *sent = mem_alloc(sizeof *sent);
    STAILQ_INIT(&sent->requests);
    STAILQ_CONCAT(&sent->requests, &requests);
    sent->epoch = batch.epoch;
    *sent_out = sent;
    return msg;
}

/* Tells the worker if it has changed whether a logic takes what clients send to the business. A
 * logic says so first on a stream: one that answers and has not does not. While none answers, it
 * stays as it was. */
static void link_tell_upstream(struct logic_requests *link)
{
    const struct listed_logic *peer;
    bool on = false;

    STAILQ_FOREACH(peer, &link->peers, entry)
        on = on || peer->upstream;
    if (on == link->upstream || !link_is_main(link))
        return;
    link->upstream = on;
    link->options.asks.upstream(link->worker, on);
}

static void link_answered(struct pipe *pipe, void *arg, void *sent_arg, void *decoded)
{
    struct listed_logic *peer = arg;
    struct logic_requests *link = peer->link;
    struct logic_sent *sent = sent_arg;
    struct logic_reply *reply = decoded;
    struct logic_request *request;
    size_t counts[REQUEST_KINDS] = {0}, index[REQUEST_KINDS] = {0};

    STAILQ_FOREACH(request, &sent->requests, link)
        counts[request->kind]++;
    bool fits = logic_batch_is_answered_by(reply->proto, counts);
    if (!fits)
        log_error("logic answered another batch than it got", "logic=%s address=%s", peer->id,
                  pipe_address(pipe));
    link->connecting -= counts[REQUEST_CONNECT];
    if (reply->proto->keys_refresh_ms != 0)
        link->worker->keys_refresh_ms = reply->proto->keys_refresh_ms;
    while ((request = STAILQ_TAKE(&sent->requests, link)) != NULL) {
        size_t i = index[request->kind]++;
        struct logic_answer answer = {.answered = fits, .epoch = sent->epoch};
        if (fits)
            logic_reply_answer(reply, request->kind, i, &answer);
        request_finish(link, request, &answer);
    }
    free(sent);
    backing_unref(&reply->backing);
    if (link->upstream && !peer->upstream)
        link_tell_upstream(link);
}

static void link_give_way(const struct logic_requests *link, const Imc__V1__GiveWay *way)
{
    enum give_way_why why = way->why == IMC__V1__GIVE_WAY__WHY__OLDEST     ? GIVE_WAY_OLDEST
                            : way->why == IMC__V1__GIVE_WAY__WHY__SAME_KEY ? GIVE_WAY_SAME_KEY
                                                                           : GIVE_WAY_SILENT;

    link->options.asks.give_way(link->worker, way->uid, way->handles, way->n_handles, why);
}

/* Tells the main loop, for readiness, whether a logic can be reached and does what we ask for. */
static void link_tell(struct logic_requests *link)
{
    if (!link_is_main(link))
        return;
    atomic_store_explicit(&link->worker->logic_access, (int)link_access(link),
                          memory_order_relaxed);
}

static void link_admitting(struct listed_logic *peer, const char *closed)
{
    struct logic_requests *link = peer->link;

    peer->closed = closed[0] != '\0';
    if (link_is_main(link) && peer->closed) /* the other loops hear the same */
        log_warn("logic is not ready", "logic=%s why=\"%s\"", peer->id, closed);
    else if (link_is_main(link))
        log_info("logic is ready", "logic=%s", peer->id);
    link_tell(link);
    link_kick(link);
}

static void link_asked(struct listed_logic *peer, const Imc__V1__SessionReply *event)
{
    if (!link_is_main(peer->link))
        return;
    if (event->asks_business != NULL && peer->link->options.asks.hook != NULL)
        peer->link->options.asks.hook(peer->link->worker, event->asks_business->rooms);
    for (size_t i = 0; i < event->n_give_way; i++)
        link_give_way(peer->link, event->give_way[i]);
    room_orders_take(peer->orders, event);
    for (size_t i = 0; i < event->n_questions; i++)
        questions_take(peer->questions, event->questions[i]);
}

static void link_event(struct pipe *pipe, void *arg, void *decoded)
{
    struct listed_logic *peer = arg;
    struct logic_reply *reply = decoded;

    (void)pipe;
    if (reply->proto->takes_upstream != NULL) {
        peer->upstream = true;
        link_tell_upstream(peer->link);
        link_kick(peer->link);
    }
    if (reply->proto->admitting != NULL && !peer->link->options.slow)
        link_admitting(peer, reply->proto->admitting->closed);
    link_asked(peer, reply->proto);
    backing_unref(&reply->backing);
}

static void link_failed(struct pipe *pipe, void *arg, void *sent_arg)
{
    struct logic_requests *link = ((struct listed_logic *)arg)->link;
    struct logic_sent *sent = sent_arg;
    struct logic_request_queue connects = STAILQ_HEAD_INITIALIZER(connects);

    (void)pipe;
    int n = request_queue_split(&sent->requests, &connects);
    request_queue_put_back(&link->queue, &sent->requests);
    request_queue_put_back(&link->connects, &connects);
    link->connecting -= (size_t)n;
    link_connects_wait(link, n);
    free(sent);
    if (!uv_is_active((uv_handle_t *)&link->tick))
        uv_timer_again(&link->tick);
    link_kick(link);
}

static void link_state(struct pipe *pipe, void *arg, bool up, const char *why)
{
    struct listed_logic *peer = arg;

    peer->closed = peer->upstream = false; /* a new stream is told anew */
    peer->named = peer->named && up;       /* its first batch came before UP */
    if (up)
        log_info("logic up", "logic=%s address=%s loop=%d", peer->id, pipe_address(pipe),
                 peer->link->worker->loop.index);
    else
        log_warn("logic down", "logic=%s address=%s loop=%d why=\"%s\"", peer->id,
                 pipe_address(pipe), peer->link->worker->loop.index, why);
    if (!up && !uv_is_active((uv_handle_t *)&peer->link->tick))
        uv_timer_again(&peer->link->tick);
    link_tell(peer->link);
    link_kick(peer->link);
}

static const struct pipe_ops link_ops = {
    .fill = link_fill,
    .decode = logic_reply_decode,
    .answered = link_answered,
    .event = link_event,
    .failed = link_failed,
    .state = link_state,
    .drop = logic_reply_drop,
};

/* --- peers --- */

static void peer_open(struct logic_requests *link, const struct member *logic)
{
    struct listed_logic *peer = mem_zalloc(sizeof *peer);
    struct pipe_options options = {.path = "/imc.v1.Logic/Sessions",
                                   .window = link->options.window,
                                   .timeout_ms = link->options.timeout_ms,
                                   .to = member_name(logic),
                                   .call = link->options.call};

    peer->link = link;
    memcpy(peer->id, logic->id, sizeof peer->id);
    peer->epoch = logic->epoch;
    peer->pipe = pipe_open(&link->worker->loop, link->worker->comet->daemon->rpc, logic->rpc,
                           &options, &link_ops, peer);
    peer->orders = room_orders_open(link->worker, peer->pipe, link->options.asks.room_order,
                                    link->options.asks.drain);
    peer->questions = questions_open(link->worker, peer->pipe, link->options.asks.question);
    STAILQ_INSERT_HEAD(&link->peers, peer, entry);
}

static bool link_has_peer(const struct logic_requests *link, const struct member *logic)
{
    const struct listed_logic *peer;

    STAILQ_FOREACH(peer, &link->peers, entry) {
        if (peer->epoch == logic->epoch && strcmp(peer->id, logic->id) == 0)
            return true;
    }
    return false;
}

/* PEER is in no list any more: its batches go back to the queue, for the others. */
static void peer_close(struct listed_logic *peer)
{
    room_orders_close(peer->orders);
    questions_close(peer->questions);
    pipe_close(peer->pipe);
    free(peer);
}

void logic_requests_update(struct logic_requests *link)
{
    const struct cluster_view *view = link->worker->view;
    struct listed_logics old = STAILQ_HEAD_INITIALIZER(old);
    struct listed_logic *peer;

    loop_assert_owner(&link->worker->loop);
    STAILQ_CONCAT(&old, &link->peers);
    while ((peer = STAILQ_TAKE(&old, entry)) != NULL) {
        if (cluster_view_has_logic(view, peer->id, peer->epoch))
            STAILQ_INSERT_TAIL(&link->peers, peer, entry);
        else
            peer_close(peer);
    }
    for (size_t i = 0; i < view->n_logics; i++) {
        if (!link_has_peer(link, &view->logics[i]))
            peer_open(link, &view->logics[i]);
    }
    link_tell(link);
    link_kick(link);
}

struct logic_requests *logic_requests_open(struct worker *worker, const struct logic_link *options)
{
    struct logic_requests *link = mem_zalloc(sizeof *link);

    loop_assert_owner(&worker->loop);
    link->worker = worker;
    link->options = *options;
    STAILQ_INIT(&link->queue);
    STAILQ_INIT(&link->connects);
    STAILQ_INIT(&link->peers);
    link->requests = slab_open("request", sizeof(struct logic_request));
    uv_timer_init(&worker->loop.uv, &link->tick);
    link->tick.data = link;
    uv_timer_start(&link->tick, link_on_tick, TICK_MS, TICK_MS);
    return link;
}

static void link_on_tick_closed(uv_handle_t *handle)
{
    struct logic_requests *link = handle->data;
    free(link);
}

void logic_requests_close(struct logic_requests *link)
{
    struct logic_request_queue left = STAILQ_HEAD_INITIALIZER(left);
    struct listed_logic *peer;

    loop_assert_owner(&link->worker->loop);
    while ((peer = STAILQ_TAKE(&link->peers, entry)) != NULL)
        peer_close(peer);
    link->last_confirm = NULL;
    STAILQ_CONCAT(&left, &link->queue);
    STAILQ_CONCAT(&left, &link->connects);
    link_end(link, &left);
    slab_close(link->requests);
    uv_close((uv_handle_t *)&link->tick, link_on_tick_closed);
}
