/* What was applied is repeated, what was not is new, and nothing is believed that nobody said. */
#include "comet/job/replay_window.h"
#include "common/base/mem.h"
#include "common/protocol/fence.h"
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { P = 7, W = REPLAY_WINDOW, ID = 12345 };

static struct replay_windows *applied;

static int setup(void **state)
{
    (void)state;
    applied = replay_windows_new();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    replay_windows_free(applied);
    return 0;
}

static enum replay_verdict look(int64_t offset)
{
    return replay_windows_check(applied, P, offset, ID);
}

static void take_at(int64_t offset)
{
    replay_windows_taken(applied, P, offset, ID, true);
}

enum { NOW = 1000000 };

static enum replay_speaker hear(uint32_t partition, uint64_t fence)
{
    return replay_windows_speaker(applied, partition, fence, NOW);
}

static void only_what_was_taken_is_a_repeat(void **state)
{
    (void)state;
    assert_int_equal(look(100), REPLAY_NEW);
    assert_int_equal(look(100), REPLAY_NEW); /* not taken yet: pending, or gone */
    take_at(100);
    assert_int_equal(look(100), REPLAY_REPEAT);
    assert_int_equal(look(99), REPLAY_NEW);
    assert_int_equal(look(101), REPLAY_NEW);
    assert_int_equal(replay_windows_check(applied, P + 1, 100, ID), REPLAY_NEW);
}

static void the_highest_offset_of_all_is_one_like_others(void **state)
{
    (void)state;
    assert_int_equal(look(INT64_MAX), REPLAY_NEW);
    take_at(INT64_MAX);
    assert_int_equal(look(INT64_MAX), REPLAY_REPEAT);
    assert_int_equal(look(INT64_MAX - 1), REPLAY_NEW);
    assert_int_equal(look(5), REPLAY_NEW);
}

static void offsets_need_not_rise(void **state)
{
    (void)state;
    assert_int_equal(look(500), REPLAY_NEW);
    take_at(500);
    assert_int_equal(look(3), REPLAY_NEW);
    take_at(3);
    assert_int_equal(look(3), REPLAY_REPEAT);
    assert_int_equal(look(501), REPLAY_NEW);
    assert_int_equal(look(3), REPLAY_REPEAT);
    assert_int_equal(look(500), REPLAY_REPEAT);
}

static void the_window_is_remembered_to_its_edge(void **state)
{
    (void)state;
    assert_int_equal(look(0), REPLAY_NEW);
    take_at(0);
    take_at(1);
    assert_int_equal(look(W - 1), REPLAY_NEW);
    assert_int_equal(look(W), REPLAY_NEW); /* has the place that is 0's */
    assert_int_equal(look(0), REPLAY_REPEAT);
    take_at(W);
    assert_int_equal(look(W), REPLAY_REPEAT);
    assert_int_equal(look(0), REPLAY_NEW);
    assert_int_equal(look(1), REPLAY_REPEAT);
}

static void what_fell_out_of_the_window_passes_for_nothing_new(void **state)
{
    (void)state;
    look(5 + W);
    take_at(5); /* was pending all the time */
    assert_int_equal(look(5 + W), REPLAY_NEW);
    assert_int_equal(look(5 + 2 * W), REPLAY_NEW);
}

/* Kafka lost its data, or the topic was made anew. */
static void another_message_at_the_same_offset_is_new(void **state)
{
    (void)state;
    for (int64_t offset = 0; offset < 1000; offset++) {
        look(offset);
        take_at(offset);
    }
    for (int64_t offset = 0; offset < 1000; offset++) {
        assert_int_equal(replay_windows_check(applied, P, offset, ID + 1), REPLAY_NEW);
        replay_windows_taken(applied, P, offset, ID + 1, true);
        assert_int_equal(replay_windows_check(applied, P, offset, ID + 1), REPLAY_REPEAT);
        assert_int_equal(look(offset), REPLAY_NEW);
    }
}

static void a_jump_forgets_what_it_passed(void **state)
{
    (void)state;
    for (int64_t offset = 0; offset < 1000; offset++) {
        look(offset);
        take_at(offset);
    }
    look(10LL * W + 500);
    for (int64_t offset = 0; offset < 1000; offset++)
        assert_int_equal(look(10LL * W - 500 + offset), REPLAY_NEW);
    assert_int_equal(look(9LL * W + 501), REPLAY_NEW);
}

static void lower_fences_are_refused(void **state)
{
    (void)state;
    assert_int_equal(replay_windows_fence(applied, P), 0);
    assert_int_equal(hear(P, 5), SPEAKER_HEARD);
    assert_int_equal(hear(P, 5), SPEAKER_HEARD);
    assert_int_equal(hear(P, 4), SPEAKER_FENCED);
    assert_int_equal(hear(P + 1, 4), SPEAKER_HEARD);
    assert_int_equal(hear(P, 6), SPEAKER_HEARD);
    assert_int_equal(hear(P, 5), SPEAKER_FENCED);
    assert_int_equal(replay_windows_fence(applied, P), 6);
    assert_int_equal(replay_windows_fence(applied, P + 1), 4);
}

