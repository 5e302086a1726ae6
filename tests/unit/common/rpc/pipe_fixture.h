/* pipe_fixture.h - pipes on a loop that the test turns by hand, against a server in the same
 * process whose behaviour is a variable. */
#ifndef IMC_TESTS_UNIT_COMMON_RPC_PIPE_FIXTURE_H
#define IMC_TESTS_UNIT_COMMON_RPC_PIPE_FIXTURE_H

#include "common/base/loop_metrics.h"
#include "common/base/mem.h"
#include "common/rpc/pipe.h"
#include "tests/unit/lib/clock.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { MAX_MESSAGE = 1 << 20, HELD = 64 };

/* ── the peer ── */

enum behaviour { PEER_ECHO, PEER_HOLD, PEER_WRONG_SEQ, PEER_EVENT_FIRST, PEER_MALFORMED };

struct peer {
    struct rpc_server *server;
    _Atomic enum behaviour behaviour;
    _Atomic unsigned batches; /* received since the start */
    pthread_mutex_t lock;
    struct msg *held[HELD]; /* under lock, with the stream they came on */
    int n_held;
    struct rpc_stream *stream;
};

static inline struct msg *reply_to(uint64_t seq, const char *text)
{
    size_t len = strlen(text);
    struct msg *msg = msg_new((seq != 0 ? 9 : 0) + len);
    uint8_t *at = msg->data;

    if (seq != 0) {
        *at++ = 9;
        for (int i = 0; i < 8; i++)
            *at++ = (uint8_t)(seq >> (8 * i));
    }
    memcpy(at, text, len);
    return msg;
}

static inline void peer_hold(struct peer *peer, struct rpc_stream *stream, struct msg *msg)
{
    pthread_mutex_lock(&peer->lock);
    assert_true(peer->n_held < HELD);
    peer->held[peer->n_held++] = msg;
    if (peer->stream != stream) {
        rpc_stream_unref(peer->stream);
        peer->stream = rpc_stream_ref(stream);
    }
    pthread_mutex_unlock(&peer->lock);
}

static inline void peer_message(struct rpc_stream *stream, void *arg, struct msg *msg)
{
    struct peer *peer = arg;
    uint64_t seq = pipe_seq(msg);

    assert_true(seq > 0);
    switch (atomic_load(&peer->behaviour)) {
    case PEER_ECHO:
        rpc_stream_send(stream, msg_ref(msg));
        break;
    case PEER_HOLD:
        peer_hold(peer, stream, msg_ref(msg));
        break;
    case PEER_WRONG_SEQ:
        rpc_stream_send(stream, reply_to(seq + 1000, "nobody asked"));
        rpc_stream_send(stream, msg_ref(msg));
        break;
    case PEER_EVENT_FIRST:
        rpc_stream_send(stream, reply_to(0, "event"));
        rpc_stream_send(stream, msg_ref(msg));
        break;
    case PEER_MALFORMED:
        rpc_stream_send(stream, reply_to(seq, "malformed"));
        break;
    }
    msg_unref(msg);
    atomic_fetch_add(&peer->batches, 1);
}

static inline void peer_closed(struct rpc_stream *stream, void *arg, const char *why)
{
    (void)stream;
    (void)arg;
    (void)why;
}

static const struct rpc_stream_events peer_events = {peer_message, peer_closed};

static inline void peer_opened(struct rpc_stream *stream, void *arg)
{
    rpc_stream_accept(stream, &peer_events, arg);
}

static const struct rpc_method methods[] = {{"/test/Pipe", peer_opened, NULL}, {.path = NULL}};

/* Answers what is held, first to last or the other way round. */
static inline void peer_answer(struct peer *peer, bool backwards)
{
    pthread_mutex_lock(&peer->lock);
    for (int i = 0; i < peer->n_held; i++)
        rpc_stream_send(peer->stream, peer->held[backwards ? peer->n_held - 1 - i : i]);
    peer->n_held = 0;
    pthread_mutex_unlock(&peer->lock);
}

static inline void peer_forget(struct peer *peer)
{
    pthread_mutex_lock(&peer->lock);
    while (peer->n_held > 0)
        msg_unref(peer->held[--peer->n_held]);
    rpc_stream_unref(peer->stream);
    peer->stream = NULL;
    pthread_mutex_unlock(&peer->lock);
}

/* ── the owner of a pipe ── */

enum close_in { NEVER, IN_ANSWERED, IN_FAILED, IN_STATE, IN_EVENT };

