#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/base/time.h"
#include "common/protocol/message_id.h"

enum { MS = 1000 }; /* microseconds */

static void carries_time_fraction_and_node(void **state)
{
    (void)state;
    struct message_ids ids;
    message_id_init(&ids, 5);
    uint64_t id = message_id_next(&ids, 1700000000000 * MS);
    assert_int_equal(id, 1700000000000U << 22 | 5U);
    assert_int_equal(message_id_millis(id), 1700000000000);
    assert_int_equal(message_id_next(&ids, 1700000000000 * MS), id + (1U << 10));
    assert_int_equal(message_id_next(&ids, 1700000000000 * MS + 500),
                     1700000000000U << 22 | 2048U << 10 | 5U);
    assert_int_equal(message_id_next(&ids, 1700000000000 * MS + 999),
                     1700000000000U << 22 | 4091U << 10 | 5U);
    assert_int_equal(message_id_next(&ids, 1700000000001 * MS), 1700000000001U << 22 | 5U);
}

/* Whichever node has the higher number. */
static void orders_within_a_millisecond_over_nodes(void **state)
{
    (void)state;
    struct message_ids high, low;
    message_id_init(&high, 7);
    message_id_init(&low, 3);
    uint64_t first = message_id_next(&high, 5000 * MS + 100),
             second = message_id_next(&low, 5000 * MS + 101);
    assert_true(second > first);
    assert_true(message_id_next(&high, 5000 * MS + 102) > second);
    assert_true(message_id_next(&high, 6000 * MS) != message_id_next(&low, 6000 * MS));
}

static void rises_past_4096_in_a_millisecond(void **state)
{
    (void)state;
    struct message_ids ids;
    message_id_init(&ids, MESSAGE_ID_MAX_NODE);
    uint64_t last = 0;
    for (int i = 0; i < 10000; i++) {
        uint64_t id = message_id_next(&ids, 1000 * MS);
        assert_true(id > last);
        assert_int_equal(id & 1023, MESSAGE_ID_MAX_NODE);
        last = id;
    }
    assert_int_equal(message_id_millis(last), 1002);      /* ran ahead: 10,000 / 4096 */
    assert_true(message_id_next(&ids, 1001 * MS) > last); /* and the clock has not caught up */
    assert_int_equal(message_id_millis(message_id_next(&ids, 1003 * MS)), 1003);
}

static void rises_when_the_clock_steps_back(void **state)
{
    (void)state;
    struct message_ids ids;
    message_id_init(&ids, 0);
    uint64_t last = message_id_next(&ids, 5000 * MS);
    for (uint64_t ms = 4999; ms > 0; ms--) {
        uint64_t id = message_id_next(&ids, ms * MS);
        assert_true(id > last);
        last = id;
    }
}

static void rises_over_a_change_of_node(void **state)
{
    (void)state;
    struct message_ids ids;
    message_id_init(&ids, 9);
    uint64_t last = message_id_next(&ids, 5000 * MS);
    message_id_renumber(&ids, 3);
    uint64_t id = message_id_next(&ids, 5000 * MS);
    assert_true(id > last);
    assert_int_equal(id & 1023, 3);
}

static void tells_when_it_was_made(void **state)
{
    struct message_ids ids;
    (void)state;
    message_id_init(&ids, 1023);
    for (uint64_t us = 1700000000000 * MS; us < 1700000000002 * MS; us += 7)
        assert_in_range(message_id_us(message_id_next(&ids, us)), us - 1, us);
}

static void clock_is_unix_milliseconds(void **state)
{
    (void)state;
    assert_true(time_unix_ms() > 1577836800000); /* 2020 */
    assert_true(time_unix_ms() < 4102444800000); /* 2100 */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(carries_time_fraction_and_node),
        cmocka_unit_test(orders_within_a_millisecond_over_nodes),
        cmocka_unit_test(rises_past_4096_in_a_millisecond),
        cmocka_unit_test(rises_when_the_clock_steps_back),
        cmocka_unit_test(rises_over_a_change_of_node),
        cmocka_unit_test(tells_when_it_was_made),
        cmocka_unit_test(clock_is_unix_milliseconds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
