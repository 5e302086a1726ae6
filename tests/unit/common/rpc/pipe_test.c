/* Pipes on a loop that the test turns by hand, against a server in the same process whose behaviour
 * is a variable. */
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

static struct msg *reply_to(uint64_t seq, const char *text)
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

static void peer_hold(struct peer *peer, struct rpc_stream *stream, struct msg *msg)
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

static void peer_message(struct rpc_stream *stream, void *arg, struct msg *msg)
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

static void peer_closed(struct rpc_stream *stream, void *arg, const char *why)
{
    (void)stream;
    (void)arg;
    (void)why;
}

static const struct rpc_stream_events peer_events = {peer_message, peer_closed};

static void peer_opened(struct rpc_stream *stream, void *arg)
{
    rpc_stream_accept(stream, &peer_events, arg);
}

static const struct rpc_method methods[] = {{"/test/Pipe", peer_opened}, {NULL, NULL}};

/* Answers what is held, first to last or the other way round. */
static void peer_answer(struct peer *peer, bool backwards)
{
    pthread_mutex_lock(&peer->lock);
    for (int i = 0; i < peer->n_held; i++)
        rpc_stream_send(peer->stream, peer->held[backwards ? peer->n_held - 1 - i : i]);
    peer->n_held = 0;
    pthread_mutex_unlock(&peer->lock);
}

static void peer_forget(struct peer *peer)
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
    unsigned waiting;                  /* items in the owner's queue */
    unsigned per_fill;                 /* most items a batch takes; 0 = all */
    _Atomic unsigned answered, failed; /* items; for turn_until(), like the next */
    _Atomic unsigned batches, answers, failures, events, ups, downs, too_large;
    uint64_t last_failed, last_answered;
    bool in_order; /* answers and failures each rose in seq */
    int most_in_flight;
    unsigned largest; /* items in a batch */
    enum close_in close_in;
    bool timer_fired;
    char why[256];
};

struct batch {
    uint64_t seq;
    unsigned items;
};

static struct msg *on_fill(struct pipe *pipe, void *arg, uint64_t seq, void **out)
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
    if (pipe_in_flight(pipe) + 1 > owner->most_in_flight)
        owner->most_in_flight = pipe_in_flight(pipe) + 1;
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

static void close_if(struct owner *owner, enum close_in where)
{
    if (owner->close_in == where && owner->pipe != NULL) {
        struct pipe *pipe = owner->pipe;
        owner->pipe = NULL;
        pipe_close(pipe);
    }
}

static void on_answered(struct pipe *pipe, void *arg, void *ptr, void *reply)
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

static void on_failed(struct pipe *pipe, void *arg, void *ptr)
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

static void on_event(struct pipe *pipe, void *arg, void *reply)
{
    struct owner *owner = arg;

    (void)pipe;
    assert_int_equal(pipe_seq(reply), 0);
    owner->events++;
    msg_unref(reply);
    close_if(owner, IN_EVENT);
}

static void on_state(struct pipe *pipe, void *arg, bool up, const char *why)
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

static void *decode(struct msg *msg)
{
    if (msg->len == 18 && memcmp(msg->data + 9, "malformed", 9) == 0) {
        msg_unref(msg);
        return NULL;
    }
    return msg;
}

static void drop(void *reply)
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

static void server_start(struct owner *owner)
{
    const char *address = owner->address[0] != '\0' ? owner->address : "127.0.0.1:0";

    assert_int_equal(
        rpc_server_open(owner->rpc, address, methods, &owner->peer, &owner->peer.server), 0);
    snprintf(owner->address, sizeof owner->address, "127.0.0.1:%d",
             rpc_server_port(owner->peer.server));
}

static void server_stop(struct owner *owner)
{
    peer_forget(&owner->peer);
    rpc_server_close(owner->peer.server, 0);
    owner->peer.server = NULL;
    peer_forget(&owner->peer);
}

static int setup(void **state)
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

static int teardown(void **state)
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
    clock_give_back();
    free(owner);
    return 0;
}

static void open_pipe(struct owner *owner, const struct pipe_ops *ops, int window, int timeout_ms)
{
    struct pipe_options options = {
        .path = "/test/Pipe", .window = window, .timeout_ms = timeout_ms};

    owner->pipe = pipe_open(&owner->loop, owner->rpc, owner->address, &options, ops, owner);
    assert_true(pipe_is_up(owner->pipe));
    assert_string_equal(pipe_address(owner->pipe), owner->address);
}

