/* What becomes of the numbers of rooms when membership changes. The sessions: completeness_test.c.
 */
#include "router/map_shard.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { ROOMS = 300 };

struct fixture {
    struct map_shard shard;
    _Atomic int64_t counters[ROUTER_METRIC_COUNT];
    uint64_t number;
};

static struct fixture f;

/* Routers r1 … rN, with EPOCH. We are r1. */
static void routers(size_t n, uint64_t epoch)
{
    struct member members[4] = {0};
    const struct member_list list = {.n = n, .members = members};

    for (size_t i = 0; i < n; i++) {
        members[i].weight = 1;
        members[i].epoch = epoch;
        snprintf(members[i].id, sizeof members[i].id, "r%zu", i + 1);
    }
    map_shard_routers(&f.shard, &list, "r1");
}

static int setup(void **state)
{
    const struct map_shard_limits limits = {
        .comet_grace_ms = 7000, .sweep_slice = 64, .max_counted = 100};
    struct member comet = {.epoch = 5, .id = "c1"};
    const struct member_list comets = {.n = 1, .members = &comet};

    (void)state;
    f = (struct fixture){0};
    map_shard_init(&f.shard, &limits, f.counters);
    map_shard_tick(&f.shard, 1000, true);
    routers(1, 1);
    map_shard_comets(&f.shard, &comets);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    map_shard_close(&f.shard);
    return 0;
}

static void say(const char *room, const char *comet, uint64_t epoch)
{
    const struct room_word word = {
        .room = room, .comet = comet, .epoch = epoch, .sessions = 1, .number = ++f.number};

    room_counts_set(f.shard.rooms, &word, f.shard.now_ms);
}

static size_t counted(void)
{
    size_t n = 0;
    char name[8];

    for (int i = 0; i < ROOMS; i++) {
        snprintf(name, sizeof name, "%d", i);
        n += room_counts_total(f.shard.rooms, name);
    }
    return n;
}

static void say_all(void)
{
    char name[8];

    for (int i = 0; i < ROOMS; i++) {
        snprintf(name, sizeof name, "%d", i);
        say(name, "c1", 5);
    }
    assert_int_equal(counted(), ROOMS);
}

/* Comets told others meanwhile that rooms became empty, and tell us of those that are not. */
static void losing_the_lease_forgets_the_rooms(void **state)
{
    (void)state;
    say_all();
    say("goim's", "goim-1", 0);
    map_shard_lost(&f.shard);
    assert_int_equal(counted(), 0);
    say("7", "c1", 5);
    assert_int_equal(counted(), 1);
    /* goim's comets have no lease, and do not know that we had lost ours */
    assert_int_equal(room_counts_total(f.shard.rooms, "goim's"), 1);
}

/* Another router has it for a while, and hears that it became empty. */
static void a_room_that_comes_back_is_not_remembered(void **state)
{
    (void)state;
    say_all();
    routers(2, 1);
    size_t ours = counted();
    assert_in_range(ours, 50, 250);
    map_shard_sweep(&f.shard); /* has hardly begun */
    routers(1, 1);
    assert_int_equal(counted(), ours);
}

static void a_room_that_moved_is_swept_at_once(void **state)
{
    (void)state;
    say_all();
    while (map_shard_sweep(&f.shard))
        ;
    assert_int_equal(room_counts_kept(f.shard.rooms), ROOMS);
    routers(2, 1);
    assert_true(map_shard_sweep_waits(&f.shard));
    while (map_shard_sweep(&f.shard))
        ;
    assert_int_equal(room_counts_kept(f.shard.rooms), counted());
    /* Not listed for a moment: keeps what it has. */
    map_shard_routers(&f.shard, &(struct member_list){0}, "r1");
    while (map_shard_sweep(&f.shard))
        ;
    assert_in_range(room_counts_kept(f.shard.rooms), 50, 250);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(losing_the_lease_forgets_the_rooms),
        TEST(a_room_that_comes_back_is_not_remembered),
        TEST(a_room_that_moved_is_swept_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
