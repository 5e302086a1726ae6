#include "logic/nodes/balance.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

#include <cmocka.h>

enum { MOST = 5 };

static void assert_near(int64_t value, int64_t want, int64_t off)
{
    assert_in_range(value, want - off, want + off);
}

static void weight_falls_with_connections(void **state)
{
    struct balance_comet comets[] = {{.share = 1000}, {.share = 1000}, {.share = 2000}};

    (void)state;
    balance_weigh(comets, 3); /* nobody is connected */
    assert_near(comets[0].weight, 1000000, 1);
    assert_near(comets[2].weight, 2000000, 1);
    comets[0].connections = comets[1].connections = 100000;
    comets[2].connections = 200000;
    balance_weigh(comets, 3); /* each has what it should have */
    assert_near(comets[0].weight, 1000000, 1000);
    assert_near(comets[2].weight, 2000000, 1000);
    int64_t before = comets[0].weight;
    for (int i = 0; i < 20; i++) {
        comets[0].connections += 20000;
        balance_weigh(comets, 3);
        assert_true(comets[0].weight <= before);
        assert_true(comets[0].weight > 0);
        before = comets[0].weight;
    }
    assert_true(comets[0].weight < 200000);
    assert_true(comets[1].weight > 1200000);
}

/* A new comet in a full cluster gets at most double its share, and the others go on. */
static void a_new_comet_is_not_flooded(void **state)
{
    struct balance_comet comets[10] = {{0}};
    int64_t sum = 0;

    (void)state;
    for (int i = 0; i < 10; i++)
        comets[i] = (struct balance_comet){.share = 1000, .connections = i == 0 ? 0 : 1000000};
    balance_weigh(comets, 10);
    for (int i = 0; i < 10; i++)
        sum += comets[i].weight;
    assert_near(comets[0].weight, 2000000, 1000);
    assert_in_range(comets[0].weight * 100 / sum, 15, 20);
}

static void few_connections_mean_little(void **state)
{
    struct balance_comet comets[] = {{.share = 1000, .connections = 1}, {.share = 1000}};

    (void)state;
    balance_weigh(comets, 2);
    assert_in_range(comets[0].weight, 950000, 999999);
    assert_in_range(comets[1].weight, 1000001, 1050000);
}

static void extremes_stay_in_range(void **state)
{
    struct balance_comet comets[] = {
        {.share = 1, .connections = INT64_MAX}, {.share = BALANCE_MOST_SHARE}, {.share = 1}};

    (void)state;
    balance_weigh(comets, 3);
    for (int i = 0; i < 3; i++)
        assert_in_range(comets[i].weight, 1, 2000 * comets[i].share);
    balance_weigh(comets, 0);
    size_t chosen[MOST];
    assert_int_equal(balance_choose(comets, 0, chosen, MOST), 0);
}

static void each_is_first_as_often_as_its_weight_says(void **state)
{
    struct balance_comet comets[] = {{.weight = 5}, {.weight = 1}, {.weight = 1},
                                     {.weight = 1}, {.weight = 1}, {.weight = 1}};
    int first[6] = {0}, in_a_row = 0, longest = 0;
    size_t chosen[MOST];

    (void)state;
    for (int i = 0; i < 100; i++) {
        assert_int_equal(balance_choose(comets, 6, chosen, MOST), MOST);
        for (int a = 0; a < MOST; a++) {
            for (int b = 0; b < a; b++)
                assert_int_not_equal(chosen[a], chosen[b]);
        }
        in_a_row = chosen[0] == 0 ? in_a_row + 1 : 0;
        longest = in_a_row > longest ? in_a_row : longest;
        first[chosen[0]]++;
    }
    assert_int_equal(first[0], 50);
    for (int i = 1; i < 6; i++)
        assert_int_equal(first[i], 10);
    assert_in_range(longest, 1, 2);
}

static void no_more_than_there_are(void **state)
{
    struct balance_comet comets[] = {{.weight = 3}, {.weight = 1}};
    size_t chosen[MOST];

    (void)state;
    assert_int_equal(balance_choose(comets, 2, chosen, MOST), 2);
    assert_int_equal(chosen[0], 0);
    assert_int_equal(chosen[1], 1);
    assert_int_equal(balance_choose(comets, 2, chosen, 1), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(weight_falls_with_connections),
        cmocka_unit_test(a_new_comet_is_not_flooded),
        cmocka_unit_test(few_connections_mean_little),
        cmocka_unit_test(extremes_stay_in_range),
        cmocka_unit_test(each_is_first_as_often_as_its_weight_says),
        cmocka_unit_test(no_more_than_there_are),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
