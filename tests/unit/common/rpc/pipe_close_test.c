/* A pipe is closed whenever its owner likes. */
#include "tests/unit/common/rpc/pipe_fixture.h"

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        row(test_close_in_answered), row(test_close_in_failed), row(test_close_in_state),
        row(test_close_in_event),    row(test_close_under_way),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