static void a_new_owner_replays_what_the_old_one_applied(void **state)
{
    (void)state;
    hear(P, 5);
    look(10);
    take_at(10);
    hear(P, 6);
    assert_int_equal(look(10), REPLAY_REPEAT);
    assert_int_equal(look(11), REPLAY_NEW);
}

static void no_fence_and_no_offset_are_not_checked(void **state)
{
    (void)state;
    assert_int_equal(hear(P, 5), SPEAKER_HEARD);
    assert_int_equal(hear(P, 0), SPEAKER_HEARD);
    assert_int_equal(hear(P, 4), SPEAKER_FENCED);
    take_at(-1);
    assert_int_equal(look(-1), REPLAY_NEW);
}

static void partitions_beyond_the_limit_are_refused(void **state)
{
    (void)state;
    assert_int_equal(hear(PARTITIONS_MAX - 1, 1), SPEAKER_HEARD);
    assert_int_equal(hear(PARTITIONS_MAX, 1), SPEAKER_FENCED);
    assert_int_equal(hear(PARTITIONS_MAX, 0), SPEAKER_FENCED);
    assert_int_equal(hear(UINT32_MAX, 1), SPEAKER_FENCED);
    assert_int_equal(replay_windows_fence(applied, UINT32_MAX), 0);
    replay_windows_taken(applied, PARTITIONS_MAX, 0, ID, true);
    take_at(0); /* was never seen */
}

/* So that nobody is shut out for ever by a number that somebody made up. */
static void a_fence_of_the_far_future_is_not_believed(void **state)
{
    (void)state;
    assert_int_equal(hear(P, UINT64_MAX), SPEAKER_IMPLAUSIBLE);
    assert_int_equal(hear(P, NOW + FENCE_AHEAD_MS + 1), SPEAKER_IMPLAUSIBLE);
    assert_int_equal(replay_windows_fence(applied, P), 0);
    assert_int_equal(hear(P, NOW + FENCE_AHEAD_MS), SPEAKER_HEARD);
    assert_int_equal(hear(P, NOW), SPEAKER_FENCED);
    /* The next moment there is a number above it. */
    assert_int_equal(replay_windows_speaker(applied, P, NOW + FENCE_AHEAD_MS + 1, NOW + 1),
                     SPEAKER_HEARD);
}

static void a_fence_that_only_a_wrong_clock_believed_is_forgotten(void **state)
{
    uint64_t wrong = NOW + 3ULL * FENCE_AHEAD_MS;

    (void)state;
    assert_int_equal(replay_windows_speaker(applied, P, wrong, wrong), SPEAKER_HEARD);
    assert_int_equal(hear(P, NOW), SPEAKER_HEARD);
    assert_int_equal(replay_windows_fence(applied, P), NOW);
}

/* Against a plain list of what each place was given last. */
static void random_offsets_match_a_plain_list(void **state)
{
    (void)state;
    int64_t *places = mem_alloc(W * sizeof *places);
    int64_t highest = -1;

    for (int64_t i = 0; i < W; i++)
        places[i] = -1;
    srand(1);
    while (highest < 6LL * W) {
        int64_t back = rand() % 4 == 0 ? rand() % (W + W / 8) : rand() % 100;
        int64_t offset = rand() % 2 == 0 ? highest + 1 + rand() % 300 : highest - back;
        if (rand() % 2000 == 0)
            offset = highest + rand() % (W + W / 4);
        if (offset < 0)
            offset = 0;
        assert_int_equal(look(offset), places[offset % W] == offset ? REPLAY_REPEAT : REPLAY_NEW);
        if (offset > highest)
            highest = offset;
        if (rand() % 3 != 0) {
            take_at(offset);
            places[offset % W] = offset;
        }
    }
    free(places);
}

/* --- loops say what they took while the rpc thread goes on --- */

enum { THREADS = 4, EACH = 50000 };

struct taker {
    pthread_t thread;
    int64_t first;
    _Atomic int64_t *seen; /* highest offset that was checked */
};

static void *take(void *arg)
{
    struct taker *taker = arg;

    for (int64_t i = 0; i < EACH; i++) {
        int64_t offset = taker->first + i * THREADS;
        while (atomic_load_explicit(taker->seen, memory_order_acquire) < offset)
            continue;
        if (offset % 3 != 0)
            take_at(offset);
    }
    return NULL;
}

