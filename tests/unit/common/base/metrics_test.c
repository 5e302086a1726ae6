#include "common/base/exposition.h"
#include "common/base/metrics.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
/* cmocka wants these first */
#include <cmocka.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/lib/observed.h"

#define TEST_METRICS(X)                                                               \
    X(WRITES, "imc_test_writes_total", NULL, METRIC_COUNTER, "Writes.")               \
    X(DROP_SLOW, "imc_test_drops_total", "reason=\"slow\"", METRIC_COUNTER, "Drops.") \
    X(DROP_FULL, "imc_test_drops_total", "reason=\"full\"", METRIC_COUNTER, "")       \
    X(SESSIONS, "imc_test_sessions", NULL, METRIC_GAUGE, "Sessions.")

enum {
#define X(id, ...) id,
    TEST_METRICS(X)
#undef X
        COUNT
};

static const struct metric_row rows[COUNT] = {TEST_METRICS(METRIC_ROW)};

/* Histograms among others. */
#define TIMED_METRICS(X, H)                                                           \
    X(ASKED, "imc_test_asked_total", NULL, METRIC_COUNTER, "Asked.")                  \
    H(TOOK_A, "imc_test_took_seconds", "to=\"a\"", LE_1MS, LE_5MS, "Took \\ \"it\".") \
    H(TOOK_B, "imc_test_took_seconds", "to=\"b\"", LE_1MS, LE_5MS, "")                \
    X(WAITED, "imc_test_waited_seconds_total", NULL, METRIC_COUNTER_MILLI, "Waited.") \
    H(LAG, "imc_test_lag_seconds", NULL, LE_500MS, LE_1S, "Lag.")                     \
    X(FULL, "imc_test_full_ratio", NULL, METRIC_GAUGE_MILLI, "Full.")

enum {
#define X(id, ...) id,
#define H(id, ...) id, id##_LAST = id + HISTOGRAM_SLOTS - 1,
    TIMED_METRICS(X, H)
#undef X
#undef H
};

enum { TIMED_ROWS = 0 TIMED_METRICS(METRIC_ONE, METRIC_ONE) };
static const struct metric_row timed_rows[TIMED_ROWS] = {TIMED_METRICS(METRIC_ROW, METRIC_ROW_H)};

static char *render_as(struct metrics *metrics, bool openmetrics)
{
    char *text = NULL;
    size_t len;
    struct exposition to = {.out = open_memstream(&text, &len), .openmetrics = openmetrics};
    metrics_render(metrics, &to);
    exposition_end(&to);
    fclose(to.out);
    return text;
}

static char *render(struct metrics *metrics)
{
    return render_as(metrics, false);
}

static void test_render_sums_blocks(void **state)
{
    struct metrics *metrics = metrics_open(rows, COUNT);
    _Atomic int64_t *a = metrics_block(metrics), *b = metrics_block(metrics);
    (void)state;
    metric_add(a, WRITES, 3);
    metric_add(b, WRITES, 4);
    metric_add(b, DROP_FULL, 1);
    metric_set(a, SESSIONS, 10);
    metric_set(b, SESSIONS, 20);
    metric_set(b, SESSIONS, 5);
    assert_int_equal(metrics_sum(metrics, WRITES), 7);
    assert_int_equal(metrics_sum(metrics, SESSIONS), 15);
    char *text = render(metrics);
    assert_string_equal(
        text, "# HELP imc_test_writes_total Writes.\n# TYPE imc_test_writes_total counter\n"
              "imc_test_writes_total 7\n"
              "# HELP imc_test_drops_total Drops.\n# TYPE imc_test_drops_total counter\n"
              "imc_test_drops_total{reason=\"slow\"} 0\nimc_test_drops_total{reason=\"full\"} 1\n"
              "# HELP imc_test_sessions Sessions.\n# TYPE imc_test_sessions gauge\n"
              "imc_test_sessions 15\n");
    free(text);
    metrics_close(metrics);
}

