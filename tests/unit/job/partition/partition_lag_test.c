/* How late messages are read is told however they are fetched, and never after they were. */
#include "job/partition/partition_lag.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

enum { UNIX = 1000000 }; /* ahead of the other clock */

static struct partition_lag lag;
static uint64_t now;

static int setup(void **state)
{
    (void)state;
    now = 50000;
    partition_lag_begin(&lag, now);
    now += 100000;
    return 0;
}

static int64_t unix_now(void)
{
    return (int64_t)now + UNIX;
}

static void read_aged(int64_t age)
{
    partition_lag_read(&lag, unix_now() - age, unix_now());
}

static int64_t look(bool waiting)
{
    return partition_lag_look(&lag, waiting, now, unix_now());
}

static void nothing_read_and_nothing_waiting_is_not_late(void **state)
{
    (void)state;
    assert_int_equal(look(false), 0);
    now += 10000;
    assert_int_equal(look(false), 0);
}

/* We stood still, or the brokers did: one fetch brings all that has come meanwhile. */
static void each_fetch_reaches_the_end(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++) {
        now += 4000;
        read_aged(4000);
        read_aged(1500);
        read_aged(3);
        assert_int_equal(look(false), 4000);
    }
    now += 100;
    assert_int_equal(look(false), 0); /* that is over */
}

static void something_waits_at_each_look(void **state)
{
    (void)state;
    for (int i = 0; i < 50; i++) {
        now += 100;
        read_aged(7);
        assert_int_equal(look(true), 7);
    }
}

static void further_behind_with_each_look(void **state)
{
    (void)state;
    for (int64_t age = 100; age < 5000; age += 50) {
        now += 100;
        read_aged(age);
        assert_int_equal(look(true), age);
    }
}

static void nothing_is_read_although_something_waits(void **state)
{
    (void)state;
    read_aged(5);
    assert_int_equal(look(false), 5);
    for (int i = 1; i < 30; i++) {
        now += 100;
        assert_int_equal(look(true), 100 * i);
    }
}

static void what_was_read_before_a_pause_does_not_count_after_it(void **state)
{
    (void)state;
    read_aged(5);
    (void)look(false);
    now += 3600000;
    assert_int_equal(look(false), 0);
    now += 100;
    assert_int_equal(look(true), 100);
}

static void what_is_read_once_more_is_not_late_for_as_long_as_it_is_old(void **state)
{
    (void)state;
    partition_lag_begin(&lag, now);
    now += 200;
    read_aged(3600000);
    assert_int_equal(look(true), 200);
    now += 200;
    read_aged(300);
    assert_int_equal(look(true), 300);
}

static void a_clock_behind_that_of_the_messages_makes_nothing_negative(void **state)
{
    (void)state;
    read_aged(-2000);
    assert_int_equal(look(false), 0);
    read_aged(-2000);
    now += 100;
    assert_int_equal(look(true), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(nothing_read_and_nothing_waiting_is_not_late, setup),
        cmocka_unit_test_setup(each_fetch_reaches_the_end, setup),
        cmocka_unit_test_setup(something_waits_at_each_look, setup),
        cmocka_unit_test_setup(further_behind_with_each_look, setup),
        cmocka_unit_test_setup(nothing_is_read_although_something_waits, setup),
        cmocka_unit_test_setup(what_was_read_before_a_pause_does_not_count_after_it, setup),
        cmocka_unit_test_setup(what_is_read_once_more_is_not_late_for_as_long_as_it_is_old, setup),
        cmocka_unit_test_setup(a_clock_behind_that_of_the_messages_makes_nothing_negative, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
