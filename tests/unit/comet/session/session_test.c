/* One session in one situation. */
#include "tests/unit/comet/session/session_fixture.h"

static void what_was_settled_for_one_taken_for_dead_comes_before_what_is_newer(void **state)
{
    (void)state;
    for (unsigned seed = 1; seed <= 150; seed++)
        random_run(seed,
                   (struct chances){.lapse = 3,
                                    .registered = seed % 3 == 0 ? 2 : 20,
                                    .short_page = seed % 2 ? 30 : 0,
                                    .store_fails = seed % 4 == 0 ? 10 : 0,
                                    .replay = seed % 5 == 0 ? 3 : 0,
                                    .tcp = seed % 2},
                   true);
}

/* The push, or the poke, comes between the routers' hearing of the session and the answer that says
 * so. */
static void neither_a_push_nor_a_poke_overtakes_what_it_missed(void **state)
{
    (void)state;
    uint64_t poked = 6;
    world_open((struct chances){0});
    logic_answer_one();
    socket_takes_more(100);
    assert_null(w.conn.catchup);
    w.conn.missed = true;
    for (uint64_t id = 1; id <= 3; id++)
        w.mailbox[id].here = true;
    job_push(4);
    assert_int_equal(w.n_written, 0);
    world_settle_down();
    assert_everything_in_order(4, false);
    w.mailbox[5].here = true;
    w.mailbox[6] = (struct kept){.here = true, .mine = true};
    session_poke(&w.conn, &poked, 1);
    world_settle_down();
    assert_everything_in_order(6, false);
    world_close();
}

/* Messages come faster than a Store is answered, without end. */
static void catches_up_while_messages_keep_coming(void **state)
{
    (void)state;
    uint64_t next = 1;
    world_open((struct chances){0});
    logic_answer_one();
    while (w.conn.catchup == NULL || w.conn.catchup->mode != CATCHUP_SPILLING)
        job_push(next++);
    for (int i = 0; i < 30; i++)
        job_push(next++);
    while (next <= w.ids && w.conn.catchup != NULL) {
        int asked = 0;
        struct logic_request *request;
        STAILQ_FOREACH(request, &w.requests, link)
            asked++;
        socket_takes_more(100);
        job_push(next++);
        while (asked-- > 0)
            logic_answer_one();
    }
    assert_null(w.conn.catchup);
    while (!STAILQ_EMPTY(&w.requests))
        logic_answer_one();
    assert_everything_in_order(next - 1, false);
    world_close();
}

/* Who connects meanwhile would find the newer ones alone, and get the first one after them. */
static void nothing_is_stored_without_what_is_before_it(void **state)
{
    (void)state;
    world_open((struct chances){0});
    logic_answer_one();
    for (uint64_t id = 1; id <= 3; id++)
        job_push(id);
    catchup_stalled(&w.conn);
    w.chance.store_fails = 100;
    logic_answer_one();
    w.chance.store_fails = 0;
    for (int i = 0; i < 2; i++)
        logic_answer_one();
    for (uint64_t id = 1; id <= 3; id++)
        assert_true(w.settle[id] && !w.mailbox[id].here);
    job_push(4); /* neither is what comes before job has stored them */
    logic_answer_one();
    assert_true(w.settle[4] && !w.mailbox[4].here);
    world_settle_down();
    assert_everything_in_order(4, false);
    world_close();
}

/* Another device has got what was handed back, so no poke comes: newer ones wait, but not for
 * ever, however many follow. */
static void waits_for_a_poke_only_so_long(void **state)
{
    (void)state;
    uint64_t next = 2;
    world_open((struct chances){.store_fails = 100});
    logic_answer_one();
    while (!w.settle[1]) { /* stall, fail to store, hand back */
        if (w.conn.catchup == NULL)
            job_push(1);
        catchup_stalled(&w.conn);
        logic_answer_one();
    }
    w.settle[1] = false;
    w.elsewhere[1] = true;
    w.chance.store_fails = 0;
    for (int seconds = 0; seconds < 8; seconds++) {
        job_push(next++);
        for (int i = 0; i < 10; i++) {
            socket_takes_more(10);
            logic_answer_one();
            job_settle_one();
        }
        if (seconds < 4)
            assert_int_equal(w.n_written, 0);
        struct catchup *catchup = w.conn.catchup;
        w.worker.loop.uv.time += 1000;
        if (catchup != NULL && wheel_is_set(&catchup->timer) && seconds >= 4) {
            wheel_cancel(w.worker.session_wheel, &catchup->timer);
            catchup_on_timer(w.worker.session_wheel, &catchup->timer);
        }
    }
    assert_null(w.conn.catchup);
    assert_everything_in_order(next - 1, false);
    world_close();
}

