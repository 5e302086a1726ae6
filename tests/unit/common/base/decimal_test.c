#include "common/base/decimal.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
/* cmocka wants these first */
#include <cmocka.h>
#include <inttypes.h>
#include <stdio.h>

static void test_as_printf_writes_it(void **state)
{
    static const int64_t values[] = {0, 7, 9, 10, 99, 100, 12345, INT64_MAX, INT64_MIN, -1, -10};

    (void)state;
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        char got[DECIMAL_MOST + 1], want[32];
        int n = snprintf(want, sizeof want, "%" PRId64, values[i]);
        got[decimal_put(got, values[i])] = '\0';
        assert_string_equal(got, want);
        assert_true(n <= DECIMAL_MOST);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_as_printf_writes_it)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
