/* Token buckets of 4 bytes. */
#include "common/base/rate.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static int taken(const struct rate_limit *limit, uint32_t *full, uint64_t now_ms, int tries)
{
    int n = 0;

    for (int i = 0; i < tries; i++)
        n += rate_take(limit, full, now_ms, 1);
    return n;
}

static void a_burst_then_so_many_a_second(void **state)
{
    struct rate_limit limit = rate_limit(100, 500);
    uint32_t full = rate_full(1000);

    (void)state;
    assert_int_equal(taken(&limit, &full, 1000, 1000), 500);
    assert_int_equal(taken(&limit, &full, 1009, 10), 0);
    assert_int_equal(taken(&limit, &full, 1010, 10), 1);
    assert_int_equal(taken(&limit, &full, 2010, 1000), 100);
    assert_int_equal(taken(&limit, &full, 60000, 1000), 500); /* never more than the burst */
}

static void several_are_taken_whole_or_not_at_all(void **state)
{
    struct rate_limit limit = rate_limit(1000, 5000);
    uint32_t full = rate_full(7);

    (void)state;
    assert_false(rate_take(&limit, &full, 7, 5001));
    assert_true(rate_take(&limit, &full, 7, 4999));
    assert_false(rate_take(&limit, &full, 7, 2));
    assert_true(rate_take(&limit, &full, 7, 1));
    assert_false(rate_take(&limit, &full, 7, UINT32_MAX));
}

static void what_is_given_back_can_be_taken_again(void **state)
{
    struct rate_limit limit = rate_limit(100, 5);
    uint32_t full = rate_full(1000);

    (void)state;
    rate_give_back(&limit, &full, 1000, 1); /* a full bucket stays full */
    assert_int_equal(taken(&limit, &full, 1000, 10), 5);
    rate_give_back(&limit, &full, 1000, 2);
    assert_int_equal(taken(&limit, &full, 1000, 10), 2);
    for (int i = 0; i < 1000; i++) {
        rate_give_back(&limit, &full, 1000, 1);
        assert_true(rate_take(&limit, &full, 1000, 1));
    }
    assert_false(rate_take(&limit, &full, 1000, 1));
}

static void no_limit_is_none(void **state)
{
    struct rate_limit limit = rate_limit(0, 1);
    uint32_t full = rate_full(7);

    (void)state;
    assert_int_equal(taken(&limit, &full, 7, 100000), 100000);
    assert_int_equal(full, rate_full(7));
}

/* Whatever rest of a former life is in the bucket, and wherever the time stands. */
static void time_wraps(void **state)
{
    struct rate_limit limit = rate_limit(100, 500);
    const uint64_t wrap_ms = UINT64_C(0x100000000) / 1000;

    (void)state;
    for (uint64_t now = wrap_ms - 3000; now < wrap_ms + 3000; now += 100) {
        uint32_t full = rate_full(now);
        assert_int_equal(taken(&limit, &full, now, 1000), 500);
        assert_int_equal(taken(&limit, &full, now + 1000, 1000), 100);
    }
    uint32_t full = rate_full(1000);
    assert_int_equal(taken(&limit, &full, 1000, 1000), 500);
    assert_int_equal(taken(&limit, &full, 1000 + 40 * 60 * 1000, 1000), 500); /* 40 min later */
    assert_int_equal(taken(&limit, &full, 1000 + 24 * 3600 * 1000, 1000), 500);
}

static void odd_limits_are_no_more_than_they_say(void **state)
{
    struct rate_limit limit = rate_limit(3, 2);
    uint32_t full = rate_full(0);
    int n = 0;

    (void)state;
    for (uint64_t now = 0; now <= 100000; now++)
        n += rate_take(&limit, &full, now, 1);
    assert_in_range(n, 299, 2 + 300);
    limit = rate_limit(1, INT64_MAX); /* an hour's worth at most */
    assert_int_equal(limit.room, RATE_FILL_S_MAX * (int64_t)RATE_SECOND);
    limit = rate_limit(INT64_MAX, INT64_MAX);
    full = rate_full(0);
    assert_true(rate_take(&limit, &full, 0, 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_burst_then_so_many_a_second),
        cmocka_unit_test(several_are_taken_whole_or_not_at_all),
        cmocka_unit_test(what_is_given_back_can_be_taken_again),
        cmocka_unit_test(no_limit_is_none),
        cmocka_unit_test(time_wraps),
        cmocka_unit_test(odd_limits_are_no_more_than_they_say),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
