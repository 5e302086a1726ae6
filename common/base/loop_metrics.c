#include "common/base/loop_metrics.h"
#include "common/base/time.h"

enum { LAG_EVERY_MS = 100 };

const struct metric_row loop_metric_rows[LOOP_METRIC_ROWS] = {LOOP_METRICS(METRIC_ROW_H)};

static void lag_try(struct loop *loop);

/* A timer that is due at no particular moment of a turn waits for the turn's end, as anything else
 * does that comes meanwhile. So this is time that others waited, however many turns there were. */
static void on_lag(uv_timer_t *timer)
{
    struct loop *loop = container_of(timer, struct loop, lag);

    loop_observe(loop, LOOP_LAG, time_mono_us() - loop->lag_due_us);
    lag_try(loop);
}

static void lag_try(struct loop *loop)
{
    loop->lag_due_us = time_mono_us() + LAG_EVERY_MS * 1000;
    uv_timer_start(&loop->lag, on_lag, LAG_EVERY_MS, 0);
}

void loop_measure(struct loop *loop, _Atomic int64_t *block)
{
    loop_assert_owner(loop);
    assert(loop->metrics == NULL);
    loop->metrics = block;
    uv_timer_init(&loop->uv, &loop->lag);
    lag_try(loop);
}
