#include "common/protocol/op_list.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static void numbers_are_read_one_by_one(void **state)
{
    static const int32_t expected[] = {1000, -1, 0, INT32_MAX, INT32_MIN, 7};
    static const char list[] = "1000,-1,0,2147483647,-2147483648,007";
    size_t at = 0, n = 0;

    (void)state;
    for (int32_t op; at < strlen(list); n++) {
        assert_int_equal(op_list_next(list, strlen(list), &at, &op), 0);
        assert_int_equal(op, expected[n]);
    }
    assert_int_equal(n, 6);
}

static void what_is_no_number_is_refused(void **state)
{
    static const char *const lists[] = {",",
                                        "x",
                                        " 1",
                                        "1 ",
                                        "-",
                                        "--1",
                                        "+1",
                                        "1.0",
                                        "2147483648",
                                        "-2147483649",
                                        "99999999999999999999",
                                        "1,"};

    (void)state;
    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++) {
        size_t at = 0;
        int32_t op;
        assert_int_equal(op_list_next(lists[i], strlen(lists[i]), &at, &op), -EBADMSG);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_are_read_one_by_one),
        cmocka_unit_test(what_is_no_number_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
