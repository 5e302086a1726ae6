#include "bench/check/judge.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const struct people people = {
    .count = 2, .rooms = 1, .group = 1, .lanes = {1, 2, 1}, .plain = "{\"test\":1}"};
static const char push[] = "\0\0\0\x1a\0\x10\0\0\0\0\0\x05\0\0\0\0{\"test\":1}";
enum { PUSH = sizeof push - 1 };

static struct worker_stats stats;
static struct shared *shared;
static struct judge *judge;

static int setup(void **state)
{
    const size_t streams[STREAM_KINDS] = {2, 2, 1};

    (void)state;
    stats = (struct worker_stats){0};
    shared = shared_open(streams, true);
    judge = judge_new(
        &(struct judge_options){
            .people = &people, .transport = transport_find("tcp"), .shared = shared, .n = 2},
        &stats);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    judge_free(judge);
    shared_close(shared);
    return 0;
}

static size_t take(size_t i, const void *data, size_t len)
{
    return judge_run(judge, i, data, len);
}

static void accept_pushes(uint32_t first_lane, uint32_t second_lane)
{
    shared->accepted[shared->first_of_kind[STREAM_ROOM]] = first_lane;
    shared->accepted[shared->first_of_kind[STREAM_ROOM] + 1] = second_lane;
}

static void whole_pushes_are_taken(void **state)
{
    uint8_t data[3 * PUSH];

    (void)state;
    for (size_t i = 0; i < 3; i++)
        memcpy(data + i * PUSH, push, PUSH);
    assert_int_equal(take(0, data, sizeof data), 3 * PUSH);
    assert_int_equal(take(1, data, sizeof data - 1), 2 * PUSH);
    judge_flush(judge);
    assert_int_equal(stats.deliveries, 5);
    assert_int_equal(stats.latency[STREAM_ROOM].count, 5);
}

static void other_messages_are_left(void **state)
{
    uint8_t data[2 * PUSH + 16] = {0};

    (void)state;
    memcpy(data, push, PUSH);
    memcpy(data + PUSH + 16, push, PUSH);
    assert_int_equal(take(0, data, sizeof data), PUSH);
    assert_int_equal(take(0, data + PUSH, PUSH + 16), 0);
}

static void a_message_is_compared(void **state)
{
    (void)state;
    judge_message(judge, 0, (const uint8_t *)push + 16, 10, 1);
    assert_int_equal(stats.malformed, 0);
    judge_message(judge, 0, (const uint8_t *)"{\"test\":2}", 10, 1);
    judge_message(judge, 0, (const uint8_t *)push + 16, 9, 1);
    assert_int_equal(stats.malformed, 2);
    judge_flush(judge);
    assert_int_equal(stats.deliveries, 1);
}

static void lost_and_extra_are_told_per_connection(void **state)
{
    (void)state;
    take(0, push, PUSH);
    accept_pushes(1, 2);
    assert_int_equal(judge_lost(judge, 0), 2);
    assert_int_equal(judge_lost(judge, 1), 3);
    assert_int_equal(judge_extra(judge, 0), 0);
    accept_pushes(0, 0);
    assert_int_equal(judge_lost(judge, 0), 0);
    assert_int_equal(judge_extra(judge, 0), 1);
}

/* The K-th message of a connection is the K-th push, whoever else got how many. */
static void ages_count_from_the_push_of_that_number(void **state)
{
    (void)state;
    for (size_t i = 0; i < 3; i++)
        shared->due_ns[i] = UINT64_MAX; /* not yet: age 0 */
    take(0, push, PUSH);
    take(0, push, PUSH);
    judge_flush(judge);
    assert_int_equal(stats.latency[STREAM_ROOM].max, 0);
    shared->due_ns[2] = 1;
    take(0, push, PUSH);
    judge_flush(judge);
    assert_true(stats.latency[STREAM_ROOM].max > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(whole_pushes_are_taken, setup, teardown),
        cmocka_unit_test_setup_teardown(other_messages_are_left, setup, teardown),
        cmocka_unit_test_setup_teardown(a_message_is_compared, setup, teardown),
        cmocka_unit_test_setup_teardown(lost_and_extra_are_told_per_connection, setup, teardown),
        cmocka_unit_test_setup_teardown(ages_count_from_the_push_of_that_number, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
