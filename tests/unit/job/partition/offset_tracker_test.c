#include "job/partition/offset_tracker.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdlib.h>

static int owner;

static void position_is_unknown_before_the_first_message(void **state)
{
    (void)state;
    struct offset_tracker tracker;

    offset_tracker_init(&tracker);
    assert_int_equal(offset_tracker_position(&tracker), -1);
    assert_int_equal(offset_tracker_span(&tracker), 0);
    offset_tracker_free(&tracker);
}

static void position_waits_for_the_lowest(void **state)
{
    (void)state;
    struct offset_tracker tracker;
    uint64_t tickets[4];

    offset_tracker_init(&tracker);
    for (int i = 0; i < 4; i++)
        tickets[i] = offset_tracker_add(&tracker, 100 + i, &owner);
    assert_int_equal(offset_tracker_position(&tracker), 100);
    offset_tracker_resolve(&tracker, tickets[2]);
    offset_tracker_resolve(&tracker, tickets[1]);
    assert_int_equal(offset_tracker_position(&tracker), 100);
    assert_int_equal(offset_tracker_span(&tracker), 4);
    offset_tracker_resolve(&tracker, tickets[0]);
    assert_int_equal(offset_tracker_position(&tracker), 103);
    offset_tracker_resolve(&tracker, tickets[3]);
    assert_int_equal(offset_tracker_position(&tracker), 104);
    assert_int_equal(offset_tracker_span(&tracker), 0);
    offset_tracker_free(&tracker);
}

static void gaps_and_skipped_offsets_count_as_resolved(void **state)
{
    (void)state;
    struct offset_tracker tracker;

    offset_tracker_init(&tracker);
    uint64_t first = offset_tracker_add(&tracker, 7, &owner);
    offset_tracker_skip(&tracker, 9); /* 8 was a transaction mark */
    uint64_t last = offset_tracker_add(&tracker, 20, &owner);
    assert_int_equal(offset_tracker_position(&tracker), 7);
    assert_int_equal(offset_tracker_span(&tracker), 14);
    offset_tracker_resolve(&tracker, first);
    assert_int_equal(offset_tracker_position(&tracker), 20);
    offset_tracker_resolve(&tracker, last);
    offset_tracker_skip(&tracker, 30);
    assert_int_equal(offset_tracker_position(&tracker), 31);
    offset_tracker_free(&tracker);
}

static void popping_gives_the_newest_first_and_no_resolved_owner(void **state)
{
    (void)state;
    struct offset_tracker tracker;
    int owners[3];
    uint64_t tickets[3];
    struct offset_slot got;

    offset_tracker_init(&tracker);
    for (int i = 0; i < 3; i++)
        tickets[i] = offset_tracker_add(&tracker, i, &owners[i]);
    offset_tracker_resolve(&tracker, tickets[1]);
    assert_true(offset_tracker_pop(&tracker, &got));
    assert_int_equal(got.state, OFFSET_OPEN);
    assert_ptr_equal(got.owner, &owners[2]);
    assert_true(offset_tracker_pop(&tracker, &got));
    assert_int_equal(got.state, OFFSET_DONE);
    assert_true(offset_tracker_pop(&tracker, &got));
    assert_ptr_equal(got.owner, &owners[0]);
    assert_false(offset_tracker_pop(&tracker, &got));
    assert_int_equal(offset_tracker_position(&tracker), 0);
    offset_tracker_free(&tracker);
}

/* The lowest parked one but for the shards PASSED, or -1. */
static int64_t parked_but(struct offset_tracker *tracker, uint64_t passed, int64_t *uid)
{
    struct offset_parked parked;

    if (!offset_tracker_parked(tracker, passed, &parked))
        return -1;
    *uid = parked.uid;
    return parked.offset;
}

static int64_t parked(struct offset_tracker *tracker, int64_t *uid)
{
    return parked_but(tracker, 0, uid);
}

static void parked_ones_hold_the_position_and_come_back_lowest_first(void **state)
{
    (void)state;
    struct offset_tracker tracker;
    struct offset_slot got;
    uint64_t tickets[5];
    int64_t uid;

    offset_tracker_init(&tracker);
    for (int i = 0; i < 5; i++)
        tickets[i] = offset_tracker_add(&tracker, 10 + i, &owner);
    assert_int_equal(parked(&tracker, &uid), -1);
    offset_tracker_park(&tracker, tickets[1], 0, -7);
    offset_tracker_park(&tracker, tickets[3], 63, INT64_MAX);
    offset_tracker_resolve(&tracker, tickets[0]);
    assert_int_equal(offset_tracker_position(&tracker), 11);
    assert_int_equal(parked(&tracker, &uid), 11);
    assert_int_equal(uid, -7);
    assert_int_equal(parked_but(&tracker, 1, &uid), 13);
    assert_int_equal(parked_but(&tracker, UINT64_MAX, &uid), -1);
    assert_int_equal(parked_but(&tracker, UINT64_C(1) << 63, &uid), 11);
    offset_tracker_unpark(&tracker, tickets[1], &owner);
    assert_int_equal(parked(&tracker, &uid), 13);
    assert_int_equal(uid, INT64_MAX);
    assert_int_equal(offset_tracker_position(&tracker), 11);
    offset_tracker_resolve(&tracker, tickets[1]);
    offset_tracker_resolve(&tracker, tickets[2]);
    assert_int_equal(offset_tracker_position(&tracker), 13);
    offset_tracker_resolve(&tracker, tickets[3]); /* lost: resolved while it is parked */
    assert_int_equal(parked(&tracker, &uid), -1);
    assert_int_equal(offset_tracker_position(&tracker), 14);
    offset_tracker_park(&tracker, tickets[4], 0, 5);
    assert_true(offset_tracker_pop(&tracker, &got));
    assert_int_equal(got.state, OFFSET_PARKED);
    assert_int_equal(got.uid, 5);
    assert_int_equal(tracker.parked, 0);
    assert_int_equal(sizeof got, 16);
    offset_tracker_free(&tracker);
}

