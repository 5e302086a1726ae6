/* What jobs vouch for: when sessions are to be told that they missed something, and when not. */
#include "comet/job/broadcast_gaps.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

enum { BOTH = MISSED_ROOMS | MISSED_ALL };

static struct broadcast_gaps *standings;

static int setup(void **state)
{
    (void)state;
    standings = broadcast_gaps_new();
    broadcast_gaps_epoch(standings, 100, 0);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    broadcast_gaps_free(standings);
    return 0;
}

/* A job with LINK says of PARTITION that it owns it with FENCE. */
static unsigned take(uint64_t epoch, uint64_t link, uint32_t partition, uint64_t fence)
{
    Imc__V1__Standing standing;
    imc__v1__standing__init(&standing);
    standing.epoch = epoch;
    standing.link = link;
    standing.n_partitions = standing.n_fences = 1;
    standing.partitions = &partition;
    standing.fences = &fence;
    return broadcast_gaps_take(standings, &standing);
}

static void owners_may_change_while_the_lease_is_held(void **state)
{
    (void)state;
    assert_int_equal(take(100, 7, 0, 10), 0);
    assert_int_equal(take(100, 7, 0, 10), 0);
    assert_int_equal(take(100, 8, 0, 11), 0);
    assert_int_equal(take(100, 8, 5, 3), 0); /* another partition */
    assert_int_equal(broadcast_gaps_overdue(standings, 1000000, 1000), 0);
}

static void the_same_owner_vouches_for_the_time_between(void **state)
{
    (void)state;
    take(100, 7, 0, 10);
    broadcast_gaps_epoch(standings, 200, 5000);
    assert_int_equal(take(100, 7, 0, 10), 0); /* it has not seen our new epoch yet */
    assert_int_equal(take(200, 7, 0, 10), 0);
    assert_int_equal(broadcast_gaps_overdue(standings, 1000000, 1000), 0);
    assert_int_equal(take(200, 9, 0, 12), 0); /* sure again: owners may change */
}

static void another_owner_cannot(void **state)
{
    (void)state;
    take(100, 7, 0, 10);
    take(100, 7, 1, 10);
    broadcast_gaps_epoch(standings, 200, 5000);
    assert_int_equal(take(200, 8, 0, 11), BOTH);
    assert_int_equal(take(200, 8, 1, 12), 0); /* everybody was told */
    assert_int_equal(broadcast_gaps_overdue(standings, 1000000, 1000), 0);
}

static void nor_can_a_job_that_has_lost_count(void **state)
{
    (void)state;
    take(100, 7, 0, 10);
    broadcast_gaps_epoch(standings, 200, 5000);
    assert_int_equal(take(200, 8, 0, 10), BOTH);
}

static void nor_somebody_for_a_partition_nobody_had_spoken_of(void **state)
{
    (void)state;
    take(100, 7, 0, 10);
    broadcast_gaps_epoch(standings, 200, 5000);
    assert_int_equal(take(200, 7, 1, 10), BOTH);
}

/* Somebody who says that our epoch is another one cannot make us deaf for the true owner. */
static void what_our_epoch_is_nobody_else_tells(void **state)
{
    (void)state;
    take(100, 7, 0, 10);
    take(100, 7, 1, 10);
    take(UINT64_MAX, 9, 5, 10);
    broadcast_gaps_epoch(standings, 200, 5000);
    assert_int_equal(take(200, 7, 0, 10), 0);
    assert_int_equal(take(200, 8, 1, 11), BOTH);
}

static void nor_before_we_have_one(void **state)
{
    (void)state;
    broadcast_gaps_free(standings);
    standings = broadcast_gaps_new();
    assert_int_equal(take(UINT64_MAX, 9, 0, 10), 0);
    broadcast_gaps_epoch(standings, 200, 5000);
    assert_int_equal(broadcast_gaps_overdue(standings, 1000000, 1000), 0);
    assert_int_equal(take(200, 7, 1, 10), 0);
    broadcast_gaps_epoch(standings, 300, 6000);
    assert_int_equal(take(300, 7, 1, 10), 0);
    assert_int_equal(take(300, 8, 1, 11), 0);
    assert_int_equal(broadcast_gaps_overdue(standings, 1000000, 1000),
                     BOTH); /* nobody spoke for 0 */
}

static void silence_is_not_vouching(void **state)
{
    (void)state;
    take(100, 7, 0, 10);
    take(100, 7, 1, 10);
    broadcast_gaps_epoch(standings, 200, 5000);
    take(200, 7, 0, 10);
    assert_int_equal(broadcast_gaps_overdue(standings, 5999, 1000), 0);
    assert_int_equal(broadcast_gaps_overdue(standings, 6000, 1000), BOTH);
    assert_int_equal(broadcast_gaps_overdue(standings, 9000, 1000), 0); /* once */
    assert_int_equal(take(200, 8, 1, 11), 0);
}

static void what_job_says_it_dropped_is_missed(void **state)
{
    (void)state;
    Imc__V1__Standing standing;
    imc__v1__standing__init(&standing);
    standing.epoch = 100;
    standing.link = 7;
    standing.missed_rooms = true;
    assert_int_equal(broadcast_gaps_take(standings, &standing), MISSED_ROOMS);
    standing.missed_all = true;
    assert_int_equal(broadcast_gaps_take(standings, &standing), BOTH);
}

/* Redis tells the others at once, our own main loop a moment later. */
static void job_may_know_our_epoch_first(void **state)
{
    (void)state;
    take(100, 7, 0, 10);
    assert_int_equal(take(200, 7, 0, 10), 0);
    broadcast_gaps_epoch(standings, 200, 5000);
    assert_int_equal(broadcast_gaps_overdue(standings, 1000000, 1000), 0);
    assert_int_equal(take(300, 8, 0, 11), BOTH);
    broadcast_gaps_epoch(standings, 300, 6000);
    assert_int_equal(broadcast_gaps_overdue(standings, 1000000, 1000), 0);
}

static void nonsense_is_survived(void **state)
{
    (void)state;
    uint32_t partitions[] = {UINT32_MAX, 65536, 0};
    uint64_t fences[] = {1};
    Imc__V1__Standing standing;
    imc__v1__standing__init(&standing);
    standing.epoch = 100;
    standing.n_partitions = 3;
    standing.partitions = partitions;
    standing.n_fences = 1;
    standing.fences = fences;
    assert_int_equal(broadcast_gaps_take(standings, &standing), 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(owners_may_change_while_the_lease_is_held),
        TEST(the_same_owner_vouches_for_the_time_between),
        TEST(another_owner_cannot),
        TEST(nor_can_a_job_that_has_lost_count),
        TEST(nor_somebody_for_a_partition_nobody_had_spoken_of),
        TEST(what_our_epoch_is_nobody_else_tells),
        TEST(nor_before_we_have_one),
        TEST(silence_is_not_vouching),
        TEST(what_job_says_it_dropped_is_missed),
        TEST(job_may_know_our_epoch_first),
        TEST(nonsense_is_survived),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
