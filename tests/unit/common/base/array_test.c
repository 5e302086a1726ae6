#include "common/base/array.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

static void grows_by_doubling_and_keeps_what_is_in_it(void **state)
{
    uint64_t *items = NULL;
    size_t n = 0, cap = 0;

    (void)state;
    for (uint64_t i = 0; i < 1000; i++) {
        ARRAY_ROOM(items, n, cap, 4);
        items[n++] = i;
        assert_true(cap >= n && (cap == 4 || cap / 2 < n));
    }
    assert_int_equal(cap, 1024);
    for (uint64_t i = 0; i < n; i++)
        assert_int_equal(items[i], i);
    free(items);
}

/* Pointers, and a room of another integer type. */
static void takes_the_types_of_its_owner(void **state)
{
    struct {
        const char **names;
        uint32_t n, cap;
    } list = {0};

    (void)state;
    for (int i = 0; i < 3; i++) {
        ARRAY_ROOM(list.names, list.n, list.cap, 1);
        list.names[list.n++] = "name";
    }
    assert_int_equal(list.cap, 4);
    assert_string_equal(list.names[2], "name");
    free(list.names);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(grows_by_doubling_and_keeps_what_is_in_it),
        cmocka_unit_test(takes_the_types_of_its_owner),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
