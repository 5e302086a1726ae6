/* Sending everybody away: groups, pace, answers. */
#include "tests/unit/lib/frontend_fixture.h"

enum { CROWD = 40 };

static int crowd[CROWD];
static struct conn *asked[2 * CROWD];
static int n_asked;

static void note_asked(struct conn *conn)
{
    asked[n_asked++] = conn;
}

static const char more[] = ",\"nodes\":[\"a:1\"]";

static void answer_all(void)
{
    for (int i = 0; i < n_asked; i++)
        conn_send_away(asked[i], "go", more, sizeof more - 1);
    n_asked = 0;
}

static int a_crowd(void **state)
{
    (void)state;
    fixture_defaults();
    fixture_config.drain_rate = 100;
    int rc = fixture_open();
    n_asked = 0;
    for (int i = 0; rc == 0 && i < CROWD; i++)
        crowd[i] = client_login();
    return rc;
}

static int no_crowd(void **state)
{
    for (int i = 0; i < CROWD; i++)
        close(crowd[i]);
    return fixture_teardown(state);
}

static void drain(uint64_t over_ms)
{
    mass_kick_all(&fixture, &(struct mass_kick_plan){.code = CLOSE_GOING_AWAY,
                                                     .reason = "go",
                                                     .over_ms = over_ms,
                                                     .ask = note_asked});
}

static void sessions_are_asked_about_in_groups_at_the_rate(void **state)
{
    (void)state;
    drain(MASS_KICK_WHENEVER);
    step_for(95);
    assert_in_range(n_asked, 1, 2);
    step_for(20);
    assert_in_range(n_asked, 9, 13);
    assert_int_equal(fixture_counters[COMET_DRAIN_LEFT], CROWD);
    step_for(400);
    assert_int_equal(n_asked, CROWD);
    assert_int_equal(fixture_counters[COMET_KICKED_9], 0);
    answer_all();
    assert_int_equal(fixture_counters[COMET_KICKED_9], CROWD);
}

static void the_answer_is_in_operation_6_behind_code_and_reason(void **state)
{
    (void)state;
    char body[128];
    struct frame frame;
    drain(MASS_KICK_WHENEVER);
    step_for(600);
    answer_all();
    step_for(20);
    assert_int_equal(client_read_frame(crowd[0], &frame, body, sizeof body), OP_DISCONNECT);
    assert_string_equal(body, "{\"code\":9,\"reason\":\"go\",\"nodes\":[\"a:1\"]}");
}

static void who_has_no_answer_in_time_is_kicked_without_one(void **state)
{
    (void)state;
    char body[128];
    struct frame frame;
    drain(200);
    step_for(250);
    assert_true(n_asked > 0);
    assert_int_equal(fixture_counters[COMET_KICKED_9], CROWD);
    answer_all(); /* too late: nothing happens */
    assert_int_equal(client_read_frame(crowd[0], &frame, body, sizeof body), OP_DISCONNECT);
    assert_string_equal(body, "{\"code\":9,\"reason\":\"go\"}");
}

static void strangers_are_not_asked_about(void **state)
{
    (void)state;
    int stranger = client_connect(LISTENER_TCP);
    step_until(frontend_connections(&fixture) == CROWD + 1);
    drain(MASS_KICK_WHENEVER);
    step_for(100);
    assert_int_equal(fixture_counters[COMET_KICKED_9], 1);
    close(stranger);
}

static void a_stopped_drain_leaves_the_others_alone(void **state)
{
    (void)state;
    drain(MASS_KICK_WHENEVER);
    step_for(120);
    mass_kick_stop(&fixture);
    int told = n_asked;
    assert_in_range(told, 5, CROWD - 5);
    step_for(1000);
    assert_int_equal(n_asked, told);
    assert_int_equal(fixture_counters[COMET_DRAIN_LEFT], 0);
}

static void kick_all(uint64_t over_ms)
{
    mass_kick_all(&fixture, &(struct mass_kick_plan){.code = CLOSE_GOING_AWAY,
                                                     .reason = "server going away",
                                                     .over_ms = over_ms});
}

