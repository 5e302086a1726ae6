/* What goes out to logic, and what comes back. */
#include "comet/base/metrics.h"
#include "tests/unit/comet/logic/logic_requests_fixture.h"

/* --- a logic; rpc thread --- */

/* Answers the batches that were met with silence. */
static void logic_speaks_up(struct logic *logic)
{
    logic_behaves(logic, LOGIC_ANSWERS);
    pthread_mutex_lock(&logic->lock);
    for (int i = 0; i < logic->n_batches; i++)
        rpc_stream_send(logic->stream, answer_to(logic->batches[i], false));
    pthread_mutex_unlock(&logic->lock);
}

/* --- what goes out, what comes back --- */

static void one_batch_carries_every_kind(void **state)
{
    (void)state;
    see(1, 9);
    ask_all_kinds();
    assert_int_equal(logic_requests_pending(w.worker.logic), 7);
    run(SOON_MS, &w.n_done, 6);
    assert_int_equal(logic_requests_pending(w.worker.logic), 0);
    assert_int_equal(logic_batches(&w.logics[0]), 1);
    const Imc__V1__SessionBatch *batch = logic_batch(&w.logics[0], 0);
    assert_string_equal(batch->comet, "comet-1");
    assert_int_equal(batch->epoch, 9);
    assert_int_equal(batch->ring, 0);
    assert_int_equal(batch->connects[0]->handle, 1);
    assert_memory_equal(batch->connects[0]->token.data, "token", 5);
    assert_string_equal(batch->connects[0]->address, "10.0.0.1");
    assert_int_equal(batch->connects[0]->wire, 2);
    assert_int_equal(batch->disconnects[0]->uid, 20);
    assert_int_equal(batch->fetches[0]->after, 33);
    assert_int_equal(batch->fetches[0]->handle, 0); /* nothing is left out */
    assert_int_equal(batch->stores[0]->handle, 4);
    assert_int_equal(batch->stores[0]->message->id, 44);
    assert_int_equal(batch->stores[0]->behind, 43);
    assert_int_equal(batch->stores[0]->message->op, 5);
    assert_int_equal(batch->stores[0]->message->expires_ms, 444);
    assert_memory_equal(batch->stores[0]->message->body.data, "body", 4);
    assert_string_equal(batch->registers[0]->room, "lobby");
    assert_int_equal(batch->registered->loop, 1);
    assert_int_equal(batch->registered->loops, 3);
    assert_int_equal(batch->confirms[0]->uid, 70);
    assert_int_equal(batch->confirms[0]->ids[0], 7);
    assert_int_equal(batch->confirms[0]->handle, 8);
    assert_int_equal(batch->confirms[0]->how, CONFIRM_WAIVED);
    assert_int_equal(w.done_handles[5], 6);
    assert_int_equal(w.done_status[5], 5); /* Registered has its own status */
    assert_int_equal(w.last.ring, 77);
    assert_int_equal(w.last.epoch, 9);
    assert_int_equal(immortal.refs, 1);
    /* A reply lives as long as somebody needs it. */
    assert_int_equal(w.fetched->waiting[0].id, 34);
    assert_string_equal((const char *)w.fetched->waiting[0].body, "waiting");
}

static void every_request_gets_its_own_result(void **state)
{
    (void)state;
    see(1, 1);
    for (uint64_t i = 0; i < 30; i++)
        ask(i % 3 == 0 ? REQUEST_DISCONNECT : i % 3 == 1 ? REQUEST_REGISTER : REQUEST_FETCH, i);
    run(SOON_MS, &w.n_done, 30);
    for (uint64_t i = 0; i < 30; i++) {
        assert_int_equal(w.done_handles[i], i);
        assert_int_equal(w.done_status[i], i % 3 == 2 ? 0 : i / 3);
    }
}

