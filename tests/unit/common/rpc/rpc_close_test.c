/* Who closes a stream or a server, and when. */
#include "tests/unit/common/rpc/rpc_fixture.h"

#include <unistd.h>

static void test_callee_closes(void **state)
{
    struct fixture *fx = *state;
    struct rpc_stream *stream = stream_to(fx, "/test/Burst");

    rpc_stream_send(stream, numbered(0, 0, 8));
    assert_true(seen_wait(&fx->seen, 0, 1));
    assert_int_equal(fx->seen.messages, BURST);
    assert_false(fx->seen.disordered);
    assert_string_equal(fx->seen.why, "closed by the peer");
    rpc_stream_unref(stream);
}

static void test_callee_closes_in_opened(void **state)
{
    struct fixture *fx = *state;
    struct rpc_stream *stream = stream_to(fx, "/test/AtOnce");

    assert_true(seen_wait(&fx->seen, 0, 1));
    assert_int_equal(fx->seen.messages, 1);
    assert_string_equal(fx->seen.why, "closed by the peer");
    rpc_stream_unref(stream);
}

static void test_close_in_message(void **state)
{
    struct fixture *fx = *state;
    struct rpc_stream *stream = stream_to(fx, "/test/Echo");

    fx->seen.close_at = 5;
    for (uint32_t i = 0; i < 100; i++)
        rpc_stream_send(stream, numbered(i, 0, 8));
    assert_true(seen_wait(&fx->seen, 5, 1));
    assert_string_equal(fx->seen.why, "closed here");
    rpc_stream_unref(stream);
}

static void test_close_before_connected(void **state)
{
    struct fixture *fx = *state;

    for (unsigned i = 1; i <= 50; i++) {
        seen_init(&fx->seen);
        struct rpc_stream *stream = stream_to(fx, "/test/Echo");
        if (i % 2 == 0)
            rpc_stream_send(stream, numbered(0, 0, 8));
        end_stream(fx, stream);
        assert_string_equal(fx->seen.why, "closed here");
    }
}

static void test_close_while_sending(void **state)
{
    struct fixture *fx = *state;

    for (unsigned i = 0; i < 40; i++) {
        seen_init(&fx->seen);
        struct rpc_stream *stream = stream_to(fx, "/test/Echo");
        struct sender sender = {stream, 0, 500, true};
        pthread_t thread;
        pthread_create(&thread, NULL, sender_run, &sender);
        if (i % 3 != 0)
            seen_wait(&fx->seen, i, 0);
        rpc_stream_close(stream);
        pthread_join(thread, NULL);
        end_stream(fx, stream);
        assert_false(fx->seen.disordered);
        assert_int_equal(fx->seen.closed, 1);
    }
}

/* The grace is waited for, then what is open is cancelled. */
static void test_server_close_cancels(void **state)
{
    struct fixture *fx = *state;
    struct rpc_stream *stream = stream_to(fx, "/test/Hang");
    struct rpc_server *server = fx->server;

    rpc_stream_send(stream, numbered(0, 0, 8));
    while (atomic_load(&server_opened) == 0)
        usleep(1000);
    fx->server = NULL;
    int64_t begin = now_ms();
    rpc_server_close(server, 200);
    assert_in_range(now_ms() - begin, 190, LATE_MS);
    assert_int_equal(atomic_load(&server_closed), 1);
    assert_true(seen_wait(&fx->seen, 0, 1));
    rpc_stream_unref(stream);
}

/* rpc_close() ends a stream that its owner forgot; the owner's reference may be dropped later. */
static void test_forgotten_stream(void **state)
{
    struct fixture *fx = *state;
    struct rpc *rpc;

    assert_int_equal(rpc_open(&rpc, MAX_MESSAGE), 0);
    struct rpc_channel *channel = rpc_channel_open(rpc, fx->address);
    struct rpc_stream *stream =
        rpc_stream_open(channel, "/test/Hang", LATE_MS, &client_events, &fx->seen);
    rpc_channel_close(channel);
    rpc_close(rpc);
    assert_int_equal(fx->seen.closed, 1);
    assert_int_equal(rpc_stream_send(stream, msg_copy("x", 1)), -EPIPE);
    rpc_stream_close(stream);
    rpc_stream_unref(stream);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        row(test_callee_closes),       row(test_callee_closes_in_opened),
        row(test_close_in_message),    row(test_close_before_connected),
        row(test_close_while_sending), row(test_server_close_cancels),
        row(test_forgotten_stream),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
