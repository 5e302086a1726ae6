/* pipe.c - see pipe.h.
 *
 *   owner loop                                     │ rpc thread
 *   pipe_kick ─► pipe_on_turn_end ─fill()─► slots ─┼─► rpc_stream_send
 *   answered() ◄── pipe_answer ◄── link_drain ◄─inbox── link_message ─► decode()
 *   failed()   ◄── pipe_broke  ◄──────┘       ◄─inbox── link_closed
 *
 *   pipe_open ─► TRYING ──first message: pipe_prove──► UP
 *                  ▲ └──────────────┐                  │
 *     pipe_on_reopen                ▼ pipe_broke       ▼ pipe_broke    any ──pipe_close──► CLOSED
 *                  └───────────── WAITING ◄────────────┘
 *
 * Each attempt to open the stream has a link of its own. The rpc thread knows only the link, not
 * the pipe. When the pipe gives a stream up, it cuts the link, and what still comes is dropped. The
 * link is freed when pipe, rpc thread and inbox have dropped their references. */
#include "common/rpc/pipe.h"
#include "common/base/array.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/base/pace.h"
#include <assert.h>
#include <errno.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    REOPEN_FIRST_MS = 100,
    REOPEN_LAST_MS = 1000,
    CONNECT_TIMEOUT_MS = 1500,
    WATCH_LEAST_MS = 5,
    WATCH_MOST_MS = 1000,
    PACE_MS = 1, /* a batch costs two processes about 100 µs, a request in it about 1 µs */
    PACE_BURST = 4,
};

struct link_reply {
    uint64_t seq;
    void *reply;
    uint32_t held; /* bytes that count against the peer until the reply is handled */
};

struct link_replies {
    struct link_reply *items;
    size_t n, size;
};

struct pipe_link {
    struct inbox_item item;
    _Atomic uint32_t refs; /* one of the pipe, one of the rpc thread, one of the inbox while
                            * posted */
    _Atomic bool cut;      /* set under lock: the pipe has gone, what comes is dropped; LOOP may be
                            * gone too */
    _Atomic bool posting;  /* the rpc thread is in inbox_post() */
    struct loop *loop;
    const struct pipe_ops *ops;
    struct pipe *pipe;           /* owner loop only; NULL: cut */
    struct link_replies drained; /* owner loop only: an empty array between two drains, kept for its
                                  * memory */
    bool malformed;              /* rpc thread only */
    struct rpc_stream *stream;   /* a reference, from the first reply on */

    pthread_mutex_t lock; /* guards the rest */
    struct link_replies replies;
    bool posted, closed;
    char why[256];
};

enum pipe_state { PIPE_TRYING, PIPE_UP, PIPE_WAITING, PIPE_CLOSED };

struct pipe_slot {
    uint64_t seq;
    void *batch;
    uint64_t sent_ms;
};

struct pipe {
    struct loop *loop;
    struct rpc_channel *channel;
    char *address;
    struct pipe_options options;
    const struct pipe_ops *ops;
    void *arg;
    enum pipe_state state;
    bool down;                 /* the last stream failed or broke, and no answer has come since */
    struct pipe_link *link;    /* set in TRYING and UP, else NULL */
    struct rpc_stream *stream; /* set in TRYING and UP, else NULL */
    uint64_t next_seq;
    struct pipe_slot *slots; /* the first in_flight of options.window are in use, in order of seq */
    int in_flight;
    unsigned backoff_ms;
    struct loop_task task;
    struct pace pace;
    uv_timer_t reopen, watch, pause;
    int handles;
};

/* ── the link: rpc thread's half ── */

static void reply_drop(const struct pipe_ops *ops, void *reply)
{
    if (ops->decode != NULL)
        ops->drop(reply);
    else
        msg_unref(reply);
}

/* The reply no longer counts against the peer, just before it is handled. What the owner does then
 * is bounded by the pipe's window. */
static void link_took(struct pipe_link *link, const struct link_reply *reply)
{
    rpc_stream_answered(link->stream);
    rpc_stream_release(link->stream, reply->held);
}