static void kick_all_tells_everybody(void **state)
{
    (void)state;
    enum { N = 20 };
    int fds[N];
    char body[128];
    struct frame frame;
    for (int i = 0; i < N; i++)
        fds[i] = i % 2 == 0 ? client_login() : client_connect(LISTENER_TCP);
    frontend_accept(&fixture, false);
    kick_all(0);
    step_for(20);
    for (int i = 0; i < N; i++) {
        assert_int_equal(client_read_frame(fds[i], &frame, body, sizeof body), OP_DISCONNECT);
        assert_string_equal(body, "{\"code\":9,\"reason\":\"server going away\"}");
        close(fds[i]);
    }
    step_until(frontend_connections(&fixture) == 0);
}

static int a_slow_crowd(void **state)
{
    (void)state;
    fixture_defaults();
    fixture_config.drain_rate = 10;
    fixture_config.linger_ms = 60000;
    int rc = fixture_open();
    for (int i = 0; rc == 0 && i < CROWD; i++) {
        crowd[i] = client_login();
        if (i % 2 == 0)
            room_join(&fixture, session_notes.last, "lobby", 5);
    }
    return rc;
}

static void kick_all_is_spread_over_the_time_there_is(void **state)
{
    (void)state;
    kick_all(2000);
    step_for(500);
    assert_in_range(fixture_counters[COMET_KICKED_9], 8, 12);
    step_for(1000);
    assert_in_range(fixture_counters[COMET_KICKED_9], 28, 32);
    step_for(600);
    assert_int_equal(fixture_counters[COMET_KICKED_9], CROWD);
}

static void kick_all_does_not_take_long_for_a_few(void **state)
{
    (void)state;
    kick_all(600000);
    step_for(2000);
    assert_in_range(fixture_counters[COMET_KICKED_9], 18, 22);
    step_for(2200);
    assert_int_equal(fixture_counters[COMET_KICKED_9], CROWD);
}

static void members_of_rooms_are_recalled_at_a_pace(void **state)
{
    (void)state;
    char body[256];
    struct frame frame;
    mass_kick_recall(&fixture, false, 1000);
    int later = client_login();
    room_join(&fixture, session_notes.last, "lobby", 5);
    step_for(500);
    assert_in_range(fixture_counters[COMET_ROOMS_MISSED], 8, 12);
    step_for(600);
    assert_int_equal(fixture_counters[COMET_ROOMS_MISSED], CROWD / 2);
    assert_int_equal(fixture_counters[COMET_KICKED_12], CROWD / 2);
    assert_int_equal(client_read_frame(crowd[0], &frame, body, sizeof body), OP_DISCONNECT);
    assert_string_equal(
        body, "{\"code\":12,\"reason\":\"messages to your room were missed here, connect again\"}");
    assert_int_equal(members_of("lobby"), 1);
    mass_kick_recall(&fixture, true, 0);
    step_for(50);
    assert_int_equal(fixture_counters[COMET_ROOMS_MISSED], CROWD + 1);
    close(later);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(sessions_are_asked_about_in_groups_at_the_rate, a_crowd,
                                        no_crowd),
        cmocka_unit_test_setup_teardown(the_answer_is_in_operation_6_behind_code_and_reason,
                                        a_crowd, no_crowd),
        cmocka_unit_test_setup_teardown(who_has_no_answer_in_time_is_kicked_without_one, a_crowd,
                                        no_crowd),
        cmocka_unit_test_setup_teardown(strangers_are_not_asked_about, a_crowd, no_crowd),
        cmocka_unit_test_setup_teardown(a_stopped_drain_leaves_the_others_alone, a_crowd, no_crowd),
        cmocka_unit_test_setup_teardown(kick_all_tells_everybody, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(kick_all_is_spread_over_the_time_there_is, a_slow_crowd,
                                        no_crowd),
        cmocka_unit_test_setup_teardown(kick_all_does_not_take_long_for_a_few, a_slow_crowd,
                                        no_crowd),
        cmocka_unit_test_setup_teardown(members_of_rooms_are_recalled_at_a_pace, a_slow_crowd,
                                        no_crowd),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
