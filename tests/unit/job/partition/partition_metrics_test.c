#include "job/base/job.h"
#include "job/partition/partition.h"
#include "job/partition/partition_metrics.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
/* cmocka wants these first */
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

static void test_a_series_for_each_partition(void **state)
{
    struct partition three = {.id = 3, .behind = 12, .lag_ms = 1500}, seven = {.id = 7};
    struct job job = {0};
    char *text = NULL;
    size_t len;
    struct exposition to = {.out = open_memstream(&text, &len)};
    (void)state;
    LIST_INSERT_HEAD(&job.partitions, &seven, link);
    LIST_INSERT_HEAD(&job.partitions, &three, link);
    assert_int_equal(partitions_behind(&job), 12);
    partitions_render(&job, &to);
    fclose(to.out);
    assert_non_null(strstr(text, "# TYPE imc_job_partition_lag gauge\n"
                                 "imc_job_partition_lag{partition=\"3\"} 12\n"
                                 "imc_job_partition_lag{partition=\"7\"} 0\n"));
    assert_non_null(strstr(text, "imc_job_partition_lag_seconds{partition=\"3\"} 1.500\n"
                                 "imc_job_partition_lag_seconds{partition=\"7\"} 0.000\n"));
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_series_for_each_partition),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
