/* The table of types, and lists of them. */
#include "common/events/event_types.h"
#include "proto/events.pb-c.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* needs the above */
#include <cmocka.h>

static char err[200];

static void each_has_its_record(void **state)
{
    (void)state;
    for (int type = 0; type < EVENT_TYPES; type++) {
        assert_non_null(event_type_names[type].what);
        assert_int_equal(event_type_of_record(event_type_names[type].record), type);
    }
    assert_int_equal(event_type_of_record(IMC__V1__SESSION_RECORD__WHAT__LEFT), EVENT_LEFT);
    assert_int_equal(event_type_of_record(IMC__V1__SESSION_RECORD__WHAT__NONE), EVENT_TYPES);
    assert_int_equal(event_type_of_record(99), EVENT_TYPES);
}

static void lists_are_read(void **state)
{
    unsigned types = 7;

    (void)state;
    assert_int_equal(event_types_read(EVENT_TYPES_TEXT, &types, err, sizeof err), 0);
    assert_int_equal(types, (1U << EVENT_TYPES) - 1);
    assert_int_equal(event_types_read(" left ,joined", &types, err, sizeof err), 0);
    assert_int_equal(types, EVENTS_OF_ROOMS);
    assert_int_equal(event_types_read("", &types, err, sizeof err), 0);
    assert_int_equal(types, 0);
}

static void a_name_that_nobody_knows_is_refused(void **state)
{
    unsigned types = 7;

    (void)state;
    assert_int_equal(event_types_read("left, arrived", &types, err, sizeof err), -EINVAL);
    assert_non_null(strstr(err, "\"arrived\" is no type of event: connected, "));
    assert_int_equal(event_types_read("lef", &types, err, sizeof err), -EINVAL);
    assert_int_equal(types, 7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_has_its_record),
        cmocka_unit_test(lists_are_read),
        cmocka_unit_test(a_name_that_nobody_knows_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
