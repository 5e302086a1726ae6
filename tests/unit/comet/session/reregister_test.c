/* One thing happens to the routers, to logic or to a session. */
#include "comet/net/goim_client.h"
#include "tests/unit/comet/session/reregister_fixture.h"

/* Router 0 begins a new life, and logic and we hear of it. */
static void router_restarts(void)
{
    w.lives[0] = ++w.next_life;
    routers_changed();
    logic_learns();
    view_arrives(false);
}

static void link_answers_one(void)
{
    link_send_one();
    logic_carries_out(true);
}

static void open_with_one_router(size_t sessions)
{
    world_open(sessions);
    router_restarts();
    turn();
    link_answers_one();
    assert_true(reregister_complete(w.worker.reregister));
}

static void logic_that_sees_other_routers_is_asked_again(void **state)
{
    (void)state;
    open_with_one_router(SESSIONS);
    w.lives[1] = ++w.next_life;
    routers_changed();
    view_arrives(false);
    for (int tries = 1; tries <= 3; tries++) {
        turn();
        link_answers_one();
        assert_false(reregister_complete(w.worker.reregister));
        assert_true(STAILQ_EMPTY(&w.queued)); /* not before the timer */
        assert_true(timers_fire());
    }
    logic_learns();
    turn();
    link_answers_one();
    assert_true(reregister_complete(w.worker.reregister));
    world_close();
}

static void a_session_admitted_under_other_routers_is_registered_and_fetches(void **state)
{
    (void)state;
    open_with_one_router(SESSIONS);
    session_begin();
    struct session *session = &w.sessions[0];
    router_restarts();
    turn();
    link_answers_one();
    assert_true(reregister_complete(w.worker.reregister));
    settle(session);
    assert_true(session->missed);
    session_admitted(session);
    assert_false(reregister_complete(w.worker.reregister));
    link_answers_one();
    assert_true(routers_have(session));
    assert_int_equal(session->refetches, 1);
    link_send_one(); /* Registered, again */
    logic_carries_out(true);
    assert_true(reregister_complete(w.worker.reregister));
    world_close();
}

/* New sessions make the table grow while the last Registers are unanswered. */
static void a_walk_ends_although_the_table_grows(void **state)
{
    (void)state;
    open_with_one_router(SESSIONS);
    session_begin();
    session_admitted(&w.sessions[0]);
    router_restarts();
    turn();
    session_begin();
    session_admitted(&w.sessions[1]);
    link_answers_one();
    link_answers_one();
    assert_true(reregister_complete(w.worker.reregister));
    world_close();
}

static void after_a_lapse_everybody_fetches_and_not_again_after_the_next_change(void **state)
{
    (void)state;
    bool lapsed = false;
    open_with_one_router(SESSIONS);
    for (int i = 0; i < 3; i++) {
        session_begin();
        session_admitted(&w.sessions[i]);
    }
    lease_event(&lapsed);
    settle(&w.sessions[1]);
    assert_true(w.sessions[1].missed);
    lease_event(&lapsed);
    settle_down();
    for (int i = 0; i < 3; i++)
        assert_int_equal(w.sessions[i].refetches, 1);
    w.lives[0] = ++w.next_life;
    settle_down();
    for (int i = 0; i < 3; i++) {
        assert_true(routers_have(&w.sessions[i]));
        assert_int_equal(w.sessions[i].refetches, 1);
    }
    world_close();
}

static void after_a_lapse_what_was_revoked_meanwhile_ends(void **state)
{
    (void)state;
    bool lapsed = false;
    open_with_one_router(SESSIONS);
    for (int i = 0; i < 3; i++) {
        session_begin();
        session_admitted(&w.sessions[i]);
    }
    w.sessions[1].revoked = CLOSE_BAD_TOKEN;
    kicks = 0;
    w.lives[0] = ++w.next_life; /* another router: revokers are told that it does not know yet */
    settle_down();
    assert_int_equal(kicks, 0);
    lease_event(&lapsed);
    lease_event(&lapsed);
    settle_down();
    assert_int_equal(kicks, 1);
    assert_int_equal(kicked, CLOSE_BAD_TOKEN);
    assert_int_equal(w.sessions[1].conn.state, CONN_CLOSING);
    assert_int_equal(w.sessions[1].refetches, 0);
    assert_int_equal(w.sessions[2].refetches, 1);
    world_close();
}