/* Of two messages the first could not be stored and was handed back to job; then the process stood
 * still for longer than a poke is waited for, and job, who took it for dead, pokes nobody. */
static void standing_still_is_no_waiting_for_a_poke(void **state)
{
    (void)state;
    world_open((struct chances){0});
    logic_answer_one();
    assert_null(w.conn.catchup);
    job_push(1);
    job_push(2);
    catchup_stalled(&w.conn);
    w.chance.store_fails = 100;
    logic_answer_one();
    w.chance.store_fails = 0;
    assert_true(w.settle[1]);
    w.settle[1] = false;
    w.mailbox[1].here = true;
    logic_answer_one();
    assert_true(w.mailbox[2].mine);
    w.worker.loop.uv.time += 10000;
    for (int i = 0; i < 10; i++) {
        socket_takes_more(10);
        logic_answer_one();
    }
    assert_int_equal(w.n_written, 0);
    catchup_refetch(&w.conn); /* it has heard that it was taken for dead, and is registered */
    for (int i = 0; i < 10; i++)
        logic_answer_one();
    assert_everything_in_order(2, false); /* at once: what was waited for has come */
    world_close();
}

/* What was read in the place of another session that is no more (six messages, two of them still in
 * the queue when the socket stalls) comes even if more is spilled then than can be listed: the
 * mailbox is read as a whole from there on. */
static void what_was_inherited_is_not_forgotten(void **state)
{
    (void)state;
    uint64_t next = 1;
    world_open((struct chances){0});
    w.ids = IDS_MAX;
    while (next <= 6)
        w.mailbox[next++] = (struct kept){.here = true, .others = true};
    for (int i = 0; i < 10; i++) {
        logic_answer_one();
        socket_takes_more(i == 0 ? 4 : 0);
    }
    assert_int_equal(w.n_written, 4);
    assert_null(w.conn.catchup); /* read to the end, and handed to the socket */
    assert_int_equal(w.n_queue, 2);
    for (uint64_t id = 1; id <= 4; id++)
        w.mailbox[id] = (struct kept){.here = true, .others = true}; /* as if it lived after all */
    catchup_stalled(&w.conn);
    while (next <= w.ids) {
        job_push(next++);
        logic_answer_one();
    }
    assert_true(w.conn.catchup->missing.everything);
    world_settle_down();
    assert_everything_in_order(w.ids, false);
    world_close();
}

static void refetching_brings_nothing_that_others_are_owed(void **state)
{
    (void)state;
    world_open((struct chances){0});
    logic_answer_one();
    socket_takes_more(100);
    for (uint64_t id = 1; id <= 10; id++)
        job_push(id);
    assert_null(w.conn.catchup);
    for (uint64_t id = 1; id <= 10; id++)
        w.mailbox[id] = (struct kept){.here = true, .others = true};
    w.mailbox[11] = (struct kept){.here = true};
    catchup_refetch(&w.conn);
    world_settle_down();
    assert_everything_in_order(11, false);
    world_close();
}

/* The rest of a message may leave tomorrow, or never: job has its answer at once. */
static void a_message_that_has_left_in_part_keeps_nobody_waiting(void **state)
{
    (void)state;
    world_open((struct chances){.begun = 100});
    logic_answer_one();
    job_push(1);
    job_push(2);
    catchup_stalled(&w.conn);
    while (!STAILQ_EMPTY(&w.requests))
        logic_answer_one();
    assert_int_equal(w.told, 2);
    assert_true(w.mailbox[1].mine && w.mailbox[2].mine);
    assert_int_equal(w.n_queue, 1);
    world_settle_down();
    assert_everything_in_order(2, false);
    world_close();
}

static void store_answered_while_closing_goes_back_to_job(void **state)
{
    (void)state;
    world_open((struct chances){0});
    logic_answer_one();
    job_push(1);
    catchup_stalled(&w.conn);
    w.conn.state = CONN_CLOSING;
    logic_answer_one();
    assert_true(w.mailbox[1].here);
    assert_true(w.settle[1]);
    world_close();
}

