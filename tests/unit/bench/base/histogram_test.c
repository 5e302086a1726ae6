#include "bench/base/histogram.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

static struct hist hist, other;

static int setup(void **state)
{
    (void)state;
    hist = other = (struct hist){0};
    return 0;
}

static void an_empty_one_has_no_quantiles(void **state)
{
    (void)state;
    assert_int_equal(hist_quantile(&hist, 0.5), 0);
}

static void every_value_is_told_to_3_percent(void **state)
{
    (void)state;
    for (uint64_t value = 1; value < UINT64_C(1) << HIST_TOP_BIT; value += value / 7 + 1) {
        hist = (struct hist){0};
        hist_record(&hist, value);
        hist_record(&hist, UINT64_C(1) << (HIST_TOP_BIT + 1)); /* max must not help */
        uint64_t told = hist_quantile(&hist, 0.5);
        assert_true(told >= value && told - value <= value / 32);
    }
}

static void too_large_values_count_in_the_last_bucket(void **state)
{
    (void)state;
    hist_record(&hist, UINT64_MAX);
    assert_int_equal(hist.buckets[HIST_BUCKETS - 1], 1);
    assert_true(hist.max == UINT64_MAX);
}

static void quantiles_split_where_they_say(void **state)
{
    (void)state;
    for (uint64_t i = 1; i <= 1000; i++)
        hist_record(&hist, i * 1000);
    assert_in_range(hist_quantile(&hist, 0.5), 500000, 516000);
    assert_in_range(hist_quantile(&hist, 0.99), 990000, 1000000);
    assert_int_equal(hist_quantile(&hist, 1.0), 1000000);
}

static void two_add_up(void **state)
{
    (void)state;
    hist_record(&hist, 10);
    hist_record(&other, 1000);
    hist_add(&hist, &other);
    assert_int_equal(hist.count, 2);
    assert_int_equal(hist.max, 1000);
    assert_int_equal(hist_quantile(&hist, 0.5), 10);
}

static void what_came_since_stands_alone(void **state)
{
    (void)state;
    hist_record(&hist, 1000000);
    other = hist;
    hist_record(&hist, 20);
    hist_record(&hist, 40);
    hist_since(&hist, &other);
    assert_int_equal(hist.count, 2);
    assert_in_range(hist_quantile(&hist, 1.0), 40, 41);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(an_empty_one_has_no_quantiles, setup),
        cmocka_unit_test_setup(every_value_is_told_to_3_percent, setup),
        cmocka_unit_test_setup(too_large_values_count_in_the_last_bucket, setup),
        cmocka_unit_test_setup(quantiles_split_where_they_say, setup),
        cmocka_unit_test_setup(two_add_up, setup),
        cmocka_unit_test_setup(what_came_since_stands_alone, setup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