static void test_no_blocks_no_rows(void **state)
{
    struct metrics *metrics = metrics_open(rows, COUNT);
    (void)state;
    assert_int_equal(metrics_sum(metrics, WRITES), 0);
    metrics_close(metrics);
    metrics = metrics_open(NULL, 0);
    metrics_block(metrics);
    char *text = render(metrics);
    assert_string_equal(text, "");
    free(text);
    metrics_close(metrics);
    metrics_close(NULL);
}

/* Every bound, and what is just above it, by a search that needs no highest bit. */
static void test_slots(void **state)
{
    (void)state;
    for (unsigned i = 0; i < HISTOGRAM_BOUNDS; i++) {
        assert_int_equal(histogram_slot(histogram_bounds[i]), i);
        assert_int_equal(histogram_slot(histogram_bounds[i] + 1), i + 1);
    }
    for (uint64_t us = 0; us < 300000; us++) {
        unsigned slot = 0;
        while (us > histogram_bounds[slot])
            slot++;
        assert_int_equal(histogram_slot(us), slot);
    }
    assert_int_equal(histogram_slot(UINT64_MAX), HISTOGRAM_BOUNDS);
}

static void test_histograms(void **state)
{
    struct metrics *metrics = metrics_open(timed_rows, TIMED_ROWS);
    _Atomic int64_t *a = metrics_block(metrics), *b = metrics_block(metrics);
    (void)state;
    metric_observe(a, TOOK_B, 1000, 1);
    metric_observe(b, TOOK_B, 2501, 2);
    metric_observe(b, TOOK_B, 200000000, 1);
    metric_observe(b, TOOK_B, -7, 1); /* a clock was set back */
    metric_add(a, ASKED, 2);
    metric_add(a, WAITED, 1500);
    metric_set(b, FULL, 250);
    assert_int_equal(observed(metrics, TOOK_B), 5);
    assert_int_equal(observed(metrics, TOOK_A), 0);
    assert_int_equal(metrics_row_sum(metrics, 3), 1500); /* behind two histograms */
    char *text = render(metrics);
    assert_string_equal(
        text,
        "# HELP imc_test_asked_total Asked.\n# TYPE imc_test_asked_total counter\n"
        "imc_test_asked_total 2\n"
        "# HELP imc_test_took_seconds Took \\\\ \"it\".\n# TYPE imc_test_took_seconds histogram\n"
        "imc_test_took_seconds_bucket{to=\"b\",le=\"0.001\"} 2\n"
        "imc_test_took_seconds_bucket{to=\"b\",le=\"0.0025\"} 2\n"
        "imc_test_took_seconds_bucket{to=\"b\",le=\"0.005\"} 4\n"
        "imc_test_took_seconds_bucket{to=\"b\",le=\"+Inf\"} 5\n"
        "imc_test_took_seconds_sum{to=\"b\"} 200.006002\n"
        "imc_test_took_seconds_count{to=\"b\"} 5\n"
        "# HELP imc_test_waited_seconds_total Waited.\n"
        "# TYPE imc_test_waited_seconds_total counter\nimc_test_waited_seconds_total 1.500\n"
        "# HELP imc_test_lag_seconds Lag.\n# TYPE imc_test_lag_seconds histogram\n"
        "imc_test_lag_seconds_bucket{le=\"0.5\"} 0\nimc_test_lag_seconds_bucket{le=\"1.0\"} 0\n"
        "imc_test_lag_seconds_bucket{le=\"+Inf\"} 0\nimc_test_lag_seconds_sum 0.000000\n"
        "imc_test_lag_seconds_count 0\n"
        "# HELP imc_test_full_ratio Full.\n# TYPE imc_test_full_ratio gauge\n"
        "imc_test_full_ratio 0.250\n");
    free(text);
    metrics_close(metrics);
}

