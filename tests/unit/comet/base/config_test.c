/* Settings of comet that contradict each other. */
#include "comet/base/config.h"
#include "common/config/config.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static struct comet_config config;
static const struct config_row *const tables[] = {comet_config_rows, NULL};

static int setup(void **state)
{
    char err[512] = "";

    (void)state;
    assert_int_equal(config_load(tables, "comet", NULL, &config, err, sizeof err), 0);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    config_free(tables, &config);
    return 0;
}

static void a_burst_has_room_for_the_longest_message(void **state)
{
    char err[512] = "";

    (void)state;
    config.max_body = 4096;
    config.bytes_per_second = 1000;
    config.bytes_burst = 4 * 4096 + 2048;
    assert_int_equal(comet_config_check(&config, err, sizeof err), 0);
    config.bytes_burst--;
    assert_int_equal(comet_config_check(&config, err, sizeof err), -EINVAL);
    assert_non_null(strstr(err, "session.bytes_burst (18431)"));
    assert_non_null(strstr(err, "conn.max_body"));
    config.bytes_per_second = 0; /* any number */
    assert_int_equal(comet_config_check(&config, err, sizeof err), 0);
}

static void a_handshake_takes_no_less_than_logic_may(void **state)
{
    char err[512] = "";

    (void)state;
    config.connect_ms = 4000;
    config.handshake_ms = 3999;
    assert_int_equal(comet_config_check(&config, err, sizeof err), -EINVAL);
    assert_non_null(strstr(err, "conn.handshake_timeout"));
    config.handshake_ms = 4000;
    assert_int_equal(comet_config_check(&config, err, sizeof err), 0);
}

static void some_client_can_connect(void **state)
{
    char err[512] = "";

    (void)state;
    config.ws_listen[0] = '\0';
    assert_int_equal(comet_config_check(&config, err, sizeof err), 0);
    config.tcp_listen[0] = '\0';
    assert_int_equal(comet_config_check(&config, err, sizeof err), -EINVAL);
    assert_non_null(strstr(err, "no client can connect"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_burst_has_room_for_the_longest_message, setup, teardown),
        cmocka_unit_test_setup_teardown(a_handshake_takes_no_less_than_logic_may, setup, teardown),
        cmocka_unit_test_setup_teardown(some_client_can_connect, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
