#include "bench/report/scrape.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void labels_add_up_and_strangers_do_not_count(void **state)
{
    struct scrape sum = {0};

    (void)state;
    scrape_text("# HELP imc_comet_writes_total Successful send() calls.\n"
                "imc_comet_writes_total 7\n"
                "imc_comet_writes_total_more 100\n"
                "imc_comet_deliveries_total{kind=\"uid\"} 2\n"
                "imc_comet_deliveries_total{kind=\"a room\"} 3\n"
                "imc_comet_walks_total\n"
                "imc_comet_sessions 1.5e3",
                &sum);
    assert_true(sum.writes == 7);
    assert_true(sum.deliveries == 5);
    assert_true(sum.walks == 0);
    assert_true(sum.sessions == 1500);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(labels_add_up_and_strangers_do_not_count)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
