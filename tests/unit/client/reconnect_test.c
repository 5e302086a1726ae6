#include "client/reconnect.h"
#include "common/protocol/ops.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct reconnect reconnect;

static int setup(void **state)
{
    (void)state;
    reconnect_init(&reconnect, "home:1", "nodes");
    return 0;
}

static void take(const char *text)
{
    json_t *body = json_loads(text, 0, NULL);
    reconnect_take(&reconnect, body);
    json_decref(body);
}

static void the_nodes_come_first_then_home(void **state)
{
    (void)state;
    take("{\"code\":9,\"reason\":\"\",\"nodes\":[\"a:1\",\"b:1\"],\"wss\":[\"w:1\"]}");
    assert_string_equal(reconnect_next(&reconnect), "a:1");
    assert_string_equal(reconnect_next(&reconnect), "b:1");
    assert_string_equal(reconnect_next(&reconnect), "home:1");
    assert_string_equal(reconnect_next(&reconnect), "home:1");
}

static void who_is_in_forgets_the_nodes(void **state)
{
    (void)state;
    take("{\"nodes\":[\"a:1\",\"b:1\"]}");
    assert_string_equal(reconnect_next(&reconnect), "a:1");
    reconnect_succeeded(&reconnect);
    assert_string_equal(reconnect_next(&reconnect), "home:1");
}

static void pauses_grow_up_to_the_longest(void **state)
{
    (void)state;
    take("{\"backoff\":{\"max_delay\":10,\"base_delay\":3,\"factor\":2,\"jitter\":0.5}}");
    assert_in_range(reconnect_pause_ms(&reconnect, 0.25), 250, 250);
    reconnect_next(&reconnect);
    assert_in_range(reconnect_pause_ms(&reconnect, 0.5), 3000, 3000);
    assert_in_range(reconnect_pause_ms(&reconnect, 1), 4500, 4500);
    assert_in_range(reconnect_pause_ms(&reconnect, 0), 1500, 1500);
    reconnect_next(&reconnect);
    assert_in_range(reconnect_pause_ms(&reconnect, 0.5), 6000, 6000);
    for (int i = 0; i < 1000; i++)
        reconnect_next(&reconnect);
    assert_in_range(reconnect_pause_ms(&reconnect, 0.5), 10000, 10000);
}

static void nonsense_changes_nothing(void **state)
{
    (void)state;
    char long_name[600];
    memset(long_name, 'n', sizeof long_name);
    memcpy(long_name, "{\"nodes\":[\"", 11);
    memcpy(long_name + sizeof long_name - 4, "\"]}", 4);
    take(long_name);
    assert_string_equal(reconnect_next(&reconnect), "home:1");
    reconnect_take(&reconnect, NULL);
    take("{\"nodes\":[1,\"\",null],\"backoff\":{\"base_delay\":-1,\"factor\":\"x\",\"jitter\":9e9}"
         "}");
    assert_string_equal(reconnect_next(&reconnect), "home:1");
    assert_in_range(reconnect_pause_ms(&reconnect, 0), 0, 1800);
    take("{\"nodes\":[\"a:1\",\"b:1\",\"c:1\",\"d:1\"],\"backoff\":[]}");
    assert_int_equal(reconnect.n_nodes, RECONNECT_NODES);
    take("{\"backoff\":{\"base_delay\":1e300,\"max_delay\":1e300,\"factor\":1e300}}");
    assert_in_range(reconnect_pause_ms(&reconnect, 1), 1, 2 * 3600 * 1000);
}

static void only_some_codes_are_worth_another_try(void **state)
{
    (void)state;
    assert_true(reconnect_helps(CLOSE_GOING_AWAY));
    assert_true(reconnect_helps(CLOSE_UNAVAILABLE));
    assert_false(reconnect_helps(CLOSE_BAD_TOKEN));
    assert_false(reconnect_helps(CLOSE_UNKNOWN_OP));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(the_nodes_come_first_then_home, setup),
        cmocka_unit_test_setup(who_is_in_forgets_the_nodes, setup),
        cmocka_unit_test_setup(pauses_grow_up_to_the_longest, setup),
        cmocka_unit_test_setup(nonsense_changes_nothing, setup),
        cmocka_unit_test_setup(only_some_codes_are_worth_another_try, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
