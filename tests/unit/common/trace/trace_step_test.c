#include "common/trace/trace_step.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void names(void **state)
{
    enum trace_what what;

    (void)state;
    for (int i = 0; i < TRACE_WHATS; i++) {
        assert_true(trace_step_of(trace_step_name((enum trace_what)i), &what));
        assert_int_equal(what, i);
    }
    assert_false(trace_step_of("", &what));
    assert_false(trace_step_of("ends", &what));
}

static void members(void **state)
{
    struct trace_step step = {0};

    (void)state;
    trace_step_number(&step, "uid", -7);
    trace_step_id(&step, "push", UINT64_MAX);
    trace_step_text(&step, "reason", "a \"b\"\n");
    trace_step_session(&step, "comet-1", 0xa1);
    assert_string_equal(step.more, ",\"uid\":-7,\"push\":\"18446744073709551615\","
                                   "\"reason\":\"a \\\"b\\\"\\n\","
                                   "\"session\":\"00000000000000a1.comet-1\"");
    assert_int_equal(step.len, strlen(step.more));
}

/* A member that does not fit is left out whole, and a shorter one behind it is there. */
static void what_does_not_fit(void **state)
{
    struct trace_step step = {0};
    char text[200];

    (void)state;
    memset(text, '\x01', sizeof text - 1); /* six bytes each in JSON */
    text[sizeof text - 1] = '\0';
    trace_step_text(&step, "reason", text);
    assert_string_equal(step.more, "");
    for (int i = 0; i < 100; i++)
        trace_step_number(&step, "n", 1234567);
    assert_true(step.len < TRACE_MORE_MAX && step.len > TRACE_MORE_MAX - 20);
    assert_int_equal(step.len % strlen(",\"n\":1234567"), 0);
    assert_int_equal(step.len, strlen(step.more));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names),
        cmocka_unit_test(members),
        cmocka_unit_test(what_does_not_fit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