static void loops_take_while_offsets_are_checked(void **state)
{
    (void)state;
    _Atomic int64_t seen = -1;
    struct taker takers[THREADS];

    for (int i = 0; i < THREADS; i++) {
        takers[i] = (struct taker){.first = i, .seen = &seen};
        assert_int_equal(pthread_create(&takers[i].thread, NULL, take, &takers[i]), 0);
    }
    for (int64_t offset = 0; offset < THREADS * EACH; offset++) {
        assert_int_equal(look(offset), REPLAY_NEW);
        atomic_store_explicit(&seen, offset, memory_order_release);
    }
    for (int i = 0; i < THREADS; i++)
        pthread_join(takers[i].thread, NULL);
    for (int64_t offset = 0; offset < THREADS * EACH; offset++)
        assert_int_equal(look(offset), offset % 3 != 0 ? REPLAY_REPEAT : REPLAY_NEW);
}

/* An old offset is told as taken just when the window passes over it: at most a repeat is lost by
 * that, never is a new offset taken for applied. */
static void *take_old(void *arg)
{
    struct taker *taker = arg;
    _Atomic int64_t seen = 0;
    int64_t end = 4LL * W;

    while (seen < end) {
        seen = atomic_load_explicit(taker->seen, memory_order_acquire);
        take_at(seen - W + 1);
        take_at(seen - W + 2);
        take_at(seen - W);
    }
    return NULL;
}

static void old_offsets_never_pass_for_new_ones(void **state)
{
    (void)state;
    _Atomic int64_t seen = W;
    struct taker taker = {.seen = &seen};

    look(W);
    assert_int_equal(pthread_create(&taker.thread, NULL, take_old, &taker), 0);
    for (int64_t offset = W + 1; offset <= 4LL * W; offset++) {
        look(offset);
        atomic_store_explicit(&seen, offset, memory_order_release);
    }
    pthread_join(taker.thread, NULL);
    for (int64_t offset = 4LL * W; offset > 3LL * W + 4; offset--)
        assert_int_equal(look(offset), REPLAY_NEW);
}

/* --- what was left out before --- */

static void what_a_newer_one_has_passed_is_not_delivered(void **state)
{
    (void)state;
    assert_false(replay_windows_passed(applied, P, 5, 100)); /* nothing has come */
    replay_windows_pass(applied, P, 10, 100);
    assert_true(replay_windows_passed(applied, P, 9, 99));
    assert_false(replay_windows_passed(applied, P, 10, 99));
    assert_false(replay_windows_passed(applied, P, 11, 99)); /* a clock that was behind */
    assert_false(replay_windows_passed(applied, P, 9, 100));
    assert_false(replay_windows_passed(applied, P, 9, 101)); /* offsets start again */
    assert_false(replay_windows_passed(applied, P, 9, 0));   /* goim's: it has no id */
    assert_false(replay_windows_passed(applied, P + 1, 9, 99));
    replay_windows_pass(applied, P, 2, 101);
    assert_false(replay_windows_passed(applied, P, 9, 99)); /* the other log's offsets count now */
    assert_true(replay_windows_passed(applied, P, 1, 100));
    replay_windows_pass(applied, P, 20, 0);
    assert_false(replay_windows_passed(applied, P, 19, 1));
    replay_windows_pass(applied, P, -1, 200); /* not checked, not remembered */
    assert_false(replay_windows_passed(applied, P, 1, 1));
}

static void it_is_known_whether_it_was_written(void **state)
{
    (void)state;
    replay_windows_check(applied, P, 7, ID);
    replay_windows_taken(applied, P, 7, ID, false);
    assert_int_equal(replay_windows_check(applied, P, 7, ID), REPLAY_REPEAT_UNWRITTEN);
    replay_windows_taken(applied, P, 7, ID, true);
    assert_int_equal(replay_windows_check(applied, P, 7, ID), REPLAY_REPEAT);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(it_is_known_whether_it_was_written),
        TEST(only_what_was_taken_is_a_repeat),
        TEST(the_highest_offset_of_all_is_one_like_others),
        TEST(offsets_need_not_rise),
        TEST(the_window_is_remembered_to_its_edge),
        TEST(what_fell_out_of_the_window_passes_for_nothing_new),
        TEST(another_message_at_the_same_offset_is_new),
        TEST(a_jump_forgets_what_it_passed),
        TEST(lower_fences_are_refused),
        TEST(a_new_owner_replays_what_the_old_one_applied),
        TEST(no_fence_and_no_offset_are_not_checked),
        TEST(partitions_beyond_the_limit_are_refused),
        TEST(a_fence_of_the_far_future_is_not_believed),
        TEST(a_fence_that_only_a_wrong_clock_believed_is_forgotten),
        TEST(random_offsets_match_a_plain_list),
        TEST(loops_take_while_offsets_are_checked),
        TEST(what_a_newer_one_has_passed_is_not_delivered),
        TEST(old_offsets_never_pass_for_new_ones),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