/* Connects beyond the window wait, in order; other requests pass them. */
static void so_many_are_admitted_at_a_time(void **state)
{
    (void)state;
    struct logic *logic = &w.logics[0];
    logic_behaves(logic, LOGIC_KEEPS_QUIET);
    see(1, 1);
    for (uint64_t i = 0; i < 3 * CONNECTS; i++)
        ask(REQUEST_CONNECT, i);
    assert_int_equal(w.worker.connects_waiting, 3 * CONNECTS);
    run_until_batches(logic, 1);
    ask(REQUEST_DISCONNECT, 100);
    run_until_batches(logic, 2);
    assert_int_equal(w.worker.connects_waiting, 2 * CONNECTS);
    assert_int_equal(logic_batch(logic, 0)->n_connects, CONNECTS);
    assert_int_equal(logic_batch(logic, 1)->n_connects, 0);
    assert_int_equal(logic_batch(logic, 1)->n_disconnects, 1);
    logic_speaks_up(logic);
    run(SOON_MS, &w.n_done, 3 * CONNECTS + 1);
    assert_int_equal(w.worker.connects_waiting, 0);
    for (int b = 0; b < logic_batches(logic); b++)
        assert_in_range(logic_batch(logic, b)->n_connects, 0, CONNECTS);
    uint64_t next = 0;
    for (int i = 0; i < w.n_done; i++)
        next += w.done_handles[i] == next;
    assert_int_equal(next, 3 * CONNECTS);
}

/* What a broken stream left unanswered waits before those that were not sent. */
static void a_broken_stream_frees_the_window(void **state)
{
    (void)state;
    struct logic *logic = &w.logics[0];
    logic_behaves(logic, LOGIC_BREAKS);
    see(1, 1);
    for (uint64_t i = 0; i < 2 * CONNECTS; i++)
        ask(REQUEST_CONNECT, i);
    run_until_batches(logic, 1);
    assert_true(until(w.worker.connects_waiting == 2 * CONNECTS, run(1, NULL, 0)));
    logic_behaves(logic, LOGIC_ANSWERS);
    run(SOON_MS, &w.n_done, 2 * CONNECTS);
    for (int i = 0; i < 2 * CONNECTS; i++)
        assert_int_equal(w.done_handles[i], i);
    assert_int_equal(w.worker.connects_waiting, 0);
}

static void while_the_window_is_full_the_next_batch_grows(void **state)
{
    (void)state;
    struct logic *logic = &w.logics[0];
    logic_behaves(logic, LOGIC_KEEPS_QUIET);
    see(1, 1);
    for (uint64_t i = 0; i < 2; i++) {
        ask(REQUEST_DISCONNECT, i);
        run_until_batches(logic, (int)i + 1);
    }
    for (uint64_t i = 0; i < 500; i++) {
        ask(REQUEST_DISCONNECT, i);
        if (i % 50 == 0)
            run(1, NULL, 0);
    }
    assert_int_equal(logic_batches(logic), 2);
    logic_speaks_up(logic);
    run(SOON_MS, &w.n_done, 502);
    assert_int_equal(logic_batches(logic), 3);
    assert_int_equal(logic_batch(logic, 2)->n_disconnects, 500);
}

static void batches_have_limits(void **state)
{
    (void)state;
    struct logic *logic = &w.logics[0];
    static uint8_t large[200 * 1024];
    see(1, 1);
    for (uint64_t i = 0; i < 2500; i++)
        ask(REQUEST_DISCONNECT, i);
    for (int i = 0; i < 6; i++) {
        struct logic_request *made = request(REQUEST_STORE, 1);
        made->push = (struct push){.body = large, .body_len = sizeof large, .id = 1};
        logic_requests_send(w.worker.logic, made);
    }
    ask(REQUEST_REGISTERED, 1);
    ask(REQUEST_REGISTERED, 2);
    run(SOON_MS, &w.n_done, 2508);
    size_t disconnects = 0, stores = 0;
    int registered = 0;
    for (int i = 0; i < logic_batches(logic); i++) {
        const Imc__V1__SessionBatch *batch = logic_batch(logic, i);
        disconnects += batch->n_disconnects;
        stores += batch->n_stores;
        registered += batch->registered != NULL;
        assert_in_range(batch->n_disconnects + batch->n_stores, 0, 1000);
        assert_in_range(batch->n_stores, 0, 3);
    }
    assert_int_equal(disconnects, 2500);
    assert_int_equal(stores, 6);
    assert_int_equal(registered, 2);
}

static void a_fetch_may_leave_out_what_others_are_owed(void **state)
{
    (void)state;
    see(1, 1);
    struct logic_request *made = request(REQUEST_FETCH, 9);
    made->own = true;
    logic_requests_send(w.worker.logic, made);
    run(SOON_MS, &w.n_done, 1);
    assert_int_equal(logic_batch(&w.logics[0], 0)->fetches[0]->handle, 9);
}

