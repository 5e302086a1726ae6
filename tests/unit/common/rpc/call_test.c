#include "tests/unit/common/rpc/rpc_fixture.h"

/* Unary calls, callee's side. Our own streams call them: they send one message and do not
 * half-close. */

static struct rpc_stream *kept; /* a call that the callee has not answered yet */
static _Atomic bool is_kept;

static void echo_called(struct rpc_stream *call, void *arg, struct msg *request)
{
    assert_string_equal(arg, "server");
    rpc_call_answer(call, request);
}

static void refuse_called(struct rpc_stream *call, void *arg, struct msg *request)
{
    (void)arg;
    msg_unref(request);
    rpc_call_refuse(call, RPC_INVALID, "keys: missing");
}

static void huge_called(struct rpc_stream *call, void *arg, struct msg *request)
{
    (void)arg;
    msg_unref(request);
    rpc_call_answer(call, msg_new(MAX_MESSAGE + 1));
}

static void keep_called(struct rpc_stream *call, void *arg, struct msg *request)
{
    (void)arg;
    msg_unref(request);
    kept = call;
    atomic_store(&is_kept, true);
}

/* Never answers. */
static void drop_called(struct rpc_stream *call, void *arg, struct msg *request)
{
    (void)arg;
    msg_unref(request);
    rpc_stream_unref(call);
    atomic_store(&is_kept, true);
}

static const struct rpc_method call_methods[] = {
    {"/test/Drop", NULL, drop_called},     {"/test/Echo", NULL, echo_called},
    {"/test/Refuse", NULL, refuse_called}, {"/test/Huge", NULL, huge_called},
    {"/test/Keep", NULL, keep_called},     {.path = NULL},
};

static int call_setup(void **state)
{
    static char name[] = "server";
    struct fixture *fx = mem_zalloc(sizeof *fx);

    assert_int_equal(rpc_open(&fx->rpc, MAX_MESSAGE), 0);
    rpc_set_limits(fx->rpc, &(struct rpc_limits){.connections = 8, .held = 1 << 20});
    assert_int_equal(rpc_server_open(fx->rpc, "127.0.0.1:0", call_methods, name, &fx->server), 0);
    snprintf(fx->address, sizeof fx->address, "127.0.0.1:%d", rpc_server_port(fx->server));
    fx->channel = rpc_channel_open(fx->rpc, fx->address);
    seen_init(&fx->seen);
    atomic_store(&is_kept, false);
    *state = fx;
    return 0;
}

static struct rpc_stats stats_of(struct fixture *fx)
{
    struct rpc_stats stats;

    rpc_stats(fx->rpc, &stats);
    return stats;
}

/* Calls PATH with LEN bytes and waits for the end. */
static void call(struct fixture *fx, const char *path, uint32_t len)
{
    struct rpc_stream *stream = stream_to(fx, path);

    assert_int_equal(rpc_stream_send(stream, numbered(0, 0, len)), 0);
    assert_true(seen_wait(&fx->seen, 0, 1));
    rpc_stream_unref(stream);
}

static void an_answer_ends_the_call(void **state)
{
    struct fixture *fx = *state;
    uint64_t before = stats_of(fx).calls;

    call(fx, "/test/Echo", 100);
    assert_int_equal(fx->seen.messages, 1);
    assert_int_equal(fx->seen.bytes, 100);
    assert_false(fx->seen.disordered);
    assert_string_equal(fx->seen.why, "closed by the peer");
    assert_int_equal(stats_of(fx).calls - before, 1);
}

static void a_refusal_says_why(void **state)
{
    struct fixture *fx = *state;
    uint64_t before = stats_of(fx).calls_refused;

    call(fx, "/test/Refuse", 8);
    assert_int_equal(fx->seen.messages, 0);
    assert_string_equal(fx->seen.why, "invalid argument: keys: missing");
    assert_int_equal(stats_of(fx).calls_refused - before, 1);
}

static void an_answer_that_is_too_large_is_refused(void **state)
{
    struct fixture *fx = *state;

    call(fx, "/test/Huge", 8);
    assert_int_equal(fx->seen.messages, 0);
    assert_non_null(strstr(fx->seen.why, "resource exhausted: the answer has 4194305 bytes"));
}

static void wait_kept(void)
{
    for (int64_t end = now_ms() + LATE_MS; !atomic_load(&is_kept);) {
        assert_true(now_ms() < end);
        sched_yield();
    }
}

static void keep_one(struct fixture *fx, struct rpc_stream **stream)
{
    *stream = stream_to(fx, "/test/Keep");
    assert_int_equal(rpc_stream_send(*stream, numbered(0, 0, 8)), 0);
    wait_kept();
}

