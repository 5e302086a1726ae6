#include "common/trace/otlp_answer.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* needs the above */
#include <cmocka.h>

static char why[OTLP_WHY_MAX];

static void expect(const char *body, size_t refused, const char *reason)
{
    assert_int_equal(otlp_answer_refused(body, strlen(body), 7, why), refused);
    assert_string_equal(why, reason);
}

static void some_are_refused(void **state)
{
    (void)state;
    expect("{\"partialSuccess\":{\"rejectedSpans\":\"3\",\"errorMessage\":\"too old\"}}", 3,
           "too old");
    expect("{\"partialSuccess\":{\"rejectedSpans\":3}}", 3, "");
    expect("{\"partialSuccess\":{\"rejectedSpans\":\"99\",\"errorMessage\":\"a \\\"b\\\"\\nc\"}}",
           7, "a  b  c");
}

static void none_is_refused(void **state)
{
    (void)state;
    expect("{}", 0, "");
    expect("{\"partialSuccess\":{}}", 0, "");
    expect("{\"partialSuccess\":{\"errorMessage\":\"use gRPC\"}}", 0, "use gRPC");
    expect("{\"partialSuccess\":{\"rejectedSpans\":\"-1\"}}", 0, "");
    expect("{\"partialSuccess\":{\"rejectedSpans\":\"many\"}}", 0, "");
    expect("{\"partialSuccess\":[3]}", 0, "");
}

/* 2xx is 2xx, whatever the body is. */
static void no_answer_at_all(void **state)
{
    (void)state;
    expect("", 0, "");
    expect("\n\x02\b\x01", 0, "");
    expect("[", 0, "");
}

static void a_long_reason_is_cut(void **state)
{
    char body[600] = "{\"partialSuccess\":{\"rejectedSpans\":1,\"errorMessage\":\"";
    size_t len = strlen(body);

    (void)state;
    memset(body + len, 'x', 500);
    memcpy(body + len + 500, "\"}}", 4);
    assert_int_equal(otlp_answer_refused(body, strlen(body), 7, why), 1);
    assert_int_equal(strlen(why), OTLP_WHY_MAX - 1);
}

static void what_may_be_sent_again(void **state)
{
    (void)state;
    assert_true(otlp_answer_is_for_now(429));
    assert_true(otlp_answer_is_for_now(503));
    assert_true(otlp_answer_is_for_now(-ECONNREFUSED));
    assert_false(otlp_answer_is_for_now(400));
    assert_false(otlp_answer_is_for_now(401));
    assert_false(otlp_answer_is_for_now(500));
    assert_false(otlp_answer_is_for_now(302));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(some_are_refused),       cmocka_unit_test(none_is_refused),
        cmocka_unit_test(no_answer_at_all),       cmocka_unit_test(a_long_reason_is_cut),
        cmocka_unit_test(what_may_be_sent_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
