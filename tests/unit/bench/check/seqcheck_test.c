#include "bench/check/seqcheck.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static struct seqcheck check;

static int setup(void **state)
{
    (void)state;
    seqcheck_init(&check, 0);
    return 0;
}

static void order_is_fine(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < 200; i++)
        assert_int_equal(seqcheck_take(&check, i), SEQ_NEXT);
}

static void a_stream_starts_at_0(void **state)
{
    (void)state;
    assert_int_equal(seqcheck_take(&check, 1), SEQ_GAP);
    assert_int_equal(seqcheck_take(&check, 0), SEQ_LATE);
    assert_int_equal(seqcheck_take(&check, 0), SEQ_TWICE);
    assert_int_equal(seqcheck_take(&check, 2), SEQ_NEXT);
}

static void a_joiner_starts_anywhere(void **state)
{
    (void)state;
    seqcheck_init(&check, 1);
    assert_int_equal(seqcheck_take(&check, 70), SEQ_NEXT);
    assert_int_equal(seqcheck_take(&check, 71), SEQ_NEXT);
    assert_int_equal(seqcheck_take(&check, 71), SEQ_TWICE);
    assert_int_equal(seqcheck_take(&check, 69), SEQ_LATE);
    assert_int_equal(seqcheck_take(&check, 73), SEQ_GAP);
}

static void what_is_late_is_told_from_what_comes_twice(void **state)
{
    (void)state;
    assert_int_equal(seqcheck_take(&check, 0), SEQ_NEXT);
    assert_int_equal(seqcheck_take(&check, 5), SEQ_GAP);
    assert_int_equal(seqcheck_take(&check, 3), SEQ_LATE);
    assert_int_equal(seqcheck_take(&check, 3), SEQ_TWICE);
    assert_int_equal(seqcheck_take(&check, 5), SEQ_TWICE);
    assert_int_equal(seqcheck_take(&check, 0), SEQ_TWICE);
    assert_int_equal(seqcheck_take(&check, 6), SEQ_NEXT);
    assert_int_equal(seqcheck_take(&check, 4), SEQ_LATE);
    assert_int_equal(check.taken, 5); /* 0 5 3 6 4 */
}

static void the_window_has_an_end(void **state)
{
    (void)state;
    assert_int_equal(seqcheck_take(&check, 64), SEQ_GAP);
    assert_int_equal(seqcheck_take(&check, 1), SEQ_LATE);
    assert_int_equal(seqcheck_take(&check, 0), SEQ_TWICE); /* 64 back: cannot be told any more */
    assert_int_equal(seqcheck_take(&check, 1000), SEQ_GAP);
    assert_int_equal(seqcheck_take(&check, 999), SEQ_LATE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(order_is_fine, setup),
        cmocka_unit_test_setup(a_stream_starts_at_0, setup),
        cmocka_unit_test_setup(a_joiner_starts_anywhere, setup),
        cmocka_unit_test_setup(what_is_late_is_told_from_what_comes_twice, setup),
        cmocka_unit_test_setup(the_window_has_an_end, setup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