static void a_call_may_be_answered_later_and_elsewhere(void **state)
{
    struct fixture *fx = *state;
    struct rpc_stream *stream;

    keep_one(fx, &stream);
    rpc_call_answer(kept, numbered(0, 0, 50)); /* not on the rpc thread */
    assert_true(seen_wait(&fx->seen, 1, 1));
    assert_int_equal(fx->seen.bytes, 50);
    rpc_stream_unref(stream);
}

static void a_caller_that_has_gone_costs_nothing(void **state)
{
    struct fixture *fx = *state;
    struct rpc_stream *stream;

    keep_one(fx, &stream);
    end_stream(fx, stream);
    rpc_call_answer(kept, numbered(0, 0, 50));
    assert_int_equal(fx->seen.messages, 0);
}

static void a_second_request_ends_the_call(void **state)
{
    struct fixture *fx = *state;
    struct rpc_stream *stream;

    keep_one(fx, &stream);
    assert_int_equal(rpc_stream_send(stream, numbered(1, 0, 8)), 0);
    assert_true(seen_wait(&fx->seen, 0, 1));
    rpc_call_answer(kept, numbered(0, 0, 50));
    assert_int_equal(fx->seen.messages, 0);
    rpc_stream_unref(stream);
}

static void calls_are_refused_while_too_much_is_held(void **state)
{
    struct fixture *fx = *state;
    struct rpc_stream *stream;

    keep_one(fx, &stream);
    rpc_stream_hold(kept, 1 << 20);
    struct seen other;
    seen_init(&other);
    struct rpc_stream *refused =
        rpc_stream_open(fx->channel, "/test/Echo", LATE_MS, &client_events, &other);
    assert_int_equal(rpc_stream_send(refused, numbered(0, 0, 8)), 0);
    assert_true(seen_wait(&other, 0, 1));
    assert_non_null(strstr(other.why, "resource exhausted: too much of all peers"));
    rpc_stream_unref(refused);
    rpc_stream_release(kept, 1 << 20);
    rpc_call_answer(kept, numbered(0, 0, 50));
    assert_true(seen_wait(&fx->seen, 1, 1));
    rpc_stream_unref(stream);
    seen_init(&fx->seen);
    call(fx, "/test/Echo", 8);
    assert_string_equal(fx->seen.why, "closed by the peer");
}

/* Far more than RPC_OPENED_MAX streams in a second, each answered. */
static void answered_calls_count_against_no_rate(void **state)
{
    struct fixture *fx = *state;
    enum { CALLS = 10 * RPC_OPENED_MAX };

    for (int i = 0; i < CALLS; i++) {
        seen_init(&fx->seen);
        call(fx, "/test/Echo", 8);
        assert_string_equal(fx->seen.why, "closed by the peer");
    }
    assert_int_equal(stats_of(fx).cut, 0);
}

/* Calls that are begun and given up, one after the other. */
static void calls_that_are_abandoned_cut_the_connection(void **state)
{
    struct fixture *fx = *state;

    for (int i = 0; i < 4 * (RPC_OPENED_MAX + RPC_CALLS_MAX) && stats_of(fx).cut == 0; i++) {
        struct seen seen;
        seen_init(&seen);
        struct rpc_stream *stream =
            rpc_stream_open(fx->channel, "/test/Drop", LATE_MS, &client_events, &seen);
        atomic_store(&is_kept, false);
        (void)rpc_stream_send(stream, numbered(0, 0, 8)); /* the connection may have been cut */
        while (!atomic_load(&is_kept) && stats_of(fx).cut == 0)
            sched_yield();
        rpc_stream_close(stream);
        assert_true(seen_wait(&seen, 0, 1));
        rpc_stream_unref(stream);
    }
    assert_int_equal(stats_of(fx).cut, 1);
}

#define call_row(test) cmocka_unit_test_setup_teardown(test, call_setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        call_row(an_answer_ends_the_call),
        call_row(a_refusal_says_why),
        call_row(an_answer_that_is_too_large_is_refused),
        call_row(a_call_may_be_answered_later_and_elsewhere),
        call_row(a_caller_that_has_gone_costs_nothing),
        call_row(a_second_request_ends_the_call),
        call_row(calls_are_refused_while_too_much_is_held),
        call_row(answered_calls_count_against_no_rate),
        call_row(calls_that_are_abandoned_cut_the_connection),
    };

    return cmocka_run_group_tests_name("call", tests, NULL, NULL);
}
