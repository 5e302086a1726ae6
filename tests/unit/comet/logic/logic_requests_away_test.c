/* Logics come and go, answer wrongly, or not in time. */
#include "comet/base/metrics.h"
#include "tests/unit/comet/logic/logic_requests_fixture.h"

/* --- a logic; rpc thread --- */

static void logic_stop(struct logic *logic)
{
    rpc_server_close(logic->server, 0);
    logic->server = NULL;
}

/* --- the worker --- */

static void ask_until(enum logic_request_kind kind, uint64_t handle, uint64_t ms)
{
    struct logic_request *made = request(kind, handle);
    made->deadline_ms = loop_now_ms(&w.worker.loop) + ms;
    logic_requests_send(w.worker.logic, made);
}

/* --- logics come and go --- */

static void what_a_logic_left_unanswered_goes_to_another(void **state)
{
    (void)state;
    logic_behaves(&w.logics[0], LOGIC_BREAKS);
    logic_behaves(&w.logics[1], LOGIC_KEEPS_QUIET);
    see(1, 1);
    for (uint64_t i = 0; i < 10; i++)
        ask(REQUEST_DISCONNECT, i);
    run_until_batches(&w.logics[0], 1);
    logic_behaves(&w.logics[1], LOGIC_ANSWERS);
    see(3, 1);
    run(SOON_MS, &w.n_done, 10);
    run(50, NULL, 0);
    assert_int_equal(w.n_done, 10); /* once */
    assert_int_equal(w.n_answered, 10);
    for (uint64_t i = 0; i < 10; i++)
        assert_int_equal(w.done_handles[i], i);
}

static void a_logic_that_leaves_the_view_hands_its_batches_back(void **state)
{
    (void)state;
    logic_behaves(&w.logics[0], LOGIC_KEEPS_QUIET);
    see(1, 1);
    ask(REQUEST_DISCONNECT, 1);
    ask(REQUEST_FETCH, 2);
    run_until_batches(&w.logics[0], 1);
    see(2, 1);
    run(SOON_MS, &w.n_done, 2);
    assert_int_equal(w.n_answered, 2);
    assert_int_equal(logic_batches(&w.logics[1]), 1);
}

static void a_dead_logic_gets_probes_until_it_is_back(void **state)
{
    (void)state;
    struct logic *dead = &w.logics[0];
    see(3, 1);
    ask(REQUEST_DISCONNECT, 0);
    run(SOON_MS, &w.n_done, 1);
    logic_stop(dead);
    run(300, NULL, 0);
    int before = logic_batches(dead);
    for (uint64_t i = 1; i <= 20; i++) { /* nothing waits for it in vain */
        ask(REQUEST_DISCONNECT, i);
        run(SOON_MS, &w.n_done, (int)i + 1);
    }
    logic_start(dead);
    run_until_batches(dead, before + 1);
    assert_int_equal(logic_batch(dead, before)->n_disconnects, 0);
    run(200, NULL, 0);
    see(1, 1); /* only it is left, and up */
    ask(REQUEST_DISCONNECT, 21);
    run(SOON_MS, &w.n_done, 22);
    assert_int_equal(w.n_answered, 22);
}

static void answers_to_something_else_are_no_answers(void **state)
{
    (void)state;
    logic_behaves(&w.logics[0], LOGIC_MISCOUNTS);
    see(1, 1);
    for (uint64_t i = 0; i < 3; i++)
        ask(REQUEST_STORE, i);
    run(SOON_MS, &w.n_done, 3);
    assert_int_equal(w.n_unanswered, 3);
}

static void a_malformed_reply_breaks_the_stream(void **state)
{
    (void)state;
    logic_behaves(&w.logics[0], LOGIC_BABBLES);
    see(1, 1);
    ask(REQUEST_DISCONNECT, 1);
    run_until_batches(&w.logics[0], 1);
    logic_behaves(&w.logics[0], LOGIC_ANSWERS);
    run(SOON_MS, &w.n_done, 1);
    assert_int_equal(w.n_answered, 1);
}

/* --- deadlines --- */

