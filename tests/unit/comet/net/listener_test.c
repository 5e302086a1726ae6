/* When clients are not accepted: while listeners rest, and while a crowd waits to be admitted. */
#include "tests/unit/lib/frontend_fixture.h"

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

/* Connects to the TCP listener, whether somebody accepts or not. A socket or -E…. */
static int reach(int port)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_true(fd >= 0);
    if (connect(fd, (struct sockaddr *)&to, sizeof to) == 0)
        return fd;
    int rc = -errno;
    close(fd);
    return rc;
}

static void listeners_that_rest_refuse_and_accept_again(void **state)
{
    (void)state;
    int port = listeners_port(fixture.frontend, LISTENER_TCP);
    frontend_rest(&fixture);
    step_for(10);
    assert_int_equal(reach(port), -ECONNREFUSED);
    frontend_accept(&fixture, true);
    assert_int_equal(listeners_port(fixture.frontend, LISTENER_TCP), port);
    int fd = reach(port);
    assert_true(fd >= 0);
    step_until(frontend_connections(&fixture) == 1);
    close(fd);
    frontend_rest(&fixture);
    frontend_accept(&fixture, false);
    step_for(10);
    assert_int_equal(reach(port), -ECONNREFUSED);
}

static void nobody_is_accepted_while_a_crowd_waits(void **state)
{
    (void)state;
    fixture.connects_waiting = (size_t)fixture_config.logic_connects;
    int fd = reach(listeners_port(fixture.frontend, LISTENER_TCP));
    assert_true(fd >= 0);
    step_for(50);
    assert_int_equal(frontend_connections(&fixture), 0);
    assert_in_range(fixture_counters[COMET_CROWDED], 5, 50); /* it pauses, and looks again */
    fixture.connects_waiting--;
    step_for(5);
    assert_int_equal(frontend_connections(&fixture), 1);
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(listeners_that_rest_refuse_and_accept_again, on_a_set_port,
                                        fixture_teardown),
        cmocka_unit_test_setup_teardown(nobody_is_accepted_while_a_crowd_waits, fixture_setup,
                                        fixture_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
