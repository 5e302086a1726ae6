#include "common/base/list.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

struct item {
    STAILQ_ENTRY(item) link;
    int number;
};

STAILQ_HEAD(queue, item);

static void takes_in_order_and_is_usable_again(void **state)
{
    struct queue queue = STAILQ_HEAD_INITIALIZER(queue);
    struct item items[3] = {{.number = 0}, {.number = 1}, {.number = 2}};

    (void)state;
    for (int round = 0; round < 2; round++) {
        assert_null(STAILQ_TAKE(&queue, link));
        for (int i = 0; i < 3; i++)
            STAILQ_INSERT_TAIL(&queue, &items[i], link);
        for (int i = 0; i < 3; i++)
            assert_int_equal(STAILQ_TAKE(&queue, link)->number, i);
        assert_true(STAILQ_EMPTY(&queue));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(takes_in_order_and_is_usable_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
