#include "bench/check/ages.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

enum { PUSHES = 100000 };

static _Atomic uint64_t due_ns[PUSHES];
static struct hist hist;
static struct ages *ages;

static int setup(void **state)
{
    (void)state;
    for (size_t i = 0; i < PUSHES; i++)
        due_ns[i] = i;
    hist = (struct hist){0};
    ages = ages_new(due_ns, &hist);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    ages_free(ages);
    return 0;
}

static void each_number_of_a_run_has_its_age(void **state)
{
    (void)state;
    ages_add(ages, 10, 3);
    ages_flush(ages, 20);
    assert_int_equal(hist.count, 3);
    assert_int_equal(hist.buckets[9], 1);
    assert_int_equal(hist.max, 10);
    assert_int_equal(hist.buckets[8], 1);
    assert_int_equal(hist.buckets[10], 1);
}

static void runs_of_several_receivers_add_up(void **state)
{
    (void)state;
    ages_add(ages, 3, 3);
    ages_add(ages, 4, 4);
    ages_add(ages, 3, 1);
    ages_flush(ages, 10);
    assert_int_equal(hist.count, 8);
    assert_int_equal(hist.buckets[7], 2); /* number 3 */
    assert_int_equal(hist.buckets[6], 2);
    assert_int_equal(hist.buckets[5], 2);
    assert_int_equal(hist.buckets[4], 1);
    assert_int_equal(hist.buckets[3], 1);
}

static void a_flush_records_once(void **state)
{
    (void)state;
    ages_add(ages, 5, 2);
    ages_flush(ages, 10);
    ages_flush(ages, 10);
    assert_int_equal(hist.count, 2);
    ages_add(ages, 6, 1);
    ages_flush(ages, 10);
    assert_int_equal(hist.count, 3);
}

static void a_message_that_comes_early_has_no_age(void **state)
{
    (void)state;
    ages_add(ages, 9, 1);
    ages_flush(ages, 3);
    assert_int_equal(hist.count, 1);
    assert_int_equal(hist.buckets[0], 1);
}

static void long_runs_and_far_receivers_are_all_recorded(void **state)
{
    (void)state;
    ages_add(ages, 0, PUSHES - 1);
    ages_add(ages, 0, 1);
    ages_add(ages, PUSHES - 10, 5);
    ages_add(ages, 20, 30);
    ages_flush(ages, PUSHES);
    assert_int_equal(hist.count, PUSHES - 1 + 1 + 5 + 30);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(each_number_of_a_run_has_its_age, setup, teardown),
        cmocka_unit_test_setup_teardown(runs_of_several_receivers_add_up, setup, teardown),
        cmocka_unit_test_setup_teardown(a_flush_records_once, setup, teardown),
        cmocka_unit_test_setup_teardown(a_message_that_comes_early_has_no_age, setup, teardown),
        cmocka_unit_test_setup_teardown(long_runs_and_far_receivers_are_all_recorded, setup,
                                        teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
