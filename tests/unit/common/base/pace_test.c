/* How often something may happen. */
#include "common/base/pace.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

/* How many happen between FROM and TO if there is always one that waits. */
static unsigned happen(struct pace *pace, uint64_t from, uint64_t to)
{
    unsigned n = 0;

    for (uint64_t now = from; now < to; now++) {
        while (pace_wait(pace, now) == 0 && n < 1000000) {
            pace_spend(pace, now);
            n++;
        }
    }
    return n;
}

static void rare_things_happen_at_once(void **state)
{
    struct pace pace = {.period_ms = 5, .burst = 3};

    (void)state;
    for (uint64_t now = 1000; now < 2000; now += 5) {
        assert_int_equal(pace_wait(&pace, now), 0);
        pace_spend(&pace, now);
    }
}

static void a_burst_and_then_one_per_period(void **state)
{
    struct pace pace = {.period_ms = 5, .burst = 3};

    (void)state;
    assert_int_equal(happen(&pace, 1000, 1001), 3);
    assert_int_equal(pace_wait(&pace, 1000), 5);
    assert_int_equal(pace_wait(&pace, 1003), 2);
    assert_int_equal(happen(&pace, 1001, 2001), 200);
    assert_int_equal(happen(&pace, 5000, 5001), 3); /* a pause gives no more than that */
}

static void one_at_a_time(void **state)
{
    struct pace pace = {.period_ms = 10, .burst = 1};

    (void)state;
    assert_int_equal(happen(&pace, 0, 1), 1);
    assert_int_equal(pace_wait(&pace, 1), 9);
    assert_int_equal(happen(&pace, 1, 101), 10);
}

static void no_period_is_no_limit(void **state)
{
    struct pace pace = {.burst = 1};

    (void)state;
    for (int i = 0; i < 1000; i++) {
        assert_int_equal(pace_wait(&pace, 7), 0);
        pace_spend(&pace, 7);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rare_things_happen_at_once),
        cmocka_unit_test(a_burst_and_then_one_per_period),
        cmocka_unit_test(one_at_a_time),
        cmocka_unit_test(no_period_is_no_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
