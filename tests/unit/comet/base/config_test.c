/* Settings of comet that contradict each other. */
#include "comet/base/config.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static char none[] = "";

static void a_burst_has_room_for_the_longest_message(void **state)
{
    struct comet_config config = {
        .tcps_listen = none,
        .wss_listen = none,
        .handshake_ms = 5000,
        .connect_ms = 4000,
        .max_body = 4096,
        .bytes_per_second = 1000,
    };
    char err[512] = "";

    (void)state;
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
    struct comet_config config = {
        .tcps_listen = none, .wss_listen = none, .handshake_ms = 3999, .connect_ms = 4000};
    char err[512] = "";

    (void)state;
    assert_int_equal(comet_config_check(&config, err, sizeof err), -EINVAL);
    assert_non_null(strstr(err, "conn.handshake_timeout"));
    config.handshake_ms = 4000;
    assert_int_equal(comet_config_check(&config, err, sizeof err), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_burst_has_room_for_the_longest_message),
        cmocka_unit_test(a_handshake_takes_no_less_than_logic_may),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
