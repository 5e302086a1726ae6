#include "common/base/loop_metrics.h"
#include "tests/unit/lib/clock.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
/* cmocka wants these first */
#include <cmocka.h>

#include "tests/unit/lib/observed.h"

static int64_t slower_than(struct metrics *metrics, enum histogram_bound bound)
{
    int64_t count = 0;
    for (unsigned i = bound + 1; i <= HISTOGRAM_BOUNDS; i++)
        count += metrics_sum(metrics, LOOP_LAG + i);
    return count;
}

static void hold_up(struct loop *loop, struct loop_task *task)
{
    (void)loop, (void)task;
    clock_move(1200);
}

static void turns(struct loop *loop, int ms)
{
    for (uint64_t until = loop_now_ms(loop) + (uint64_t)ms; loop_now_ms(loop) < until;)
        uv_run(&loop->uv, UV_RUN_ONCE);
}

/* A second in which nothing is late, then a turn that takes a second. */
static void test_lag_is_how_long_others_wait(void **state)
{
    struct metrics *metrics = metrics_open(loop_metric_rows, LOOP_METRIC_ROWS);
    struct loop_task task = {.run = hold_up};
    struct loop loop;
    (void)state;
    clock_take();
    assert_int_equal(loop_init(&loop, "test", 0), 0);
    loop_measure(&loop, metrics_block(metrics));
    turns(&loop, 1000);
    assert_in_range(observed(metrics, LOOP_LAG), 9, 11);
    assert_int_equal(slower_than(metrics, LE_10MS), 0);
    loop_defer(&loop, &task);
    turns(&loop, 1300);
    assert_int_equal(slower_than(metrics, LE_1S), 1);
    assert_int_equal(slower_than(metrics, LE_10MS), 1);
    loop_close(&loop);
    metrics_close(metrics);
}

static void test_a_loop_need_not_be_measured(void **state)
{
    struct loop loop;
    (void)state;
    assert_int_equal(loop_init(&loop, "test", 0), 0);
    loop_observe(&loop, LOOP_REDIS, 5);
    loop_close(&loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lag_is_how_long_others_wait),
        cmocka_unit_test(test_a_loop_need_not_be_measured),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