static void confirms_of_another_session_or_kind_do_not_share_one(void **state)
{
    (void)state;
    see(1, 1);
    confirm(CONFIRM_WRITTEN, 1, 5, 1);
    confirm(CONFIRM_WRITTEN, 1, 6, 1);
    confirm(CONFIRM_WAIVED, 1, 6, 3);
    confirm(CONFIRM_WAIVED, 1, 6, 4);
    assert_int_equal(logic_requests_pending(w.worker.logic), 3);
    run_until_batches(&w.logics[0], 1);
    const Imc__V1__SessionBatch *batch = logic_batch(&w.logics[0], 0);
    for (size_t i = 0; i < 3; i++) {
        static const size_t ids[] = {1, 1, 2};
        assert_int_equal(batch->confirms[i]->handle, i == 0 ? 5 : 6);
        assert_int_equal(batch->confirms[i]->n_ids, ids[i]);
    }
    assert_int_equal(batch->confirms[2]->how, CONFIRM_WAIVED);
    assert_int_equal(w.counters[COMET_CONFIRMED], 2); /* a waiver is none */
}

static void confirms_of_a_session_share_a_request(void **state)
{
    (void)state;
    struct logic *logic = &w.logics[0];
    see(1, 1);
    for (uint64_t id = 1; id <= 100; id++)
        confirm(CONFIRM_WRITTEN, 1, 8, id);
    confirm(CONFIRM_WRITTEN, 2, 8, 5);
    confirm(CONFIRM_WRITTEN, 1, 8, 101);
    assert_int_equal(logic_requests_pending(w.worker.logic), 4);
    run_until_batches(logic, 1);
    /* The request before is on its way. */
    confirm(CONFIRM_WRITTEN, 1, 8, 102);
    assert_int_equal(w.counters[COMET_CONFIRMED], 103);
    run_until_batches(logic, 2);
    const Imc__V1__SessionBatch *batch = logic_batch(logic, 0);
    assert_int_equal(batch->n_confirms, 4);
    assert_int_equal(batch->confirms[0]->n_ids, 64);
    assert_int_equal(batch->confirms[1]->n_ids, 36);
    assert_int_equal(batch->confirms[1]->ids[35], 100);
    assert_int_equal(batch->confirms[2]->uid, 2);
    assert_int_equal(batch->confirms[3]->ids[0], 101);
    assert_int_equal(logic_batch(logic, 1)->confirms[0]->ids[0], 102);
}

static void what_was_taken_back_is_not_sent(void **state)
{
    (void)state;
    see(1, 1);
    struct logic_request *made = request(REQUEST_REGISTERED, 1);
    logic_requests_send(w.worker.logic, made);
    made->cancelled = true;
    ask(REQUEST_DISCONNECT, 2);
    run(SOON_MS, &w.n_done, 2);
    assert_null(logic_batch(&w.logics[0], 0)->registered);
}

static void nothing_is_sent_before_the_lease_is_held(void **state)
{
    (void)state;
    see(1, 0);
    ask(REQUEST_DISCONNECT, 1);
    run(250, NULL, 0);
    for (int i = 0; i < logic_batches(&w.logics[0]); i++)
        assert_int_equal(logic_batch(&w.logics[0], i)->n_disconnects, 0);
    see(1, 5);
    run(SOON_MS, &w.n_done, 1);
    assert_int_equal(w.last.epoch, 5);
}

/* Logic sends orders for a life of a comet only by streams that have said that they are of it. */
static void a_new_life_is_told_though_nothing_is_asked(void **state)
{
    (void)state;
    see(1, 5);
    ask(REQUEST_DISCONNECT, 1);
    run(SOON_MS, &w.n_done, 1);
    see(1, 6);
    run_until_batches(&w.logics[0], 2);
    assert_int_equal(logic_batch(&w.logics[0], 1)->epoch, 6);
    see(1, 6);
    run(250, NULL, 0);
    assert_int_equal(logic_batches(&w.logics[0]), 2);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(one_batch_carries_every_kind),
        TEST(every_request_gets_its_own_result),
        TEST(so_many_are_admitted_at_a_time),
        TEST(a_broken_stream_frees_the_window),
        TEST(while_the_window_is_full_the_next_batch_grows),
        TEST(batches_have_limits),
        TEST(confirms_of_a_session_share_a_request),
        TEST(confirms_of_another_session_or_kind_do_not_share_one),
        TEST(a_fetch_may_leave_out_what_others_are_owed),
        TEST(what_was_taken_back_is_not_sent),
        TEST(nothing_is_sent_before_the_lease_is_held),
        TEST(a_new_life_is_told_though_nothing_is_asked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
