/* Sending everybody away: groups, pace, answers; listeners that rest meanwhile. */
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

/* A port that is set, as in a cluster: one that the system has chosen is lost when nobody listens.
 */
static int on_a_set_port(void **state)
{
    (void)state;
    static char address[32];
    struct sockaddr_in free = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof free;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&free, len), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&free, &len), 0);
    close(fd);
    (void)snprintf(address, sizeof address, "127.0.0.1:%d", ntohs(free.sin_port));
    fixture_defaults();
    fixture_config.tcp_listen = address;
    return fixture_open();
}

/* Connects to the TCP listener, whether somebody accepts or not. */
static int connects(int port)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_true(fd >= 0);
    int rc = connect(fd, (struct sockaddr *)&to, sizeof to) == 0 ? 0 : -errno;
    close(fd);
    return rc;
}

static void listeners_that_rest_refuse_and_accept_again(void **state)
{
    (void)state;
    int port = listeners_port(fixture.frontend, LISTENER_TCP);
    frontend_rest(&fixture);
    step_for(10);
    assert_int_equal(connects(port), -ECONNREFUSED);
    frontend_accept(&fixture, true);
    assert_int_equal(listeners_port(fixture.frontend, LISTENER_TCP), port);
    assert_int_equal(connects(port), 0);
    int fd = client_login();
    close(fd);
    frontend_rest(&fixture);
    frontend_accept(&fixture, false);
    step_for(10);
    assert_int_equal(connects(port), -ECONNREFUSED);
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
        cmocka_unit_test_setup_teardown(listeners_that_rest_refuse_and_accept_again, on_a_set_port,
                                        fixture_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
