#include "bench/load/tokens.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* The form of logic/tokens/tokens.c: version, uid, accepts, room; see token_encode(). */
static void a_token_stands_for_uid_and_room(void **state)
{
    const struct people people = {.run = 0x2a, .uid_base = 1000, .count = 10, .rooms = 2};
    char value[TOKENS_VALUE_MAX];

    (void)state;
    assert_int_equal(tokens_value(&people, 3, value, sizeof value), 25);
    assert_string_equal(value, "1 1003 * bench-0000002a-1");
}

static void nobody_in_a_room_has_none(void **state)
{
    const struct people people = {.uid_base = 7, .count = 1};
    char value[TOKENS_VALUE_MAX];

    (void)state;
    tokens_value(&people, 0, value, sizeof value);
    assert_string_equal(value, "1 7 * ");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_token_stands_for_uid_and_room),
        cmocka_unit_test(nobody_in_a_room_has_none),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