struct owner {
    struct loop loop;
    struct rpc *rpc;
    struct peer peer;
    char address[32];
    struct pipe *pipe;
    enum pipe_call call;               /* of the pipes */
    struct metrics *metrics;           /* of the loop, or NULL */
    unsigned waiting;                  /* items in the owner's queue */
    unsigned per_fill;                 /* most items a batch takes; 0 = all */
    _Atomic unsigned answered, failed; /* items; for turn_until(), like the next */
    _Atomic unsigned batches, answers, failures, events, ups, downs, too_large;
    uint64_t last_failed, last_answered;
    bool in_order; /* answers and failures each rose in seq */
    unsigned most_in_flight;
    unsigned largest; /* items in a batch */
    enum close_in close_in;
    bool timer_fired;
    char why[256];
};

struct batch {
    uint64_t seq;
    unsigned items;
};

static inline unsigned in_flight(const struct owner *owner)
{
    return owner->batches - owner->answers - owner->failures;
}

static inline struct msg *on_fill(struct pipe *pipe, void *arg, uint64_t seq, void **out)
{
    struct owner *owner = arg;
    char text[32];

    if (owner->waiting == 0)
        return NULL;
    assert_ptr_equal(pipe, owner->pipe);
    struct batch *batch = mem_zalloc(sizeof *batch);
    batch->seq = seq;
    batch->items =
        owner->per_fill > 0 && owner->per_fill < owner->waiting ? owner->per_fill : owner->waiting;
    owner->waiting -= batch->items;
    owner->batches++;
    if (batch->items > owner->largest)
        owner->largest = batch->items;
    if (in_flight(owner) > owner->most_in_flight)
        owner->most_in_flight = in_flight(owner);
    *out = batch;
    if (owner->too_large > 0) {
        owner->too_large--;
        struct msg *msg = msg_new(MAX_MESSAGE + 1);
        struct msg *head = reply_to(seq, "");
        memset(msg->data, 0, msg->len);
        memcpy(msg->data, head->data, head->len);
        msg_unref(head);
        return msg;
    }
    snprintf(text, sizeof text, "%u", batch->items);
    return reply_to(seq, text);
}

static inline void close_if(struct owner *owner, enum close_in where)
{
    if (owner->close_in == where && owner->pipe != NULL) {
        struct pipe *pipe = owner->pipe;
        owner->pipe = NULL;
        pipe_close(pipe);
    }
}

static inline void on_answered(struct pipe *pipe, void *arg, void *ptr, void *reply)
{
    struct owner *owner = arg;
    struct batch *batch = ptr;
    char want[32];

    assert_true(pipe_is_up(pipe));
    assert_int_equal(pipe_seq(reply), batch->seq);
    snprintf(want, sizeof want, "%u", batch->items);
    assert_memory_equal(((struct msg *)reply)->data + 9, want, strlen(want));
    if (batch->seq < owner->last_answered)
        owner->in_order = false;
    owner->last_answered = batch->seq;
    owner->answered += batch->items;
    owner->answers++;
    free(batch);
    msg_unref(reply);
    close_if(owner, IN_ANSWERED);
}

static inline void on_failed(struct pipe *pipe, void *arg, void *ptr)
{
    struct owner *owner = arg;
    struct batch *batch = ptr;

    assert_false(pipe_is_up(pipe));
    if (batch->seq < owner->last_failed)
        owner->in_order = false;
    owner->last_failed = batch->seq;
    owner->failed += batch->items;
    owner->failures++;
    free(batch);
    close_if(owner, IN_FAILED);
}

static inline void on_event(struct pipe *pipe, void *arg, void *reply)
{
    struct owner *owner = arg;

    (void)pipe;
    assert_int_equal(pipe_seq(reply), 0);
    owner->events++;
    msg_unref(reply);
    close_if(owner, IN_EVENT);
}

static inline void on_state(struct pipe *pipe, void *arg, bool up, const char *why)
{
    struct owner *owner = arg;

    assert_true(pipe_is_up(pipe) == up);
    if (up) {
        owner->ups++;
        return;
    }
    owner->downs++;
    snprintf(owner->why, sizeof owner->why, "%s", why);
    close_if(owner, IN_STATE);
}

static _Atomic int dropped;

static inline void *decode(struct msg *msg)
{
    if (msg->len == 18 && memcmp(msg->data + 9, "malformed", 9) == 0) {
        msg_unref(msg);
        return NULL;
    }
    return msg;
}

static inline void drop(void *reply)
{
    atomic_fetch_add(&dropped, 1);
    msg_unref(reply);
}

static const struct pipe_ops plain_ops = {.fill = on_fill,
                                          .answered = on_answered,
                                          .event = on_event,
                                          .failed = on_failed,
                                          .state = on_state};
static const struct pipe_ops decoding_ops = {.fill = on_fill,
                                             .decode = decode,
                                             .drop = drop,
                                             .answered = on_answered,
                                             .failed = on_failed,
                                             .state = on_state};