/* The Disconnect overtakes the Register. */
static void a_session_that_left_while_it_was_registered_leaves_no_ghost(void **state)
{
    (void)state;
    open_with_one_router(SESSIONS);
    session_begin();
    session_admitted(&w.sessions[0]);
    router_restarts();
    turn();
    link_send_one();
    assert_int_equal(w.sent->kind, REQUEST_REGISTER);
    session_ends(&w.sessions[0]);
    struct logic_request *registering = w.sent;
    w.sent = NULL;
    link_send_one();
    assert_int_equal(w.sent->kind, REQUEST_DISCONNECT);
    logic_carries_out(true);
    w.sent = registering;
    logic_carries_out(true);
    assert_true(routers_have(&w.sessions[0]));
    settle_down();
    assert_false(routers_have(&w.sessions[0]));
    world_close();
}

/* The router stood still, and took the Register when logic had given it up. */
static void nor_does_one_of_which_nobody_knows_whether_it_was_registered(void **state)
{
    (void)state;
    open_with_one_router(SESSIONS);
    session_begin();
    session_admitted(&w.sessions[0]);
    router_restarts();
    turn();
    link_send_one();
    assert_int_equal(w.sent->kind, REQUEST_REGISTER);
    session_ends(&w.sessions[0]);
    struct logic_request *registering = w.sent;
    w.sent = NULL;
    link_send_one();
    assert_int_equal(w.sent->kind, REQUEST_DISCONNECT);
    logic_carries_out(true);
    w.sent = registering;
    w.late = true;
    logic_carries_out(true);
    w.late = false;
    assert_true(routers_have(&w.sessions[0]));
    settle_down();
    assert_false(routers_have(&w.sessions[0]));
    world_close();
}

static void a_disconnect_is_repeated_until_a_router_has_it(void **state)
{
    (void)state;
    open_with_one_router(SESSIONS);
    session_begin();
    session_admitted(&w.sessions[0]);
    w.away = true;
    session_ends(&w.sessions[0]);
    for (int i = 0; i < 3; i++) {
        link_answers_one();
        assert_true(STAILQ_EMPTY(&w.queued));
        assert_true(routers_have(&w.sessions[0]));
        assert_true(timers_fire());
    }
    w.away = false;
    link_answers_one();
    assert_false(routers_have(&w.sessions[0]));
    assert_false(timers_fire());
    world_close();
}

/* We alone see no router for a while. */
static void no_routers_no_requests(void **state)
{
    (void)state;
    open_with_one_router(SESSIONS);
    session_begin();
    uint64_t life = w.lives[0];
    w.lives[0] = 0;
    view_arrives(false);
    session_admitted(&w.sessions[0]);
    turn();
    assert_false(timers_fire());
    assert_true(STAILQ_EMPTY(&w.queued));
    assert_false(reregister_complete(w.worker.reregister));
    w.lives[0] = life;
    view_arrives(false);
    for (int i = 0; i < 2; i++) {
        turn();
        link_answers_one();
    }
    assert_true(routers_have(&w.sessions[0]));
    assert_int_equal(w.sessions[0].refetches, 1);
    assert_true(reregister_complete(w.worker.reregister));
    world_close();
}

/* What was asked under routers that have gone and come back proves nothing. */
static void answers_from_before_a_change_are_not_believed(void **state)
{
    (void)state;
    open_with_one_router(SESSIONS);
    session_begin();
    session_admitted(&w.sessions[0]);
    uint64_t first = w.lives[0], second = ++w.next_life;
    w.lives[0] = second;
    view_arrives(false);
    turn();
    link_send_one();
    struct logic_request *asked = w.sent;
    w.sent = NULL;
    uint64_t ring = w.sent_ring;
    w.lives[0] = first;
    view_arrives(false);
    w.lives[0] = second;
    view_arrives(false);
    struct logic_answer answer = {.answered = true, .ring = ring, .epoch = w.epoch};
    asked->done(&w.worker, asked, &answer);
    request_free(asked);
    assert_false(w.sessions[0].conn.registered);
    turn();
    assert_false(STAILQ_EMPTY(&w.queued));
    assert_int_equal(STAILQ_FIRST(&w.queued)->kind, REQUEST_REGISTER);
    world_close();
}

/* A table larger than what may be unanswered: the walk waits for answers, and the loop may sleep.
 */