static void link_unref(struct pipe_link *link)
{
    if (atomic_fetch_sub_explicit(&link->refs, 1, memory_order_acq_rel) != 1)
        return;
    for (size_t i = 0; i < link->replies.n; i++) {
        link_took(link, &link->replies.items[i]);
        reply_drop(link->ops, link->replies.items[i].reply);
    }
    rpc_stream_unref(link->stream);
    free(link->replies.items);
    free(link->drained.items);
    pthread_mutex_destroy(&link->lock);
    free(link);
}

static void link_run(struct loop *loop, struct inbox_item *item);

/* Posts the link to its loop and unlocks it. One inbox item stands for all replies since it ran
 * last. A link that was cut posts nothing, and pipe_cut() waits while a post is under way. So the
 * loop may be freed once its pipes are closed. */
static void link_post_unlock(struct pipe_link *link)
{
    bool post = !link->posted && !atomic_load_explicit(&link->cut, memory_order_relaxed);

    link->posted = true;
    if (post)
        atomic_store_explicit(&link->posting, true, memory_order_relaxed);
    pthread_mutex_unlock(&link->lock);
    if (!post)
        return;
    atomic_fetch_add_explicit(&link->refs, 1, memory_order_relaxed);
    link->item.run = link_run;
    bool posted = inbox_post(link->loop, &link->item);
    atomic_store_explicit(&link->posting, false, memory_order_release);
    if (!posted)
        link_unref(link); /* the loop is closed; freeing the link frees its replies */
}

static void link_push(struct pipe_link *link, const struct link_reply *reply)
{
    struct link_replies *replies = &link->replies;

    pthread_mutex_lock(&link->lock);
    ARRAY_ROOM(replies->items, replies->n, replies->size, 8);
    replies->items[replies->n++] = *reply;
    link_post_unlock(link);
}

static void link_message(struct rpc_stream *stream, void *arg, struct msg *msg)
{
    struct pipe_link *link = arg;
    uint64_t seq = pipe_seq(msg);
    uint32_t len = msg->len;
    void *reply = msg;

    if (link->malformed || atomic_load_explicit(&link->cut, memory_order_acquire)) {
        msg_unref(msg);
        return;
    }
    if (link->ops->decode != NULL)
        reply = link->ops->decode(msg);
    if (reply == NULL) {
        link->malformed = true;
        rpc_stream_close(stream);
        return;
    }
    if (link->stream == NULL)
        link->stream = rpc_stream_ref(stream);
    rpc_stream_hold(stream, len);
    link_push(link, &(struct link_reply){seq, reply, len});
}

static void link_closed(struct rpc_stream *stream, void *arg, const char *why)
{
    struct pipe_link *link = arg;

    (void)stream;
    pthread_mutex_lock(&link->lock);
    link->closed = true;
    snprintf(link->why, sizeof link->why, "%s",
             link->malformed ? "malformed message from the peer" : why);
    link_post_unlock(link);
    link_unref(link);
}

static const struct rpc_stream_events link_events = {.message = link_message,
                                                     .closed = link_closed};

/* ── the link: owner loop's half ── */

static void pipe_take(struct pipe *pipe, const struct link_reply *reply);
static void pipe_broke(struct pipe *pipe, const char *why);

static void link_drain(struct pipe_link *link)
{
    /* A callback may close the pipe, whose reference to the link may be the last one. So take
     * another. */
    atomic_fetch_add_explicit(&link->refs, 1, memory_order_relaxed);
    pthread_mutex_lock(&link->lock);
    struct link_replies replies = link->replies;
    link->replies = link->drained;
    link->replies.n = 0;
    link->drained = (struct link_replies){0};
    bool closed = link->closed;
    pthread_mutex_unlock(&link->lock);
    for (size_t i = 0; i < replies.n; i++) {
        link_took(link, &replies.items[i]);
        if (link->pipe != NULL)
            pipe_take(link->pipe, &replies.items[i]);
        else
            reply_drop(link->ops, replies.items[i].reply);
    }
    link->drained = replies;
    if (closed && link->pipe != NULL)
        pipe_broke(link->pipe, link->why);
    link_unref(link);
}

