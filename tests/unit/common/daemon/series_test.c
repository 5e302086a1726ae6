/* The ring of an hour. */
#include "common/base/mem.h"
#include "common/daemon/series.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

static void put(struct series *series, uint64_t slot, int64_t value)
{
    struct series_sample sample = {.slot = slot, .values = {value}};

    series_put(series, &sample);
}

static struct series *ring(void **state)
{
    struct series *series = mem_zalloc(sizeof *series);

    *state = series;
    return series;
}

static int end(void **state)
{
    free(*state);
    return 0;
}

static void it_is_empty_at_first(void **state)
{
    const struct series *series = ring(state);

    assert_null(series_at(series, 0));
    assert_null(series_at(series, 1));
    assert_null(series_after(series, 0));
}

static void slots_come_in_order_and_gaps_are_left_out(void **state)
{
    struct series *series = ring(state);

    put(series, 1000, 1);
    put(series, 1001, 2);
    put(series, 1004, 3);
    assert_int_equal(series_after(series, 0)->slot, 1000);
    assert_int_equal(series_after(series, 1000)->slot, 1001);
    assert_int_equal(series_after(series, 1001)->slot, 1004);
    assert_null(series_after(series, 1004));
    assert_null(series_at(series, 1002));
    assert_int_equal(series_at(series, 1004)->values[0], 3);
}

static void an_hour_is_kept_and_no_more(void **state)
{
    struct series *series = ring(state);

    for (uint64_t slot = 1; slot <= SERIES_SLOTS + 5; slot++)
        put(series, slot, (int64_t)slot);
    assert_null(series_at(series, 5));
    assert_int_equal(series_at(series, 6)->values[0], 6);
    assert_int_equal(series_after(series, 0)->slot, 6);
}

static void what_is_older_than_the_ring_is_not_taken(void **state)
{
    struct series *series = ring(state);

    put(series, 10000, 1);
    put(series, 10000 - SERIES_SLOTS, 2);
    assert_null(series_at(series, 10000 - SERIES_SLOTS));
    assert_int_equal(series_at(series, 10000)->values[0], 1);
    put(series, 10001 - SERIES_SLOTS, 3); /* the oldest that fits */
    assert_int_equal(series_at(series, 10001 - SERIES_SLOTS)->values[0], 3);
    assert_int_equal(series->last, 10000);
    put(series, 0, 4);
    assert_null(series_at(series, 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(it_is_empty_at_first, end),
        cmocka_unit_test_teardown(slots_come_in_order_and_gaps_are_left_out, end),
        cmocka_unit_test_teardown(an_hour_is_kept_and_no_more, end),
        cmocka_unit_test_teardown(what_is_older_than_the_ring_is_not_taken, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