static void a_long_walk_waits_without_spinning(void **state)
{
    (void)state;
    enum { MANY = 20000 };
    size_t asked = 0;
    open_with_one_router(MANY);
    for (w.n_sessions = 0; w.n_sessions < MANY; w.n_sessions++) {
        struct session *session = &w.sessions[w.n_sessions];
        session->conn.worker = &w.worker;
        session->conn.uid = (int64_t)w.n_sessions;
        session->conn.counted = session->conn.registered = true;
        session->handle = session->conn.handle = handle_table_add(w.worker.table, &session->conn);
    }
    router_restarts();
    for (int i = 0; i < 100; i++)
        turn();
    assert_null(w.worker.loop.tasks);
    struct logic_request *queued;
    STAILQ_FOREACH(queued, &w.queued, link)
        asked++;
    assert_in_range(asked, 1000, MANY / 2);
    while (!reregister_complete(w.worker.reregister)) {
        turn();
        for (int i = 0; i < 1000 && !STAILQ_EMPTY(&w.queued); i++) {
            struct session *session = &w.sessions[STAILQ_FIRST(&w.queued)->handle & 0xffffff];
            link_send_one();
            if (w.sent->kind == REQUEST_REGISTER)
                assert_int_equal(session->handle, w.sent->handle);
            struct logic_request *request = w.sent;
            struct logic_answer answer = {
                .answered = true, .ring = w.sent_ring, .epoch = w.sent_epoch};
            if (request->kind == REQUEST_REGISTER)
                answer.status = routers_put(session, w.sent_ring, w.sent_epoch);
            w.sent = NULL;
            request->done(&w.worker, request, &answer);
            free(request->bytes);
            free(request);
        }
    }
    for (size_t i = 0; i < MANY; i++)
        assert_true(routers_have(&w.sessions[i]));
    world_close();
}

/* A client of goim with KEY. */
static struct session *goim_session(struct goim_client *goim, char *key)
{
    struct session *session = &w.sessions[w.n_sessions];

    session_begin();
    *goim = (struct goim_client){.key = key};
    session->conn.goim = goim;
    session_admitted(session);
    return session;
}

/* How many Registers of SESSION were sent in ROUNDS of the timer. */
static int registers_of(const struct session *session, int rounds)
{
    int n = 0;

    for (int i = 0; i < rounds; i++) {
        assert_true(timers_fire());
        while (!STAILQ_EMPTY(&w.queued)) {
            link_send_one();
            n += w.sent->kind == REQUEST_REGISTER && w.sent->handle == session->handle;
            free(w.sent->key);
            w.sent->key = NULL;
            logic_carries_out(true);
        }
    }
    return n;
}

static void a_client_with_a_key_is_registered_in_rounds(void **state)
{
    static char own[] = "phone", made[] = "~7~0123456789abcdef0123456789abcdef";
    struct goim_client goim[2];

    (void)state;
    open_with_one_router(SESSIONS);
    session_begin(); /* of imgo's */
    session_admitted(&w.sessions[0]);
    assert_false(timers_fire());
    const struct session *named = goim_session(&goim[0], own);
    const struct session *unnamed = goim_session(&goim[1], made);
    assert_int_equal(registers_of(named, 5), 0); /* an older logic does not ask for it */
    int slots = (int)handle_table_slots(w.worker.table);
    w.worker.keys_refresh_ms = (uint64_t)slots * 1000; /* a slot in each turn, and one more */
    int n = registers_of(named, 4 * slots);
    assert_in_range(n, 4, 8);
    assert_int_equal(registers_of(unnamed, slots), 0);
    assert_int_equal(registers_of(&w.sessions[0], slots), 0);
    w.worker.keys_refresh_ms = 1; /* shorter than a turn: once in each */
    assert_int_equal(registers_of(named, 3), 3);
    assert_true(reregister_complete(w.worker.reregister));
    for (size_t i = 0; i < w.n_sessions; i++)
        w.sessions[i].conn.goim = NULL;
    world_close();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_client_with_a_key_is_registered_in_rounds),
        cmocka_unit_test(logic_that_sees_other_routers_is_asked_again),
        cmocka_unit_test(a_session_admitted_under_other_routers_is_registered_and_fetches),
        cmocka_unit_test(a_walk_ends_although_the_table_grows),
        cmocka_unit_test(after_a_lapse_everybody_fetches_and_not_again_after_the_next_change),
        cmocka_unit_test(after_a_lapse_what_was_revoked_meanwhile_ends),
        cmocka_unit_test(a_session_that_left_while_it_was_registered_leaves_no_ghost),
        cmocka_unit_test(nor_does_one_of_which_nobody_knows_whether_it_was_registered),
        cmocka_unit_test(a_disconnect_is_repeated_until_a_router_has_it),
        cmocka_unit_test(no_routers_no_requests),
        cmocka_unit_test(answers_from_before_a_change_are_not_believed),
        cmocka_unit_test(a_long_walk_waits_without_spinning),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
