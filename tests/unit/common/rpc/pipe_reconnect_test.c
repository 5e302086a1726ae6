/* A peer that is away, comes back, or does not answer. */
#include "tests/unit/common/rpc/pipe_fixture.h"

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        row(test_server_restart),
        row(test_restarts_under_load),
        row(test_timeout),
        row(test_dead_port),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
