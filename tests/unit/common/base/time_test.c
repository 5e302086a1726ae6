#include "common/base/random.h"
#include "common/base/time.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void clocks_tell_what_they_are_for(void **state)
{
    (void)state;
    assert_in_range(time_unix_ms(), 1577836800000, 4102444800000); /* 2020 to 2100 */
    assert_in_range(time_unix_us() / 1000 - time_unix_ms() + 10000, 0, 20000);
    int64_t mono_ms = time_mono_ms(), boot_us = time_boot_us();
    assert_true(time_mono_ms() >= mono_ms);
    assert_true(time_boot_us() >= boot_us);
}

static void a_time_to_come_is_a_whole_timespec(void **state)
{
    (void)state;
    for (uint64_t ms = 0; ms < 3000; ms += 7) {
        struct timespec before, until = time_in(CLOCK_MONOTONIC, ms), after;
        clock_gettime(CLOCK_MONOTONIC, &after);
        before = time_in(CLOCK_MONOTONIC, 0);
        assert_in_range(until.tv_nsec, 0, 999999999);
        int64_t ahead_ns =
            (int64_t)(until.tv_sec - after.tv_sec) * 1000000000 + until.tv_nsec - after.tv_nsec;
        assert_true(ahead_ns <= (int64_t)ms * 1000000);
        assert_true(before.tv_sec >= after.tv_sec);
    }
}

static void random_numbers_differ(void **state)
{
    (void)state;
    uint8_t a[16] = {0}, b[16] = {0}, none[16] = {0};

    assert_true(random_number() != random_number());
    random_wait(a, sizeof a);
    assert_true(random_try(b, sizeof b));
    assert_memory_not_equal(a, b, sizeof a);
    assert_memory_not_equal(a, none, sizeof a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(clocks_tell_what_they_are_for),
        cmocka_unit_test(a_time_to_come_is_a_whole_timespec),
        cmocka_unit_test(random_numbers_differ),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
