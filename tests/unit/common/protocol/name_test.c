#include "common/protocol/name.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* needs the above */
#include <cmocka.h>

static void a_name_has_some_bytes_and_not_too_many(void **state)
{
    char longest[ROOM_NAME_MAX + 1];

    (void)state;
    memset(longest, 'x', sizeof longest);
    assert_true(room_name_is_valid(longest, ROOM_NAME_MAX));
    assert_false(room_name_is_valid(longest, ROOM_NAME_MAX + 1));
    assert_true(name_is_valid(longest, ROOM_NAME_MAX + 1, ROOM_NAME_MAX + 1));
    assert_true(room_name_is_valid("a", 1));
    assert_false(room_name_is_valid("", 0));
}

static void a_name_is_text(void **state)
{
    (void)state;
    assert_true(room_name_is_valid("\xc3\xa4 b://c,d", 10));
    assert_false(room_name_is_valid("a\0b", 3));
    assert_false(room_name_is_valid("a\n", 2));
    assert_false(room_name_is_valid("a\x7f", 2));
    assert_false(room_name_is_valid("\xff", 1));
    assert_false(room_name_is_valid("\xc3", 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_name_has_some_bytes_and_not_too_many),
        cmocka_unit_test(a_name_is_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
