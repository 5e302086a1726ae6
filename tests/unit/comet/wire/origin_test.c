/* Which origins fit ws.allowed_origins, and which only look as if they did. */
#include "comet/wire/origin.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static bool fits(const char *list, const char *origin)
{
    return origin_is_allowed(list, origin, strlen(origin));
}

static void an_exact_item_is_scheme_host_and_port(void **state)
{
    const char *list = "https://example.com, http://10.0.0.1:8000,http://[::1]:80";

    (void)state;
    assert_true(fits(list, "https://example.com"));
    assert_true(fits(list, "HTTPS://Example.COM"));
    assert_true(fits(list, "https://example.com:443"));
    assert_true(fits(list, "http://10.0.0.1:8000"));
    assert_true(fits(list, "http://[::1]"));
    static const char *const others[] = {
        "http://example.com",
        "https://example.com:444",
        "https://example.com:",
        "https://example.com:0443",
        "https://www.example.com",
        "https://example.com.",
        "https://example.com.evil.x",
        "https://evil.x/example.com",
        "https://evilexample.com",
        "https://example.com@evil.x",
        "https://evil.x#example.com",
        "https://example.com/",
        "https://example.com%00.x",
        "https://example.com\\.x",
        " https://example.com",
        "https:/example.com",
        "//example.com",
        "example.com",
        "null",
        "",
        "http://10.0.0.1",
        "http://10.0.0.1:80000",
        "http://10.0.0.1:-8000",
        "http://[::1]:81",
        "https://",
        "https://example.com,https://evil.x",
    };
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        if (fits(list, others[i]))
            fail_msg("%s is let in", others[i]);
    }
}

static void a_star_stands_for_labels_below(void **state)
{
    const char *list = "https://*.example.com";

    (void)state;
    assert_true(fits(list, "https://a.example.com"));
    assert_true(fits(list, "https://a.b.example.com"));
    assert_true(fits(list, "https://A.EXAMPLE.com:443"));
    static const char *const others[] = {
        "https://example.com",          "https://.example.com",
        "https://..example.com",        "https://evilexample.com",
        "https://a.example.com.evil.x", "https://a.example.com:8443",
        "http://a.example.com",         "https://evil.x?.example.com",
        "https://evil.x/.example.com",  "https://u@a.example.com",
        "https://u:p@a.example.com",    "https://evil.x#.example.com",
        "https://evil.x\\.example.com", "https://a.example.com.",
        "https://a b.example.com",      "https://a..example.com",
        "https://*.example.com",        "https://evil.x:80.example.com",
        "https://[::1].example.com",    "https://evil.x%2f.example.com",
        "https://evil.x\t.example.com", "https://a.example.co",
        "wss://a.example.com",
    };
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        if (fits(list, others[i]))
            fail_msg("%s is let in", others[i]);
    }
}

static void bytes_behind_a_nul_do_not_hide(void **state)
{
    static const char origin[] = "https://a.example.com\0.evil.x";
    static const char other[] = "https://evil.x\0.example.com";

    (void)state;
    assert_false(origin_is_allowed("https://*.example.com", origin, sizeof origin - 1));
    assert_false(origin_is_allowed("https://*.example.com", other, sizeof other - 1));
    assert_false(origin_is_allowed("https://a.example.com", origin, sizeof origin - 1));
}

static void a_port_may_be_any(void **state)
{
    const char *list = "http://localhost:*, https://*.example.com:*";

    (void)state;
    assert_true(fits(list, "http://localhost"));
    assert_true(fits(list, "http://localhost:3000"));
    assert_true(fits(list, "https://a.example.com:8443"));
    assert_false(fits(list, "http://localhost:"));
    assert_false(fits(list, "http://localhost:x"));
    assert_false(fits(list, "http://localhost:80@evil.x"));
    assert_false(fits(list, "https://localhost:3000"));
}

static void null_has_to_be_named(void **state)
{
    (void)state;
    assert_false(fits("https://example.com", "null"));
    assert_true(fits("https://example.com, null", "null"));
    assert_false(fits("null", "https://null"));
    assert_true(fits("*", "null"));
}

static void other_schemes_have_no_port_of_their_own(void **state)
{
    (void)state;
    assert_true(fits("capacitor://localhost", "capacitor://localhost"));
    assert_false(fits("capacitor://localhost", "capacitor://localhost:443"));
    assert_true(fits("chrome-extension://abcdef", "chrome-extension://abcdef"));
    assert_true(fits("file://", "file://"));
    assert_false(fits("file://", "file:///etc"));
}

static void an_empty_list_lets_all_in(void **state)
{
    (void)state;
    assert_true(fits("", "https://evil.x"));
    assert_true(fits(" , ", "https://evil.x"));
    assert_true(origin_is_allowed(NULL, "null", 4));
    assert_true(fits("*", "what is this"));
}

static void items_that_make_no_sense_are_named(void **state)
{
    static const char *const bad[] = {
        "example.com",          "*.example.com",      "https://*example.com", "https://a.*.com",
        "https://example.com/", "https://e.com:port", "https://e.com:0",      "https://*",
        "https://*.",           "https://u@e.com",    "https://e.com:70000",  "://e.com",
        "https://*.*.e.com",    "https://e..com",
    };
    char err[512];

    (void)state;
    assert_int_equal(
        origin_check_list("*, null, https://a.b, https://*.a.b:*, file://", err, sizeof err), 0);
    assert_int_equal(origin_check_list("", err, sizeof err), 0);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        char list[256];
        (void)snprintf(list, sizeof list, "https://good.x, %s", bad[i]);
        err[0] = '\0';
        if (origin_check_list(list, err, sizeof err) != -EINVAL || strstr(err, bad[i]) == NULL)
            fail_msg("%s: %s", bad[i], err);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_exact_item_is_scheme_host_and_port),
        cmocka_unit_test(a_star_stands_for_labels_below),
        cmocka_unit_test(bytes_behind_a_nul_do_not_hide),
        cmocka_unit_test(a_port_may_be_any),
        cmocka_unit_test(null_has_to_be_named),
        cmocka_unit_test(other_schemes_have_no_port_of_their_own),
        cmocka_unit_test(an_empty_list_lets_all_in),
        cmocka_unit_test(items_that_make_no_sense_are_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