static void behave(struct owner *owner, enum behaviour behaviour)
{
    atomic_store(&owner->peer.behaviour, behaviour);
}

static void add(struct owner *owner, unsigned items)
{
    owner->waiting += items;
    for (unsigned i = 0; i < items; i++)
        pipe_kick(owner->pipe);
}

static void on_timer(uv_timer_t *timer)
{
    *(bool *)timer->data = true;
}

static void on_tick(uv_timer_t *timer)
{
    (void)
        timer; /* wakes the loop to look at the condition, which another thread may have changed */
}

static void on_timer_closed(uv_handle_t *handle)
{
    free(handle);
}

/* Turns the loop until VALUE is at least WANT; false after MS milliseconds. */
static bool turn_until(struct owner *owner, const _Atomic unsigned *value, unsigned want,
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

static void turn_for(struct owner *owner, uint64_t ms)
{
    _Atomic unsigned never = 0;

    turn_until(owner, &never, 1, ms);
}

enum { SOON = 60000 }; /* for what comes, and may be late on a machine that is busy */

/* ── tests ── */

static void test_seq(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t len;
        uint64_t seq;
    } rows[] = {
        {"\x09\x01\x02\x03\x04\x05\x06\x07\x08", 9, 0x0807060504030201},
        {"\x09\xff\xff\xff\xff\xff\xff\xff\xff\x12\x00", 11, UINT64_MAX},
        {"\x09\x01\x00\x00\x00\x00\x00\x00\x00", 9, 1},
        {"\x09\x01\x00\x00\x00\x00\x00\x00", 8, 0},     /* cut off */
        {"\x0d\x01\x00\x00\x00\x00\x00\x00\x00", 9, 0}, /* fixed32 */
        {"\x11\x01\x00\x00\x00\x00\x00\x00\x00", 9, 0}, /* field 2 */
        {"", 0, 0},
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct msg *msg = msg_copy(rows[i].bytes, rows[i].len);
        assert_true(pipe_seq(msg) == rows[i].seq);
        msg_unref(msg);
    }
}

static void test_round_trips(void **state)
{
    struct owner *owner = *state;

    open_pipe(owner, &plain_ops, 1, 0);
    for (unsigned i = 1; i <= 200; i++) {
        add(owner, 1);
        assert_true(turn_until(owner, &owner->answered, i, SOON));
    }
    assert_int_equal(owner->ups, 1);
    assert_int_equal(owner->answers, 200);
    assert_int_equal(owner->failures + owner->downs, 0);
    assert_true(owner->in_order);
    assert_int_equal(pipe_in_flight(owner->pipe), 0);
}

/* One batch in flight, the next one filling. */
static void test_batches_fill_meanwhile(void **state)
{
    struct owner *owner = *state;

    behave(owner, PEER_HOLD);
    open_pipe(owner, &plain_ops, 1, 0);
    add(owner, 1);
    assert_true(turn_until(owner, &owner->peer.batches, 1, SOON));
    for (int i = 0; i < 10; i++) {
        add(owner, 1);
        turn_for(owner, 2);
    }
    assert_int_equal(owner->batches, 1);
    assert_int_equal(owner->waiting, 10);
    behave(owner, PEER_ECHO);
    peer_answer(&owner->peer, false);
    assert_true(turn_until(owner, &owner->answered, 11, SOON));
    assert_int_equal(owner->batches, 2);
    assert_int_equal(owner->largest, 10);
}

static void test_window(void **state)
{
    struct owner *owner = *state;

    behave(owner, PEER_HOLD);
    owner->per_fill = 1;
    open_pipe(owner, &plain_ops, 3, 0);
    add(owner, 5);
    assert_true(turn_until(owner, &owner->peer.batches, 3, SOON));
    turn_for(owner, 20);
    assert_int_equal(owner->batches, 3);
    assert_int_equal(pipe_in_flight(owner->pipe), 3);
    peer_answer(&owner->peer, true);
    assert_true(turn_until(owner, &owner->peer.batches, 5, SOON));
    assert_true(turn_until(owner, &owner->answers, 3, SOON));
    assert_false(owner->in_order); /* they came backwards, and were told apart by seq */
    peer_answer(&owner->peer, false);
    assert_true(turn_until(owner, &owner->answered, 5, SOON));
    assert_int_equal(owner->most_in_flight, 3);
}

