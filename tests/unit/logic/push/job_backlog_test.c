#include "logic/push/job_backlog.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

/* needs the above */
#include <cmocka.h>

static _Atomic int64_t counters[LOGIC_METRIC_COUNT];
static struct logic_config config = {.push_max_lag_ms = 30000, .push_max_backlog = 80};
static struct loop loop;
static struct logic logic = {.config = &config, .counters = counters, .loop = &loop};
static char why[JOB_BACKLOG_WHY];

static int setup(void **state)
{
    (void)state;
    config.push_max_lag_ms = 30000;
    int err = loop_init(&loop, "test", 0);
    logic.backlogs = job_backlogs_open(&logic);
    return err;
}

static int teardown(void **state)
{
    (void)state;
    job_backlogs_close(logic.backlogs);
    loop_close(&loop);
    return 0;
}

static void tell(const char *job, uint32_t lag_ms, uint32_t used_permille, const char *stalled)
{
    struct job_backlog_report backlog = {.why = ""};
    char text[64];

    snprintf(text, sizeof text, "%s", stalled);
    backlog.lag_ms = lag_ms;
    backlog.used_permille = used_permille;
    backlog.stalled = stalled[0] != '\0';
    backlog.why = text;
    job_backlogs_take(logic.backlogs, job, &backlog);
}

static void nobody_told_anything(void **state)
{
    (void)state;
    assert_int_equal(job_backlogs_verdict(logic.backlogs, why), JOB_BACKLOG_FINE);
}

static void the_limits_themselves(void **state)
{
    (void)state;
    tell("a", 30000, 799, "");
    assert_int_equal(job_backlogs_verdict(logic.backlogs, why), JOB_BACKLOG_FINE);
    tell("a", 30001, 0, "");
    assert_int_equal(job_backlogs_verdict(logic.backlogs, why), JOB_BACKLOG_ALL);
    assert_non_null(strstr(why, "push.max_lag"));
    config.push_max_lag_ms = 0;
    assert_int_equal(job_backlogs_verdict(logic.backlogs, why), JOB_BACKLOG_FINE);
    tell("a", 0, 800, "");
    assert_int_equal(job_backlogs_verdict(logic.backlogs, why), JOB_BACKLOG_AWAY);
    assert_non_null(strstr(why, "80 % of what"));
    assert_null(strstr(why, "stands still"));
}

static void the_worst_job_counts_and_says_why(void **state)
{
    (void)state;
    tell("a", 0, 900, "Redis says: OOM");
    tell("b", 0, 10, "");
    assert_int_equal(job_backlogs_verdict(logic.backlogs, why), JOB_BACKLOG_AWAY);
    assert_non_null(strstr(why, "90 %"));
    assert_non_null(strstr(why, "Redis says: OOM"));
    job_backlogs_scrape(logic.backlogs);
    assert_int_equal(counters[LOGIC_STORING_STALLED], 1);
    assert_int_equal(counters[LOGIC_BACKLOG_USED], 900);
    tell("a", 0, 100, "");
    assert_int_equal(job_backlogs_verdict(logic.backlogs, why), JOB_BACKLOG_FINE);
}

/* The loop's time stands still unless it is updated: so moving it by hand is exact. */
static void a_job_that_is_silent_counts_no_more(void **state)
{
    (void)state;
    tell("a", 60000, 0, "");
    assert_int_equal(job_backlogs_verdict(logic.backlogs, why), JOB_BACKLOG_ALL);
    loop.uv.time += 4999;
    assert_int_equal(job_backlogs_verdict(logic.backlogs, why), JOB_BACKLOG_ALL);
    loop.uv.time += 1;
    assert_int_equal(job_backlogs_verdict(logic.backlogs, why), JOB_BACKLOG_FINE);
    tell("b", 7, 0, "");
    job_backlogs_scrape(logic.backlogs);
    assert_int_equal(counters[LOGIC_BACKLOG_LAG_MS], 7);
}

static void if_none_reports_the_lag_is_how_long_that_is_so(void **state)
{
    (void)state;
    tell("a", 7, 900, "Redis says: OOM");
    loop.uv.time += 5000;
    job_backlogs_scrape(logic.backlogs);
    assert_int_equal(counters[LOGIC_BACKLOG_LAG_MS], 5000);
    assert_int_equal(counters[LOGIC_STORING_STALLED], 0);
    loop.uv.time += 25000;
    assert_int_equal(job_backlogs_verdict(logic.backlogs, why), JOB_BACKLOG_FINE);
    loop.uv.time += 1000;
    assert_int_equal(job_backlogs_verdict(logic.backlogs, why), JOB_BACKLOG_ALL);
    assert_string_equal(why,
                        "no job has reported for 31 s, more than push.max_lag (30 s): push later");
    tell("b", 0, 0, "");
    assert_int_equal(job_backlogs_verdict(logic.backlogs, why), JOB_BACKLOG_FINE);
}

static void none_has_reported_since_the_start(void **state)
{
    (void)state;
    loop.uv.time += 30000;
    assert_int_equal(job_backlogs_verdict(logic.backlogs, why), JOB_BACKLOG_FINE);
    assert_false(job_backlogs_silent(logic.backlogs));
    loop.uv.time += 1000;
    assert_int_equal(job_backlogs_verdict(logic.backlogs, why), JOB_BACKLOG_ALL);
    assert_true(job_backlogs_silent(logic.backlogs));
    tell("a", 40000, 0, "");
    assert_int_equal(job_backlogs_verdict(logic.backlogs, why), JOB_BACKLOG_ALL);
    assert_false(job_backlogs_silent(logic.backlogs)); /* it is late, but it is there */
    loop.uv.time += 40000;
    config.push_max_lag_ms = 0;
    assert_false(job_backlogs_silent(logic.backlogs)); /* and pushes are not refused */
}

static void more_jobs_than_there_are_places(void **state)
{
    (void)state;
    char name[32];

    for (int i = 0; i < 1000; i++) {
        snprintf(name, sizeof name, "job-%d", i);
        loop.uv.time++;
        tell(name, 0, 0, "");
    }
    tell("last", 60000, 0, "");
    assert_int_equal(job_backlogs_verdict(logic.backlogs, why), JOB_BACKLOG_ALL);
}

#define backlog_test(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        backlog_test(nobody_told_anything),
        backlog_test(the_limits_themselves),
        backlog_test(the_worst_job_counts_and_says_why),
        backlog_test(a_job_that_is_silent_counts_no_more),
        backlog_test(if_none_reports_the_lag_is_how_long_that_is_so),
        backlog_test(none_has_reported_since_the_start),
        backlog_test(more_jobs_than_there_are_places),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