/* ── fixture ── */

static inline void server_start(struct owner *owner)
{
    const char *address = owner->address[0] != '\0' ? owner->address : "127.0.0.1:0";

    assert_int_equal(
        rpc_server_open(owner->rpc, address, methods, &owner->peer, &owner->peer.server), 0);
    snprintf(owner->address, sizeof owner->address, "127.0.0.1:%d",
             rpc_server_port(owner->peer.server));
}

static inline void server_stop(struct owner *owner)
{
    peer_forget(&owner->peer);
    rpc_server_close(owner->peer.server, 0);
    owner->peer.server = NULL;
    peer_forget(&owner->peer);
}

static inline int setup(void **state)
{
    struct owner *owner = mem_zalloc(sizeof *owner);

    clock_share(1, NULL);
    assert_int_equal(loop_init(&owner->loop, "test", 0), 0);
    assert_int_equal(rpc_open(&owner->rpc, MAX_MESSAGE), 0);
    pthread_mutex_init(&owner->peer.lock, NULL);
    server_start(owner);
    owner->in_order = true;
    atomic_store(&dropped, 0);
    *state = owner;
    return 0;
}

static inline int teardown(void **state)
{
    struct owner *owner = *state;

    if (owner->pipe != NULL) {
        pipe_close(owner->pipe);
        owner->pipe = NULL;
    }
    peer_forget(&owner->peer);
    if (owner->peer.server != NULL)
        server_stop(owner);
    rpc_close(owner->rpc);
    loop_close(&owner->loop);
    metrics_close(owner->metrics);
    clock_give_back();
    free(owner);
    return 0;
}

static inline void open_pipe(struct owner *owner, const struct pipe_ops *ops, int window,
                             int timeout_ms)
{
    struct pipe_options options = {
        .path = "/test/Pipe", .window = window, .timeout_ms = timeout_ms, .call = owner->call};

    owner->pipe = pipe_open(&owner->loop, owner->rpc, owner->address, &options, ops, owner);
    assert_true(pipe_is_up(owner->pipe));
    assert_string_equal(pipe_address(owner->pipe), owner->address);
}

static inline void behave(struct owner *owner, enum behaviour behaviour)
{
    atomic_store(&owner->peer.behaviour, behaviour);
}

static inline void add(struct owner *owner, unsigned items)
{
    owner->waiting += items;
    for (unsigned i = 0; i < items; i++)
        pipe_kick(owner->pipe);
}

static inline void on_timer(uv_timer_t *timer)
{
    *(bool *)timer->data = true;
}

static inline void on_tick(uv_timer_t *timer)
{
    (void)
        timer; /* wakes the loop to look at the condition, which another thread may have changed */
}

static inline void on_timer_closed(uv_handle_t *handle)
{
    free(handle);
}

/* Turns the loop until VALUE is at least WANT; false after MS milliseconds. */
static inline bool turn_until(struct owner *owner, const _Atomic unsigned *value, unsigned want,
                              uint64_t ms)
{
    uv_timer_t *timer = mem_alloc(sizeof *timer), *tick = mem_alloc(sizeof *tick);
    bool fired = false;

    uv_timer_init(&owner->loop.uv, timer);
    uv_timer_init(&owner->loop.uv, tick);
    uv_update_time(&owner->loop.uv);
    timer->data = &fired;
    uv_timer_start(timer, on_timer, ms, 0);
    uv_timer_start(tick, on_tick, 5, 5);
    while (!fired && atomic_load(value) < want)
        uv_run(&owner->loop.uv, UV_RUN_ONCE);
    uv_close((uv_handle_t *)timer, on_timer_closed);
    uv_close((uv_handle_t *)tick, on_timer_closed);
    return atomic_load(value) >= want;
}

static inline void turn_for(struct owner *owner, uint64_t ms)
{
    _Atomic unsigned never = 0;

    turn_until(owner, &never, 1, ms);
}

enum { SOON = 60000 }; /* for what comes, and may be late on a machine that is busy */

/* ── tests ── */

static inline void close_in(struct owner *owner, enum close_in where, enum behaviour behaviour)
{
    behave(owner, behaviour);
    owner->per_fill = 1;
    owner->close_in = where;
    bool by_timeout = where == IN_FAILED || where == IN_STATE;
    open_pipe(owner, &plain_ops, 3, by_timeout ? 100 : SOON);
    add(owner, 3);
    while (owner->pipe != NULL)
        turn_for(owner, 10);
    unsigned calls = owner->answers + owner->failures + owner->events + owner->downs;
    assert_int_equal(owner->answers + owner->failures, 3);
    turn_for(owner, 100);
    assert_int_equal(calls, owner->answers + owner->failures + owner->events + owner->downs);
}

#define row(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

#endif