static void test_load(void **state)
{
    struct owner *owner = *state;
    enum { N = 4000 };

    owner->per_fill = 7;
    open_pipe(owner, &decoding_ops, 4, SOON);
    for (unsigned i = 0; i < N / 100; i++) {
        add(owner, 100);
        uv_run(&owner->loop.uv, UV_RUN_NOWAIT);
    }
    assert_true(turn_until(owner, &owner->answered, N, SOON));
    assert_int_equal(owner->answered, N);
    assert_true(owner->in_order);
    assert_int_equal(owner->failures, 0);
}

/* failed() in order, then one probe at a time until the peer is back, then the whole window again.
 */
static void test_server_restart(void **state)
{
    struct owner *owner = *state;

    behave(owner, PEER_HOLD);
    owner->per_fill = 1;
    open_pipe(owner, &plain_ops, 4, 0);
    add(owner, 4);
    assert_true(turn_until(owner, &owner->peer.batches, 4, SOON));
    server_stop(owner);
    assert_true(turn_until(owner, &owner->downs, 1, SOON));
    assert_int_equal(owner->failures, 4);
    assert_true(owner->in_order);
    assert_int_equal(owner->ups, 0);
    assert_false(pipe_is_up(owner->pipe));

    owner->most_in_flight = 0;
    add(owner, 20);
    assert_true(turn_until(owner, &owner->downs, 2, SOON));
    assert_int_equal(owner->failures, 5);
    assert_int_equal(owner->most_in_flight, 1);
    server_start(owner);
    assert_true(turn_until(owner, &owner->peer.batches, 5, SOON));
    turn_for(owner, 50);
    assert_int_equal(owner->most_in_flight, 1);
    assert_int_equal(owner->ups, 0);
    peer_answer(&owner->peer, false);
    assert_true(turn_until(owner, &owner->peer.batches, 9, SOON));
    assert_int_equal(owner->most_in_flight, 4);
    assert_int_equal(owner->ups, 1);
    assert_true(pipe_is_up(owner->pipe));
    behave(owner, PEER_ECHO);
    peer_answer(&owner->peer, false);
    assert_true(turn_until(owner, &owner->answered, 24 - owner->failed, SOON));
}

/* The server comes and goes many times under load: no batch is lost, none is reported twice. */
static void test_restarts_under_load(void **state)
{
    struct owner *owner = *state;
    unsigned total = 0;

    open_pipe(owner, &decoding_ops, 2, 1000);
    for (unsigned i = 0; i < 5; i++) {
        unsigned answered = owner->answered;
        for (int j = 0; j < 200; j++) {
            add(owner, 3);
            total += 3;
            uv_run(&owner->loop.uv, UV_RUN_NOWAIT);
        }
        server_stop(owner);
        add(owner, 1);
        total++;
        turn_for(owner, 5 * i);
        server_start(owner);
        add(owner, 1);
        total++;
        assert_true(turn_until(owner, &owner->answered, answered + 1, SOON));
    }
    while (owner->answered + owner->failed < total)
        turn_for(owner, 10);
    assert_int_equal(owner->answered + owner->failed, total);
    assert_int_equal(owner->answers + owner->failures, owner->batches);
    assert_true(owner->in_order);
}

static void test_timeout(void **state)
{
    struct owner *owner = *state;

    behave(owner, PEER_HOLD);
    owner->per_fill = 1;
    open_pipe(owner, &plain_ops, 2, SOON);
    add(owner, 2);
    assert_true(turn_until(owner, &owner->peer.batches, 2, SOON));
    clock_move(SOON - 5000);
    turn_for(owner, 100);
    assert_int_equal(owner->downs, 0);
    clock_move(SOON / 4); /* it looks now and then */
    turn_for(owner, 100);
    assert_int_equal(owner->downs, 1);
    assert_string_equal(owner->why, "no answer within 60000 ms");
    assert_int_equal(owner->failures, 2);
    behave(owner, PEER_ECHO);
    peer_answer(&owner->peer, false); /* too late */
    add(owner, 1);
    assert_true(turn_until(owner, &owner->answered, 1, SOON));
    assert_int_equal(owner->answers, 1);
    clock_move(2 * SOON); /* an idle pipe does not time out */
    turn_for(owner, 100);
    assert_int_equal(owner->downs, 1);
}