static void link_run(struct loop *loop, struct inbox_item *item)
{
    struct pipe_link *link = container_of(item, struct pipe_link, item);

    (void)loop;
    pthread_mutex_lock(&link->lock);
    link->posted = false;
    pthread_mutex_unlock(&link->lock);
    link_drain(link);
    link_unref(link);
}

static struct pipe_link *link_new(struct pipe *pipe)
{
    struct pipe_link *link = mem_zalloc(sizeof *link);

    atomic_init(&link->refs, 2); /* those of the pipe and of the rpc thread */
    link->loop = pipe->loop;
    link->ops = pipe->ops;
    link->pipe = pipe;
    pthread_mutex_init(&link->lock, NULL);
    return link;
}

/* ── streams ── */

static void pipe_try(struct pipe *pipe)
{
    pipe->state = PIPE_TRYING;
    pipe->link = link_new(pipe);
    pipe->stream = rpc_stream_open(pipe->channel, pipe->options.path, CONNECT_TIMEOUT_MS,
                                   &link_events, pipe->link);
    pipe_kick(pipe);
}

static void pipe_cut(struct pipe *pipe)
{
    struct pipe_link *link = pipe->link;

    if (link == NULL)
        return;
    link->pipe = NULL;
    pthread_mutex_lock(&link->lock);
    atomic_store_explicit(&link->cut, true, memory_order_release);
    pthread_mutex_unlock(&link->lock);
    while (atomic_load_explicit(&link->posting, memory_order_acquire))
        sched_yield();
    rpc_stream_close(pipe->stream);
    rpc_stream_unref(pipe->stream);
    link_unref(link);
    pipe->link = NULL;
    pipe->stream = NULL;
}

static void *slot_remove(struct pipe *pipe, int i)
{
    void *batch = pipe->slots[i].batch;

    pipe->in_flight--;
    memmove(&pipe->slots[i], &pipe->slots[i + 1],
            (size_t)(pipe->in_flight - i) * sizeof pipe->slots[0]);
    return batch;
}

/* Calls failed() for each batch. failed() may call pipe_close(), which then fails the rest. */
static void pipe_fail_all(struct pipe *pipe)
{
    while (pipe->in_flight > 0)
        pipe->ops->failed(pipe, pipe->arg, slot_remove(pipe, 0));
}

static void pipe_on_reopen(uv_timer_t *timer)
{
    pipe_try(container_of(timer, struct pipe, reopen));
}

static void pipe_broke(struct pipe *pipe, const char *why)
{
    pipe_cut(pipe);
    pipe->state = PIPE_WAITING;
    pipe->down = true;
    pipe_fail_all(pipe);
    if (pipe->state == PIPE_CLOSED)
        return;
    if (pipe->ops->state != NULL)
        pipe->ops->state(pipe, pipe->arg, false, why);
    if (pipe->state == PIPE_CLOSED)
        return;
    uv_timer_start(&pipe->reopen, pipe_on_reopen, pipe->backoff_ms, 0);
    pipe->backoff_ms =
        pipe->backoff_ms * 2 < REOPEN_LAST_MS ? pipe->backoff_ms * 2 : REOPEN_LAST_MS;
}

static void pipe_prove(struct pipe *pipe)
{
    pipe->state = PIPE_UP;
    pipe->down = false;
    pipe->backoff_ms = REOPEN_FIRST_MS;
    pipe_kick(pipe); /* the window is open now, no longer one batch */
    if (pipe->ops->state != NULL)
        pipe->ops->state(pipe, pipe->arg, true, "");
}

/* ── answers ── */

static void pipe_answer(struct pipe *pipe, uint64_t seq, void *reply)
{
    int i = 0;

    while (i < pipe->in_flight && pipe->slots[i].seq != seq)
        i++;
    if (i == pipe->in_flight) {
        log_warn("answer to an unknown batch", "peer=%s path=%s seq=%llu", pipe->address,
                 pipe->options.path, (unsigned long long)seq);
        reply_drop(pipe->ops, reply);
        return;
    }
    void *batch = slot_remove(pipe, i);
    pipe_kick(pipe);
    pipe->ops->answered(pipe, pipe->arg, batch, reply);
}