/* Against the plainest model: a state per offset. Runs the ring around many times while it grows.
 * Shards are passed over by chance. */
static void parking_agrees_with_a_model_over_many_rounds(void **state)
{
    (void)state;
    enum { N = 20000, WINDOW = 300, SHARDS = 3 };
    struct offset_tracker tracker;
    static uint64_t tickets[N];
    static char is[N]; /* offset_tracker_state */
    int next = 0, lowest = 0;
    uint64_t passed = 0;
    int64_t uid;

    offset_tracker_init(&tracker);
    srand(2);
    while (next < N || lowest < next) {
        int what = rand() % 100, pick = lowest + (next > lowest ? rand() % (next - lowest) : 0);
        if (rand() % 50 == 0)
            passed = (uint64_t)rand() % (1 << SHARDS);
        int64_t first = parked_but(&tracker, passed, &uid);
        if (next < N && next - lowest < WINDOW && what < 40) {
            is[next] = OFFSET_OPEN;
            tickets[next] = offset_tracker_add(&tracker, next, &owner);
            if (what < 15) {
                offset_tracker_park(&tracker, tickets[next], (size_t)next % SHARDS, -next);
                is[next] = OFFSET_PARKED;
            }
            next++;
        } else if (first >= 0 && what < 70) {
            assert_int_equal(uid, -first);
            offset_tracker_unpark(&tracker, tickets[first], &owner);
            is[first] = OFFSET_OPEN;
        } else if (pick < next && is[pick] == OFFSET_OPEN) {
            offset_tracker_resolve(&tracker, tickets[pick]);
            is[pick] = OFFSET_DONE;
        }
        while (lowest < next && is[lowest] == OFFSET_DONE)
            lowest++;
        assert_int_equal(offset_tracker_position(&tracker), next > 0 ? lowest : -1);
        for (first = lowest;
             first < next && (is[first] != OFFSET_PARKED || passed >> first % SHARDS & 1);)
            first++;
        assert_int_equal(parked_but(&tracker, passed, &uid), first < next ? first : -1);
    }
    assert_int_equal(tracker.parked, 0);
    offset_tracker_free(&tracker);
}

/* Against the plainest model: a flag per offset. Runs the ring around many times while it grows. */
static void agrees_with_a_model_over_many_rounds(void **state)
{
    (void)state;
    enum { N = 20000, WINDOW = 300, SHARDS = 3 };
    struct offset_tracker tracker;
    static uint64_t tickets[N];
    static char done[N];
    int open[WINDOW], n_open = 0, next = 0, lowest = 0;

    offset_tracker_init(&tracker);
    srand(1);
    while (next < N || n_open > 0) {
        if (next < N && n_open < WINDOW && (n_open == 0 || rand() % 100 < 52)) {
            tickets[next] = offset_tracker_add(&tracker, next, &owner);
            open[n_open++] = next++;
        } else {
            int pick = rand() % n_open;
            done[open[pick]] = 1;
            offset_tracker_resolve(&tracker, tickets[open[pick]]);
            open[pick] = open[--n_open];
        }
        while (lowest < next && done[lowest])
            lowest++;
        assert_int_equal(offset_tracker_position(&tracker), lowest);
        assert_int_equal(offset_tracker_span(&tracker), next - lowest);
    }
    assert_true(tracker.size <= 16384);
    offset_tracker_free(&tracker);
}

static void what_is_open_in_a_former_log_holds_the_position_back(void **state)
{
    (void)state;
    struct offset_tracker tracker;

    offset_tracker_init(&tracker);
    offset_tracker_skip(&tracker, 100);
    uint64_t old = offset_tracker_add(&tracker, 101, &owner);
    offset_tracker_restart(&tracker);
    assert_int_equal(offset_tracker_position(&tracker), -1);
    assert_int_equal(offset_tracker_replay(&tracker), -1);
    assert_int_equal(offset_tracker_span(&tracker), 0);
    offset_tracker_skip(&tracker, 3);
    uint64_t new = offset_tracker_add(&tracker, 4, &owner);
    assert_int_equal(offset_tracker_position(&tracker), -1);
    assert_int_equal(offset_tracker_replay(&tracker), 3);
    assert_int_equal(offset_tracker_span(&tracker), 2);
    offset_tracker_resolve(&tracker, old);
    assert_int_equal(offset_tracker_position(&tracker), 4);
    assert_int_equal(offset_tracker_replay(&tracker), 4);
    offset_tracker_resolve(&tracker, new);
    assert_int_equal(offset_tracker_position(&tracker), 5);
    offset_tracker_restart(&tracker);
    assert_int_equal(offset_tracker_position(&tracker), -1);
    offset_tracker_skip(&tracker, 0);
    assert_int_equal(offset_tracker_position(&tracker), 1);
    offset_tracker_free(&tracker);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(position_is_unknown_before_the_first_message),
        cmocka_unit_test(position_waits_for_the_lowest),
        cmocka_unit_test(gaps_and_skipped_offsets_count_as_resolved),
        cmocka_unit_test(popping_gives_the_newest_first_and_no_resolved_owner),
        cmocka_unit_test(what_is_open_in_a_former_log_holds_the_position_back),
        cmocka_unit_test(parked_ones_hold_the_position_and_come_back_lowest_first),
        cmocka_unit_test(agrees_with_a_model_over_many_rounds),
        cmocka_unit_test(parking_agrees_with_a_model_over_many_rounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