static void test_dead_port(void **state)
{
    struct owner *owner = *state;

    server_stop(owner);
    open_pipe(owner, &plain_ops, 2, 0);
    add(owner, 1);
    assert_true(turn_until(owner, &owner->downs, 1, SOON));
    assert_int_equal(owner->failures, 1);
    assert_non_null(strstr(owner->why, "cannot connect to 127.0.0.1:"));
    assert_false(pipe_is_up(owner->pipe));
    assert_true(turn_until(owner, &owner->downs, 2, SOON)); /* and goes on trying */
}

static void test_malformed(void **state)
{
    struct owner *owner = *state;

    behave(owner, PEER_MALFORMED);
    open_pipe(owner, &decoding_ops, 2, 0);
    add(owner, 1);
    assert_true(turn_until(owner, &owner->downs, 1, SOON));
    assert_string_equal(owner->why, "malformed message from the peer");
    assert_int_equal(owner->failures, 1);
    behave(owner, PEER_ECHO);
    add(owner, 1);
    assert_true(turn_until(owner, &owner->answered, 1, SOON));
}

static void test_unknown_seq(void **state)
{
    struct owner *owner = *state;

    behave(owner, PEER_WRONG_SEQ);
    open_pipe(owner, &decoding_ops, 1, 0);
    add(owner, 1);
    assert_true(turn_until(owner, &owner->answered, 1, SOON));
    assert_int_equal(atomic_load(&dropped), 1);
    assert_int_equal(owner->downs, 0);
}

static void test_events(void **state)
{
    struct owner *owner = *state;

    behave(owner, PEER_EVENT_FIRST);
    open_pipe(owner, &plain_ops, 1, 0);
    add(owner, 1);
    assert_true(turn_until(owner, &owner->answered, 1, SOON));
    assert_int_equal(owner->events, 1);
    pipe_close(owner->pipe);
    open_pipe(owner, &decoding_ops, 1, 0); /* nobody listens for events: dropped */
    add(owner, 1);
    assert_true(turn_until(owner, &owner->answered, 2, SOON));
    assert_int_equal(owner->events, 1);
    assert_int_equal(atomic_load(&dropped), 1);
}

static void test_too_large(void **state)
{
    struct owner *owner = *state;

    owner->too_large = 1;
    open_pipe(owner, &plain_ops, 2, 0);
    add(owner, 1);
    assert_true(turn_until(owner, &owner->downs, 1, SOON));
    assert_int_equal(owner->failures, 1);
    assert_non_null(strstr(owner->why, "above the RPC message limit"));
    add(owner, 1);
    assert_true(turn_until(owner, &owner->answered, 1, SOON));
}

static void close_in(struct owner *owner, enum close_in where, enum behaviour behaviour)
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

static void test_close_in_answered(void **state)
{
    close_in(*state, IN_ANSWERED, PEER_ECHO);
}

static void test_close_in_failed(void **state)
{
    close_in(*state, IN_FAILED, PEER_HOLD);
    assert_int_equal(((struct owner *)*state)->downs, 0);
}

static void test_close_in_state(void **state)
{
    close_in(*state, IN_STATE, PEER_HOLD);
}

static void test_close_in_event(void **state)
{
    close_in(*state, IN_EVENT, PEER_EVENT_FIRST);
}

/* Answers that are on their way when the pipe closes must neither be seen nor leak nor touch freed
 * memory. */
static void test_close_under_way(void **state)
{
    struct owner *owner = *state;

    owner->per_fill = 1;
    for (unsigned i = 0; i < 30; i++) {
        open_pipe(owner, i % 2 == 0 ? &plain_ops : &decoding_ops, 8, 1000);
        unsigned answered = owner->answered;
        owner->waiting = 0;
        add(owner, 100);
        turn_until(owner, &owner->answered, answered + i, SOON);
        struct pipe *pipe = owner->pipe;
        owner->pipe = NULL;
        pipe_close(pipe);
        assert_int_equal(owner->answers + owner->failures, owner->batches);
        for (unsigned j = 0; j < i % 4; j++)
            uv_run(&owner->loop.uv, UV_RUN_NOWAIT);
    }
}

#define row(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_seq),
        row(test_round_trips),
        row(test_batches_fill_meanwhile),
        row(test_window),
        row(test_load),
        row(test_server_restart),
        row(test_restarts_under_load),
        row(test_timeout),
        row(test_dead_port),
        row(test_malformed),
        row(test_unknown_seq),
        row(test_events),
        row(test_too_large),
        row(test_close_in_answered),
        row(test_close_in_failed),
        row(test_close_in_state),
        row(test_close_in_event),
        row(test_close_under_way),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