static void pipe_take(struct pipe *pipe, const struct link_reply *reply)
{
    if (pipe->state == PIPE_TRYING)
        pipe_prove(pipe);
    if (pipe->state == PIPE_CLOSED) {
        reply_drop(pipe->ops, reply->reply);
    } else if (reply->seq != 0) {
        pipe_answer(pipe, reply->seq, reply->reply);
    } else if (pipe->ops->event != NULL) {
        pipe->ops->event(pipe, pipe->arg, reply->reply);
    } else {
        log_warn("message without seq ignored", "peer=%s path=%s", pipe->address,
                 pipe->options.path);
        reply_drop(pipe->ops, reply->reply);
    }
}

/* ── batches ── */

static void pipe_on_watch(uv_timer_t *timer)
{
    struct pipe *pipe = container_of(timer, struct pipe, watch);
    char why[64];

    /* After a long turn of the loop, the answer may wait in the link already. */
    if (pipe->link != NULL)
        link_drain(pipe->link);
    if (pipe->state == PIPE_CLOSED)
        return;
    if (pipe->in_flight == 0) {
        uv_timer_stop(timer);
        return;
    }
    if (loop_now_ms(pipe->loop) - pipe->slots[0].sent_ms < (uint64_t)pipe->options.timeout_ms)
        return;
    snprintf(why, sizeof why, "no answer within %d ms", pipe->options.timeout_ms);
    pipe_broke(pipe, why);
}

static void pipe_watch(struct pipe *pipe)
{
    uint64_t every = (uint64_t)pipe->options.timeout_ms / 4;

    if (every == 0 || uv_is_active((uv_handle_t *)&pipe->watch))
        return;
    if (every < WATCH_LEAST_MS)
        every = WATCH_LEAST_MS;
    if (every > WATCH_MOST_MS)
        every = WATCH_MOST_MS;
    uv_timer_start(&pipe->watch, pipe_on_watch, every, every);
}

static int pipe_limit(const struct pipe *pipe)
{
    if (pipe->stream == NULL)
        return 0;
    return pipe->down ? 1 : pipe->options.window;
}

/* Sends a batch. False: nothing waits, or the stream broke. */
static bool pipe_send_next(struct pipe *pipe)
{
    void *batch = NULL;
    uint64_t seq = pipe->next_seq;
    struct msg *msg = pipe->ops->fill(pipe, pipe->arg, seq, &batch);
    char why[96];

    assert(pipe->stream != NULL); /* fill() must not close the pipe */
    if (msg == NULL)
        return false;
    assert(pipe_seq(msg) == seq);
    uint32_t len = msg->len;
    pipe->next_seq++;
    pipe->slots[pipe->in_flight++] = (struct pipe_slot){seq, batch, loop_now_ms(pipe->loop)};
    /* -EPIPE: the stream has ended, and link_closed() is about to say so. */
    if (rpc_stream_send(pipe->stream, msg) != -EMSGSIZE)
        return true;
    log_error("batch too large to send", "peer=%s path=%s bytes=%u", pipe->address,
              pipe->options.path, len);
    snprintf(why, sizeof why, "own batch of %u bytes is above the RPC message limit", len);
    pipe_broke(pipe, why);
    return false;
}

static void pipe_free_when_done(struct pipe *pipe)
{
    if (pipe->handles > 0 || pipe->task.queued)
        return;
    free(pipe->slots);
    free(pipe->address);
    free(pipe);
}

static void pipe_on_pause_over(uv_timer_t *timer)
{
    pipe_kick(container_of(timer, struct pipe, pause));
}

