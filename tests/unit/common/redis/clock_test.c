/* What is believed of Redis's clock. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/time.h"
#include "common/protocol/message_id.h"
#include "common/redis/internal.h"

#include "tests/unit/lib/redis_fixture.h"

enum { SECOND = 1000000 };

static void a_clock_that_agrees_is_left_alone(void **state)
{
    (void)state;
    struct redis_clock clock = {.ahead_us = 500 * (int64_t)SECOND};
    /* Asked at 1.000 s, answered at 1.010 s, by Redis at some time between. */
    redis_clock_take(&clock, 1000000, 1010000, 501000000);
    assert_int_equal(clock.ahead_us, 500 * (int64_t)SECOND);
    redis_clock_take(&clock, 2000000, 2010000, 502010000);
    assert_int_equal(clock.ahead_us, 500 * (int64_t)SECOND);
    assert_true(clock.known);
}

static void one_that_is_proved_wrong_moves(void **state)
{
    (void)state;
    struct redis_clock clock = {.ahead_us = 500 * (int64_t)SECOND};
    /* Redis is 900 s behind what we believe. */
    redis_clock_take(&clock, 1000000, 1010000, 501005000 - 900 * (int64_t)SECOND);
    assert_int_equal(clock.ahead_us, 500000000 - 900 * (int64_t)SECOND);
    assert_true(clock.narrow > 0);
    /* A quicker answer narrows it down; a slow one tells nothing new. */
    redis_clock_take(&clock, 2000000, 2001000, 502002000 - 900 * (int64_t)SECOND);
    assert_int_equal(clock.ahead_us, 500001000 - 900 * (int64_t)SECOND);
    redis_clock_take(&clock, 3000000, 9000000, 505000000 - 900 * (int64_t)SECOND);
    assert_int_equal(clock.ahead_us, 500001000 - 900 * (int64_t)SECOND);
    /* And ahead. */
    redis_clock_take(&clock, 10000000, 10002000, 600010000);
    assert_int_equal(clock.ahead_us, 600010000 - 10001000);
}

static int64_t offset;
static int compared;

static void on_clock(struct redis *redis, int64_t offset_us, void *arg)
{
    (void)arg;
    assert_true(redis->clock.known);
    offset = offset_us;
    compared++;
}

static void it_is_known_once_up_and_asked_every_second(void **state)
{
    (void)state;
    struct redis_server server;
    struct fixture f;
    redis_server_start(&server, NULL);
    open_with(&f, &(struct redis_options){.servers = server.address, .clock_state = on_clock});
    assert_false(f.redis->clock.known);
    assert_in_range(redis_now_us(f.redis), time_unix_us() - SECOND, time_unix_us() + SECOND);
    assert_true(turn_until(&f, &f.ups, 1, SOON));
    assert_true(f.redis->clock.known);
    assert_int_equal(compared, 1);
    assert_true(llabs(offset) < SECOND);
    assert_true(llabs(redis_clock_offset_us(f.redis)) < SECOND);
    assert_true(turn_until(&f, &compared, 3, SOON));
    close_all(&f);
    redis_server_stop(&server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_clock_that_agrees_is_left_alone),
        cmocka_unit_test(one_that_is_proved_wrong_moves),
        cmocka_unit_test(it_is_known_once_up_and_asked_every_second),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