static void test_openmetrics(void **state)
{
    static const struct metric_row build = {
        .name = "imc_test_info", .type = METRIC_GAUGE, .help = "What."};
    struct metrics *metrics = metrics_open(timed_rows, TIMED_ROWS);
    char *text = render_as(metrics, true), *info = NULL;
    size_t len;
    (void)state;
    assert_int_equal(strncmp(text,
                             "# HELP imc_test_asked Asked.\n# TYPE imc_test_asked counter\n"
                             "imc_test_asked_total 0\n",
                             76),
                     0);
    assert_non_null(strstr(text, "# TYPE imc_test_waited_seconds counter\n"));
    assert_string_equal(strstr(text, "imc_test_full_ratio 0"),
                        "imc_test_full_ratio 0.000\n# EOF\n");
    free(text);
    metrics_block(metrics);
    metric_observe(metrics_block(metrics), TOOK_A, 5, 1);
    text = render_as(metrics, true);
    assert_non_null(strstr(text, "# HELP imc_test_took_seconds Took \\\\ \\\"it\\\".\n"));
    free(text);
    metrics_close(metrics);
    struct exposition to = {.out = open_memstream(&info, &len), .openmetrics = true};
    exposition_int(&to, &build, "of=\"it\"", 1);
    fclose(to.out);
    assert_string_equal(
        info, "# HELP imc_test What.\n# TYPE imc_test info\nimc_test_info{of=\"it\"} 1\n");
    free(info);
}

static void test_who_wants_openmetrics(void **state)
{
    static const char *const wanted[] = {
        "application/openmetrics-text",
        ("application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;"
         "q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1"), /* Prometheus 2.42 */
        "text/plain, Application/OpenMetrics-Text; q=0.5",
        ",, \tapplication/openmetrics-text;q=0.01",
    };
    static const char *const not_wanted[] = {
        NULL,
        "",
        "text/plain",
        "*/*",
        "application/openmetrics",
        "application/json,",
        "application/openmetrics-text; q=0",
        "application/openmetrics-text;q=0.000, */*",
        "xapplication/openmetrics-text",
    };
    (void)state;
    for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++)
        assert_true(exposition_wanted(wanted[i]));
    for (size_t i = 0; i < sizeof not_wanted / sizeof not_wanted[0]; i++)
        assert_false(exposition_wanted(not_wanted[i]));
}

/* Blocks of two threads share no cache line. */
static void test_blocks_are_apart(void **state)
{
    struct metrics *metrics = metrics_open(rows, COUNT);
    (void)state;
    for (int i = 0; i < 10; i++)
        assert_int_equal((uintptr_t)metrics_block(metrics) % 64, 0);
    metrics_close(metrics);
}

static void *count(void *arg)
{
    _Atomic int64_t *block = metrics_block(arg);
    for (int i = 0; i < 100000; i++)
        metric_add(block, WRITES, 1);
    return NULL;
}

static void test_threads(void **state)
{
    struct metrics *metrics = metrics_open(rows, COUNT);
    pthread_t threads[4];
    int64_t last = 0;
    (void)state;
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, count, metrics), 0);
    while (last < 400000) { /* a scrape never sees the sum go back */
        int64_t now = metrics_sum(metrics, WRITES);
        assert_true(now >= last);
        last = now;
    }
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(metrics_sum(metrics, WRITES), 400000);
    metrics_close(metrics);
}

static void test_document(void **state)
{
    char *text = NULL;
    size_t len;
    (void)state;
    FILE *out = open_memstream(&text, &len);
    metrics_document(rows, COUNT, "test", out);
    fclose(out);
    assert_non_null(strstr(text, "## test\n"));
    assert_non_null(
        strstr(text, "| `imc_test_drops_total` | counter | `reason=\"slow\"` | Drops. |\n"));
    assert_non_null(
        strstr(text, "| `imc_test_drops_total` | counter | `reason=\"full\"` | as above |\n"));
    assert_non_null(strstr(text, "| `imc_test_sessions` | gauge |  | Sessions. |\n"));
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_slots),
        cmocka_unit_test(test_histograms),
        cmocka_unit_test(test_openmetrics),
        cmocka_unit_test(test_who_wants_openmetrics),
        cmocka_unit_test(test_render_sums_blocks),
        cmocka_unit_test(test_no_blocks_no_rows),
        cmocka_unit_test(test_blocks_are_apart),
        cmocka_unit_test(test_threads),
        cmocka_unit_test(test_document),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
