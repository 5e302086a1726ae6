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

enum { WRITES, DROP_SLOW, DROP_FULL, SESSIONS, COUNT };

static const struct metric_row rows[COUNT] = {
    [WRITES] = {"imc_test_writes_total", NULL, METRIC_COUNTER, "Writes."},
    [DROP_SLOW] = {"imc_test_drops_total", "reason=\"slow\"", METRIC_COUNTER, "Drops."},
    [DROP_FULL] = {"imc_test_drops_total", "reason=\"full\"", METRIC_COUNTER, ""},
    [SESSIONS] = {"imc_test_sessions", NULL, METRIC_GAUGE, "Sessions."},
};

static char *render(struct metrics *metrics)
{
    char *text = NULL;
    size_t len;
    FILE *out = open_memstream(&text, &len);
    metrics_render(metrics, out);
    fclose(out);
    return text;
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
        cmocka_unit_test(test_render_sums_blocks), cmocka_unit_test(test_no_blocks_no_rows),
        cmocka_unit_test(test_blocks_are_apart),   cmocka_unit_test(test_threads),
        cmocka_unit_test(test_document),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