static void pipe_on_turn_end(struct loop *loop, struct loop_task *task)
{
    struct pipe *pipe = container_of(task, struct pipe, task);
    uint64_t now = loop_now_ms(loop);

    if (pipe->state == PIPE_CLOSED) {
        pipe_free_when_done(pipe);
        return;
    }
    while (pipe->in_flight < pipe_limit(pipe)) {
        uint64_t wait = pace_wait(&pipe->pace, now);
        if (wait > 0) {
            uv_timer_start(&pipe->pause, pipe_on_pause_over, wait, 0);
            break;
        }
        if (!pipe_send_next(pipe))
            break;
        pace_spend(&pipe->pace, now);
    }
    if (pipe->in_flight > 0)
        pipe_watch(pipe);
}

void pipe_kick(struct pipe *pipe)
{
    loop_assert_owner(pipe->loop);
    if (pipe->in_flight < pipe_limit(pipe))
        loop_defer(pipe->loop, &pipe->task);
}

/* ── life ── */

struct pipe *pipe_open(struct loop *loop, struct rpc *rpc, const char *address,
                       const struct pipe_options *options, const struct pipe_ops *ops, void *arg)
{
    struct pipe *pipe = mem_zalloc(sizeof *pipe);

    loop_assert_owner(loop);
    assert(options->window > 0 && options->timeout_ms >= 0);
    assert((ops->decode == NULL) == (ops->drop == NULL));
    pipe->loop = loop;
    pipe->channel = rpc_channel_open(rpc, address);
    rpc_channel_want(pipe->channel, &options->to);
    pipe->address = mem_strdup(address);
    pipe->options = *options;
    pipe->ops = ops;
    pipe->arg = arg;
    pipe->next_seq = 1;
    pipe->slots = mem_zalloc((size_t)options->window * sizeof *pipe->slots);
    pipe->backoff_ms = REOPEN_FIRST_MS;
    pipe->task.run = pipe_on_turn_end;
    uv_timer_init(&loop->uv, &pipe->reopen);
    uv_timer_init(&loop->uv, &pipe->watch);
    uv_timer_init(&loop->uv, &pipe->pause);
    pipe->handles = 3;
    pipe->pace = (struct pace){.period_ms = PACE_MS, .burst = PACE_BURST};
    pipe_try(pipe);
    return pipe;
}

void pipe_want(struct pipe *pipe, const struct rpc_name *name)
{
    loop_assert_owner(pipe->loop);
    rpc_channel_want(pipe->channel, name);
}

bool pipe_is_up(const struct pipe *pipe)
{
    loop_assert_owner(pipe->loop);
    return !pipe->down;
}

const char *pipe_address(const struct pipe *pipe)
{
    return pipe->address;
}

static void pipe_on_reopen_closed(uv_handle_t *handle)
{
    struct pipe *pipe = container_of(handle, struct pipe, reopen);

    pipe->handles--;
    pipe_free_when_done(pipe);
}

static void pipe_on_watch_closed(uv_handle_t *handle)
{
    struct pipe *pipe = container_of(handle, struct pipe, watch);

    pipe->handles--;
    pipe_free_when_done(pipe);
}

static void pipe_on_pause_closed(uv_handle_t *handle)
{
    struct pipe *pipe = container_of(handle, struct pipe, pause);

    pipe->handles--;
    pipe_free_when_done(pipe);
}

void pipe_close(struct pipe *pipe)
{
    loop_assert_owner(pipe->loop);
    assert(pipe->state != PIPE_CLOSED);
    pipe->state = PIPE_CLOSED;
    pipe->down = true;
    pipe_cut(pipe);
    rpc_channel_close(pipe->channel);
    pipe->channel = NULL;
    uv_close((uv_handle_t *)&pipe->reopen, pipe_on_reopen_closed);
    uv_close((uv_handle_t *)&pipe->watch, pipe_on_watch_closed);
    uv_close((uv_handle_t *)&pipe->pause, pipe_on_pause_closed);
    pipe_fail_all(pipe);
}

uint64_t pipe_seq(const struct msg *msg)
{
    enum { FIELD_1_FIXED64 = 0x09 };
    uint64_t seq = 0;

    if (msg->len < 9 || msg->data[0] != FIELD_1_FIXED64)
        return 0;
    for (int i = 8; i >= 1; i--)
        seq = seq << 8 | msg->data[i];
    return seq;
}
