/* Pushes to rooms within a minute: whole steps, the most first, and no more rooms than fit. */
#include "logic/base/recent.h"
#include "logic/push/room_rates.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum { STEP = ROOM_RATES_STEP_MS, NOW = 100 * STEP };

static struct room_rate top[ROOM_RATES_MOST];

static int set_up(void **state)
{
    *state = room_rates_new();
    return 0;
}

static int tear_down(void **state)
{
    room_rates_free(*state);
    return 0;
}

static void steps_are_counted_and_forgotten(void **state)
{
    struct recent recent = {0};

    (void)state;
    recent_add(&recent, 0, 1);
    recent_add(&recent, 3, 2);
    recent_add(&recent, 3, 3);
    assert_int_equal(recent_count(&recent, 3, 1), 5);
    assert_int_equal(recent_count(&recent, 3, 8), 6);
    assert_int_equal(recent_count(&recent, 5, 2), 0);
    recent_add(&recent, 11, 1); /* the steps up to 3 are over */
    assert_int_equal(recent_count(&recent, 11, RECENT_STEPS), 1);
    recent_add(&recent, 1000000, 4);
    assert_int_equal(recent_count(&recent, 1000000, RECENT_STEPS), 4);
    recent_add(&recent, 999999, 1); /* a clock that went back counts as now */
    assert_int_equal(recent_count(&recent, 1000000, 1), 5);
    assert_int_equal(recent.total, 12);
}

static void a_minute_is_whole_steps(void **state)
{
    room_rates_count(*state, "a", NOW);
    assert_int_equal(room_rates_top(*state, NOW + STEP - 1, top, 10), 0);
    assert_int_equal(room_rates_top(*state, NOW + STEP, top, 10), 1);
    assert_int_equal(top[0].pushes, 1);
    assert_int_equal(room_rates_top(*state, NOW + ROOM_RATES_STEPS * STEP, top, 10), 1);
    assert_int_equal(room_rates_top(*state, NOW + (ROOM_RATES_STEPS + 1) * STEP, top, 10), 0);
}

static void those_with_the_most_come_first(void **state)
{
    for (int i = 0; i < 3; i++)
        room_rates_count(*state, "live://b", NOW);
    room_rates_count(*state, "a", NOW);
    for (int i = 0; i < 2; i++)
        room_rates_count(*state, "c", NOW);
    assert_int_equal(room_rates_top(*state, NOW + STEP, top, 2), 2);
    assert_string_equal(top[0].room, "live://b");
    assert_int_equal(top[0].pushes, 3);
    assert_string_equal(top[1].room, "c");
}

static void the_room_without_pushes_gives_way(void **state)
{
    char name[32];

    room_rates_count(*state, "old", NOW);
    room_rates_count(*state, "kept", NOW);
    for (int i = 0; i < ROOM_RATES_MOST - 1; i++) {
        (void)snprintf(name, sizeof name, "%d", i);
        room_rates_count(*state, name, NOW);
        room_rates_count(*state, "kept", NOW);
    }
    size_t n = room_rates_top(*state, NOW + STEP, top, ROOM_RATES_MOST);
    assert_int_equal(n, ROOM_RATES_MOST);
    assert_string_equal(top[0].room, "kept");
    for (size_t i = 0; i < n; i++)
        assert_string_not_equal(top[i].room, "old");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(steps_are_counted_and_forgotten),
        cmocka_unit_test_setup_teardown(a_minute_is_whole_steps, set_up, tear_down),
        cmocka_unit_test_setup_teardown(those_with_the_most_come_first, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_room_without_pushes_gives_way, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
