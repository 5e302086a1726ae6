/* What trace.otlp_headers becomes, and what is refused of it. */
#include "common/base/mem.h"
#include "common/trace/otlp_headers.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void expect(const char *list, const char *wanted)
{
    char err[256] = "";
    char *lines = otlp_headers_make(list, err, sizeof err);

    if (lines == NULL)
        fail_msg("%s: %s", list, err);
    assert_string_equal(lines, wanted);
    mem_wiped_free_text(lines);
}

static void expect_refused(const char *list, const char *why)
{
    char err[256] = "";

    assert_null(otlp_headers_make(list, err, sizeof err));
    if (strstr(err, why) == NULL || strncmp(err, "trace.otlp_headers: item ", 25) != 0)
        fail_msg("%s: \"%s\" lacks \"%s\"", list, err, why);
    assert_null(strstr(err, "secret"));
}

static void headers_become_lines(void **state)
{
    (void)state;
    expect("", "");
    expect("api-key=k", "api-key: k\r\n");
    expect("authorization=Bearer%20a=b%2c%25, X-Tenant=7 8",
           "authorization: Bearer a=b,%\r\nX-Tenant: 7 8\r\n");
}

static void what_would_break_a_request_is_refused(void **state)
{
    char many[256] = "";

    (void)state;
    expect_refused("secret", "item 1: want name=value");
    expect_refused("a=b,=secret", "item 2: want name=value");
    expect_refused("a b=secret", "item 1: want name=value");
    expect_refused("a:=secret", "item 1: want name=value");
    expect_refused("k=", "item 1 (k): its value");
    expect_refused("k=secret%", "item 1 (k): its value");
    expect_refused("k=secret%2", "item 1 (k): its value");
    expect_refused("k=secret%0d%0aX: y", "item 1 (k): its value");
    expect_refused("k=secret\x01", "item 1 (k): its value");
    expect_refused("k=s\xc3\xa4"
                   "cret",
                   "item 1 (k): its value");
    expect_refused("Content-Length=5", "item 1 (Content-Length): is set by imc itself");
    expect_refused("host=x", "item 1 (host): is set by imc itself");
    for (int i = 0; i <= OTLP_HEADERS_MOST; i++)
        strncat(many, "a=b,", sizeof many - strlen(many) - 1);
    expect_refused(many, "item 17: too many");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(headers_become_lines),
        cmocka_unit_test(what_would_break_a_request_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
