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
 * Each attempt to open the stream has a link of its own: pipe_link.c. */
#include "common/rpc/pipe.h"
#include "common/base/log.h"
#include "common/base/loop_metrics.h"
#include "common/base/mem.h"
#include "common/base/pace.h"
#include "common/base/time.h"
#include "common/rpc/pipe_internal.h"
#include <assert.h>
#include <errno.h>
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

enum pipe_state { PIPE_TRYING, PIPE_UP, PIPE_WAITING, PIPE_CLOSED };

struct pipe_slot {
    uint64_t seq;
    void *batch;
    uint64_t sent_ms;
    int64_t sent_us; /* by time_mono_us() */
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

/* ── streams ── */

static void pipe_try(struct pipe *pipe)
{
    pipe->state = PIPE_TRYING;
    pipe->link = link_new(pipe, pipe->loop, pipe->ops);
    pipe->stream = rpc_stream_open(pipe->channel, pipe->options.path, CONNECT_TIMEOUT_MS,
                                   &link_events, pipe->link);
    pipe_kick(pipe);
}

static void pipe_cut(struct pipe *pipe)
{
    struct pipe_link *link = pipe->link;

    if (link == NULL)
        return;
    link_cut(link);
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

void pipe_broke(struct pipe *pipe, const char *why)
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

static void pipe_observe(const struct pipe *pipe, int64_t us)
{
    static const enum loop_metric metrics[] = {
        [PIPE_SESSIONS] = LOOP_RPC_SESSIONS, [PIPE_CONNECTS] = LOOP_RPC_CONNECTS,
        [PIPE_UPSTREAM] = LOOP_RPC_UPSTREAM, [PIPE_MAP] = LOOP_RPC_MAP,
        [PIPE_PUSH] = LOOP_RPC_PUSH,         [PIPE_SETTLE] = LOOP_RPC_SETTLE,
    };

    if (pipe->options.call != PIPE_UNMEASURED)
        loop_observe(pipe->loop, metrics[pipe->options.call], us);
}

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
    pipe_observe(pipe, time_mono_us() - pipe->slots[i].sent_us);
    void *batch = slot_remove(pipe, i);
    pipe_kick(pipe);
    pipe->ops->answered(pipe, pipe->arg, batch, reply);
}

void pipe_take(struct pipe *pipe, const struct link_reply *reply)
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
    pipe->slots[pipe->in_flight++] =
        (struct pipe_slot){seq, batch, loop_now_ms(pipe->loop), time_mono_us()};
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