static void without_a_logic_deadlines_pass(void **state)
{
    (void)state;
    ask_until(REQUEST_CONNECT, 1, 100);
    ask(REQUEST_DISCONNECT, 2);
    ask_until(REQUEST_STORE, 3, 150);
    ask_until(REQUEST_STORE, 4, 5000);
    run(SOON_MS, &w.n_done, 2);
    assert_int_equal(w.done_handles[0], 1);
    assert_int_equal(w.done_handles[1], 3);
    assert_int_equal(w.n_unanswered, 2);
    assert_int_equal(logic_requests_pending(w.worker.logic), 2);
    see(1, 1);
    run(SOON_MS, &w.n_done, 4);
    assert_int_equal(w.n_answered, 2);
}

/* Perhaps it was carried out: only its answer tells whom to disconnect again. */
static void a_connect_that_was_sent_waits_for_its_answer(void **state)
{
    (void)state;
    logic_behaves(&w.logics[0], LOGIC_KEEPS_QUIET);
    see(1, 1);
    ask_until(REQUEST_CONNECT, 1, SOON_MS);
    ask_until(REQUEST_STORE, 2, SOON_MS);
    run_until_batches(&w.logics[0], 1);
    see(0, 1);
    clock_move(SOON_MS);
    run(SOON_MS, &w.n_done, 1);
    run(300, NULL, 0);
    assert_int_equal(w.n_done, 1);
    assert_int_equal(w.done_handles[0], 2);
    see(2, 1);
    run(SOON_MS, &w.n_done, 2);
    assert_int_equal(w.last_uid, 1001);
}

static void closing_answers_what_is_left(void **state)
{
    (void)state;
    logic_behaves(&w.logics[0], LOGIC_KEEPS_QUIET);
    see(1, 1);
    ask_all_kinds();
    run_until_batches(&w.logics[0], 1);
    ask_all_kinds();
    link_close();
    assert_int_equal(w.n_unanswered, 12);
    assert_int_equal(immortal.refs, 1);
}

/* A logic says whether it can do what comets ask for. */
static void says(struct logic *logic, const char *closed)
{
    Imc__V1__SessionReply reply = IMC__V1__SESSION_REPLY__INIT;
    Imc__V1__Admitting admitting;
    imc__v1__admitting__init(&admitting);
    admitting.closed = (char *)(uintptr_t)closed;
    reply.admitting = &admitting;
    rpc_stream_send(logic->stream, msg_pack(&reply.base));
}

static bool access_is(enum logic_access access)
{
    run(1, NULL, 0);
    return atomic_load(&w.worker.logic_access) == (int)access;
}

static int asked(int logic)
{
    int n = 0;
    for (int i = 0; i < logic_batches(&w.logics[logic]); i++)
        n += (int)logic_batch(&w.logics[logic], i)->n_disconnects;
    return n;
}

static void a_closed_logic_is_asked_only_if_all_are(void **state)
{
    (void)state;
    assert_int_equal(w.worker.logic_access, LOGIC_UNREACHED);
    see(1, 1);
    ask(REQUEST_DISCONNECT, 1);
    run(SOON_MS, &w.n_done, 1);
    assert_true(until(access_is(LOGIC_ADMITS), (void)0));
    says(&w.logics[0], "redis: away");
    assert_true(until(access_is(LOGIC_CLOSED), (void)0));
    ask(REQUEST_DISCONNECT, 2); /* it answers, if only that it cannot */
    run(SOON_MS, &w.n_done, 2);
    assert_int_equal(asked(0), 2);
    see(3, 1);
    assert_true(until(access_is(LOGIC_ADMITS), (void)0));
    for (uint64_t i = 0; i < 20; i++) {
        ask(REQUEST_DISCONNECT, 3 + i);
        run(SOON_MS, &w.n_done, 3 + (int)i);
    }
    assert_int_equal(asked(0), 2);
    assert_int_equal(asked(1), 20);
    says(&w.logics[0], "");
    see(1, 1);
    assert_true(until(access_is(LOGIC_ADMITS), (void)0));
    ask(REQUEST_DISCONNECT, 30);
    run(SOON_MS, &w.n_done, 23);
    assert_int_equal(asked(0), 3);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(what_a_logic_left_unanswered_goes_to_another),
        TEST(a_logic_that_leaves_the_view_hands_its_batches_back),
        TEST(a_dead_logic_gets_probes_until_it_is_back),
        TEST(answers_to_something_else_are_no_answers),
        TEST(a_malformed_reply_breaks_the_stream),
        TEST(without_a_logic_deadlines_pass),
        TEST(a_connect_that_was_sent_waits_for_its_answer),
        TEST(closing_answers_what_is_left),
        TEST(a_closed_logic_is_asked_only_if_all_are),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
