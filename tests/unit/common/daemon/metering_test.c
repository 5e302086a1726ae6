/* Shares of a histogram's times; which refusals are of the last minutes. */
#include "common/base/mem.h"
#include "common/daemon/daemon.h"
#include "common/daemon/metering.h"
#include "proto/session.pb-c.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static int64_t counts[HISTOGRAM_BOUNDS + 1];

static int set_up(void **state)
{
    (void)state;
    for (size_t i = 0; i <= HISTOGRAM_BOUNDS; i++)
        counts[i] = 0;
    return 0;
}

static void nothing_took_no_time(void **state)
{
    (void)state;
    assert_int_equal(metering_percentile(counts, 99), 0);
}

static void times_are_spread_within_a_bucket(void **state)
{
    (void)state;
    counts[LE_10MS] = 100; /* from 5 ms on */
    assert_int_equal(metering_percentile(counts, 50), 7500);
    assert_int_equal(metering_percentile(counts, 99), 9950);
    assert_int_equal(metering_percentile(counts, 100), 10000);
    counts[LE_10US] = 100;
    assert_int_equal(metering_percentile(counts, 50), 10);
    assert_int_equal(metering_percentile(counts, 25), 5);
}

static void one_slow_one_among_a_hundred_is_left_out(void **state)
{
    (void)state;
    counts[LE_1MS] = 99;
    counts[LE_10S] = 1;
    assert_int_equal(metering_percentile(counts, 99), 1000);
    counts[LE_10S] = 2;
    assert_true(metering_percentile(counts, 99) > 5000000);
}

static void what_is_beyond_all_bounds_is_the_last_one(void **state)
{
    (void)state;
    counts[HISTOGRAM_BOUNDS] = 5;
    assert_int_equal(metering_percentile(counts, 99), 100000000);
}

static void many_do_not_overflow(void **state)
{
    (void)state;
    counts[LE_100S] = 1000000000;
    assert_in_range(metering_percentile(counts, 99), 99000000, 100000000);
}

/* --- refusals --- */

enum { REFUSED, TAKEN, ROWS, MINUTE_MS = 60000 };

static const struct metric_row rows[ROWS] = {
    {.name = "imc_x_refused_total",
     .labels = "reason=\"rate\"",
     .type = METRIC_COUNTER,
     .help = ""},
    {.name = "imc_x_taken_total", .type = METRIC_COUNTER, .help = ""},
};
static const struct daemon_spec spec = {.name = "x", .metrics = rows, .n_metrics = ROWS};

/* Looks at MINUTE, then says how many were refused lately, of WANTED in all. */
static uint64_t lately(struct metering *metering, uint64_t minute, uint64_t wanted)
{
    Imc__V1__ReportBatch batch;
    struct series_sample sample;
    struct arena arena;

    arena_init(&arena);
    imc__v1__report_batch__init(&batch);
    (void)metering_look(metering, minute * MINUTE_MS, &sample);
    metering_refusals(metering, &batch, &arena);
    assert_int_equal(batch.n_refusals, 1);
    assert_string_equal(batch.refusals[0]->name, "imc_x_refused_total{reason=\"rate\"}");
    assert_int_equal(batch.refusals[0]->total, wanted);
    uint64_t n = batch.refusals[0]->lately;
    arena_free(&arena);
    return n;
}

/* Five whole minutes and the one that goes on. */
static void refusals_are_lately_for_five_minutes(void **state)
{
    struct daemon daemon = {.spec = &spec};
    struct series_sample sample;
    struct metering metering;

    (void)state;
    daemon.metrics = metrics_open(rows, ROWS);
    _Atomic int64_t *counters = metrics_block(daemon.metrics);
    metering_init(&metering, &daemon);
    for (uint64_t minute = 100; minute < 110; minute++)
        (void)metering_look(&metering, minute * MINUTE_MS, &sample);
    metric_add(counters, REFUSED, 3);
    metric_add(counters, TAKEN, 9);
    assert_int_equal(lately(&metering, 109, 3), 3);
    metric_add(counters, REFUSED, 2);
    assert_int_equal(lately(&metering, 110, 5), 5); /* the two are of minute 109, too */
    metric_add(counters, REFUSED, 1);
    for (uint64_t minute = 111; minute < 115; minute++)
        assert_int_equal(lately(&metering, minute, 6), 6);
    assert_int_equal(lately(&metering, 115, 6), 1);
    assert_int_equal(lately(&metering, 116, 6), 0);
    metering_end(&metering);
    metrics_close(daemon.metrics);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(nothing_took_no_time, set_up),
        cmocka_unit_test_setup(times_are_spread_within_a_bucket, set_up),
        cmocka_unit_test_setup(one_slow_one_among_a_hundred_is_left_out, set_up),
        cmocka_unit_test_setup(what_is_beyond_all_bounds_is_the_last_one, set_up),
        cmocka_unit_test_setup(many_do_not_overflow, set_up),
        cmocka_unit_test(refusals_are_lately_for_five_minutes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
