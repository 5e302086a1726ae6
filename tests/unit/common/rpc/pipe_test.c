/* What a pipe sends and when, and what it makes of the answers. */
#include "tests/unit/common/rpc/pipe_fixture.h"
#include "tests/unit/lib/observed.h"

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
    assert_int_equal(in_flight(owner), 0);
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
    assert_int_equal(in_flight(owner), 3);
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

static void test_batches_count_only_where_asked(void **state)
{
    struct owner *owner = *state;
    enum { N = 100 };

    owner->metrics = metrics_open(loop_metric_rows, LOOP_METRIC_ROWS);
    loop_measure(&owner->loop, metrics_block(owner->metrics));
    open_pipe(owner, &plain_ops, 1, 0);
    for (unsigned i = 1; i <= 2 * N; i++) {
        if (i == N + 1) {
            pipe_close(owner->pipe);
            owner->call = PIPE_SETTLE;
            open_pipe(owner, &plain_ops, 1, 0);
        }
        add(owner, 1);
        assert_true(turn_until(owner, &owner->answered, i, SOON));
    }
    assert_int_equal(observed(owner->metrics, LOOP_RPC_SETTLE), N);
    /* the loop's own tries, ten a second, and no batch */
    assert_in_range(observed(owner->metrics, LOOP_LAG), 0, N / 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_seq),
        row(test_round_trips),
        row(test_batches_fill_meanwhile),
        row(test_window),
        row(test_load),
        row(test_malformed),
        row(test_unknown_seq),
        row(test_events),
        row(test_too_large),
        row(test_batches_count_only_where_asked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