static void session_that_leaves_before_logic_answers_is_disconnected(void **state)
{
    (void)state;
    world_open((struct chances){0});
    w.mailbox[1].here = true;
    job_push(2);
    w.conn.state = CONN_CLOSED;
    session_closed(&w.conn);
    assert_true(w.settle[2]); /* what was held goes back to job */
    logic_answer_one();
    const struct logic_request *request = STAILQ_FIRST(&w.requests);
    assert_non_null(request);
    assert_int_equal(request->kind, REQUEST_DISCONNECT);
    assert_int_equal(request->uid, 42);
    assert_true(w.mailbox[1].here); /* nothing was confirmed */
    world_close();
}

static void queued_and_held_messages_go_back_when_the_session_ends(void **state)
{
    (void)state;
    world_open((struct chances){0});
    logic_answer_one();
    for (uint64_t id = 1; id <= 6; id++)
        job_push(id); /* the socket takes none: four queue, then the queue is stored */
    assert_int_equal(w.conn.catchup->mode, CATCHUP_SPILLING);
    w.conn.state = CONN_CLOSED;
    session_closed(&w.conn);
    while (!STAILQ_EMPTY(&w.requests))
        logic_answer_one();
    for (uint64_t id = 1; id <= 6; id++)
        assert_true(w.settle[id]);
    world_close();
}

static void refused_token_kicks(void **state)
{
    (void)state;
    world_open((struct chances){0});
    struct logic_request *request = STAILQ_FIRST(&w.requests);
    const struct admission refused = {.room = "", .rooms = "", .reason = "unknown token"};
    struct logic_answer answer = {
        .answered = true, .status = CLOSE_BAD_TOKEN, .connect = &refused, .backing = &immortal};
    request->done(&w.worker, request, &answer);
    assert_int_equal(w.kicked, CLOSE_BAD_TOKEN);
    assert_int_equal(w.auth_replies, 0);
    world_close();
}

/* Its router hung, and may take the put when it goes on. */
static void what_was_refused_and_may_be_put_is_disconnected(void **state)
{
    (void)state;
    world_open((struct chances){0});
    struct logic_request *request = STAILQ_FIRST(&w.requests);
    const struct admission refused = {
        .uid = 42, .room = "", .rooms = "", .reason = "service unavailable", .put = true};
    struct logic_answer answer = {
        .answered = true, .status = CLOSE_UNAVAILABLE, .connect = &refused, .backing = &immortal};
    request->done(&w.worker, request, &answer);
    assert_int_equal(w.kicked, CLOSE_UNAVAILABLE);
    const struct logic_request *disconnect = STAILQ_NEXT(request, link);
    assert_non_null(disconnect);
    assert_int_equal(disconnect->kind, REQUEST_DISCONNECT);
    assert_int_equal(disconnect->uid, 42);
    assert_true(disconnect->handle == w.conn.handle);
    world_close();
}

static void unknown_code_from_logic_is_unavailable(void **state)
{
    (void)state;
    world_open((struct chances){0});
    const struct admission refused = {.room = "", .rooms = "", .reason = ""};
    struct logic_answer answer = {
        .answered = true, .status = 77, .connect = &refused, .backing = &immortal};
    struct logic_request *request = STAILQ_FIRST(&w.requests);
    request->done(&w.worker, request, &answer);
    assert_int_equal(w.kicked, CLOSE_UNAVAILABLE);
    world_close();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_settled_for_one_taken_for_dead_comes_before_what_is_newer),
        cmocka_unit_test(neither_a_push_nor_a_poke_overtakes_what_it_missed),
        cmocka_unit_test(catches_up_while_messages_keep_coming),
        cmocka_unit_test(waits_for_a_poke_only_so_long),
        cmocka_unit_test(standing_still_is_no_waiting_for_a_poke),
        cmocka_unit_test(what_was_inherited_is_not_forgotten),
        cmocka_unit_test(refetching_brings_nothing_that_others_are_owed),
        cmocka_unit_test(a_message_that_has_left_in_part_keeps_nobody_waiting),
        cmocka_unit_test(nothing_is_stored_without_what_is_before_it),
        cmocka_unit_test(store_answered_while_closing_goes_back_to_job),
        cmocka_unit_test(session_that_leaves_before_logic_answers_is_disconnected),
        cmocka_unit_test(queued_and_held_messages_go_back_when_the_session_ends),
        cmocka_unit_test(refused_token_kicks),
        cmocka_unit_test(what_was_refused_and_may_be_put_is_disconnected),
        cmocka_unit_test(unknown_code_from_logic_is_unavailable),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
