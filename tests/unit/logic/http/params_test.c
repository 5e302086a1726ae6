#include "logic/http/params.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

/* needs the above */
#include <cmocka.h>

static void int64_takes_canonical_numbers(void **state)
{
    struct params_error err;
    int64_t out = 99;

    (void)state;
    assert_int_equal(params_int64("uid", "0", INT64_MIN, INT64_MAX, &out, &err), 0);
    assert_int_equal(out, 0);
    assert_int_equal(params_int64("uid", "-9223372036854775808", INT64_MIN, INT64_MAX, &out, &err),
                     0);
    assert_true(out == INT64_MIN);
    assert_int_equal(params_int64("ttl", "86400", 0, 86400, &out, &err), 0);
    assert_int_equal(out, 86400);
}

static void int64_names_the_field_and_what_is_wrong(void **state)
{
    static const struct {
        const char *text, *want;
    } rows[] = {
        {NULL, "uid: missing"},
        {"", "uid: missing"},
        {"abc", "uid: not a number"},
        {"1x", "uid: not a number"},
        {" 1", "uid: not a number"},
        {"+1", "uid: not a number"},
        {"1 ", "uid: not a number"},
        {"-", "uid: not a number"},
        {"0x10", "uid: not a number"},
        {"1.5", "uid: not a number"},
        {"11", "uid: must be between 0 and 10"},
        {"-1", "uid: must be between 0 and 10"},
        {"9223372036854775808", "uid: must be between 0 and 10"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct params_error err;
        int64_t out = 7;
        assert_true(params_int64("uid", rows[i].text, 0, 10, &out, &err) < 0);
        assert_string_equal(err.text, rows[i].want);
        assert_int_equal(out, 7);
    }
}

static void text_has_limits(void **state)
{
    struct params_error err;
    char longest[130];

    (void)state;
    memset(longest, 'a', sizeof longest);
    longest[128] = '\0';
    assert_int_equal(params_text("rid", longest, 128, &err), 0);
    longest[128] = 'a';
    longest[129] = '\0';
    assert_true(params_text("rid", longest, 128, &err) < 0);
    assert_string_equal(err.text, "rid: longer than 128 bytes");
    assert_int_equal(params_text("rid", "live://1000", 128, &err), 0);
    assert_int_equal(params_text("rid", "直播", 128, &err), 0);
    assert_true(params_text("rid", "a\nb", 128, &err) < 0);
    assert_true(params_text("rid", "\xff", 128, &err) < 0);
    assert_true(params_text("rid", NULL, 128, &err) < 0);
    assert_string_equal(err.text, "rid: missing");
}

static void ops_are_a_list(void **state)
{
    struct params_error err;

    (void)state;
    assert_int_equal(params_ops("accepts", "", 100, &err), 0);
    assert_int_equal(params_ops("accepts", "5", 100, &err), 0);
    assert_int_equal(params_ops("accepts", "5,-6,2147483647", 100, &err), 0);
    assert_true(params_ops("accepts", "5,", 100, &err) < 0);
    assert_true(params_ops("accepts", ",5", 100, &err) < 0);
    assert_true(params_ops("accepts", "5 6", 100, &err) < 0);
    assert_true(params_ops("accepts", "2147483648", 100, &err) < 0);
    assert_true(params_ops("accepts", "55555", 4, &err) < 0);
}

static void jsonp_names(void **state)
{
    char longest[66];

    (void)state;
    assert_true(params_is_jsonp("cb"));
    assert_true(params_is_jsonp("jQuery.cb_1$2"));
    assert_false(params_is_jsonp(""));
    assert_false(params_is_jsonp("a(b"));
    assert_false(params_is_jsonp("a;alert"));
    assert_false(params_is_jsonp("a<b"));
    memset(longest, 'x', sizeof longest);
    longest[64] = '\0';
    assert_true(params_is_jsonp(longest));
    longest[64] = 'x';
    longest[65] = '\0';
    assert_false(params_is_jsonp(longest));
}

static void numbers_in_counts(void **state)
{
    (void)state;
    assert_true(params_is_number("7"));
    assert_true(params_is_number("-7"));
    assert_true(params_is_number("0"));
    assert_false(params_is_number("007"));
    assert_false(params_is_number("-0"));
    assert_false(params_is_number("7a"));
    assert_false(params_is_number(""));
    assert_false(params_is_number("99999999999999999999"));
    assert_false(params_is_number("live://7"));
}

static void check_pushs(const char *body, const char *want_message, size_t n, const int64_t *uids)
{
    struct params_pushs pushs;
    struct params_error err;
    /* Exactly as long as the body, so that a sanitizer sees a step too far. */
    size_t len = strlen(body);
    uint8_t *copy = test_malloc(len);

    memcpy(copy, body, len);
    assert_int_equal(params_pushs(copy, len, 4, &pushs, &err), 0);
    assert_int_equal(pushs.n, n);
    for (size_t i = 0; i < n; i++)
        assert_true(pushs.uids[i] == uids[i]);
    assert_int_equal(pushs.len, strlen(want_message));
    assert_memory_equal(pushs.message, want_message, pushs.len);
    params_pushs_free(&pushs);
    test_free(copy);
}

static void pushs_takes_both_forms_and_keeps_the_message(void **state)
{
    (void)state;
    check_pushs("{\"u\":[1,2,3],\"m\":{\"test\":1}}", "{\"test\":1}", 3, (int64_t[]){1, 2, 3});
    check_pushs("{\"u\":\"1,2\",\"m\":\"x\"}", "\"x\"", 2, (int64_t[]){1, 2});
    check_pushs(" { \"m\" : [ 1.50, {\"}\":\"\\\"\"} ] , \"u\" : [ -7 ] } ",
                "[ 1.50, {\"}\":\"\\\"\"} ]", 1, (int64_t[]){-7});
    check_pushs("{\"u\":[5],\"m\":18446744073709551616}", "18446744073709551616", 1,
                (int64_t[]){5});
    check_pushs("{\"u\":[5,5,6,5],\"m\":1,\"x\":{\"m\":2}}", "1", 2, (int64_t[]){5, 6});
    check_pushs("{\"u\":[1,2,3,4],\"m\":null}", "null", 4, (int64_t[]){1, 2, 3, 4});
}

static void pushs_refuses_and_says_why(void **state)
{
    static const struct {
        const char *body, *want;
    } rows[] = {
        {"", "body: empty"},
        {"[1]", "body: not a JSON object {\"u\":[1,2],\"m\":…}"},
        {"{\"u\":[1],\"m\":}", "body: not a JSON object {\"u\":[1,2],\"m\":…}"},
        {"{\"u\":[1]} x", "body: not a JSON object {\"u\":[1,2],\"m\":…}"},
        {"{}", "u: missing"},
        {"{\"u\":[1]}", "m: missing"},
        {"{\"m\":1}", "u: missing"},
        {"{\"u\":[],\"m\":1}", "u: no uid"},
        {"{\"u\":\"\",\"m\":1}", "u: no uid"},
        {"{\"u\":[1,\"2\"],\"m\":1}", "u: item 1 is not an integer"},
        {"{\"u\":[1,2.5],\"m\":1}", "u: item 1 is not an integer"},
        {"{\"u\":\"1,x\",\"m\":1}", "u: item 1 is not an integer"},
        {"{\"u\":\"1,\",\"m\":1}", "u: ends in a comma"},
        {"{\"u\":7,\"m\":1}", "u: neither a list nor a string of uids"},
        {"{\"u\":[1],\"u\":[2],\"m\":1}", "u: given twice"},
        {"{\"u\":[1],\"m\":1,\"m\":2}", "m: given twice"},
        {"{\"u\":[1,2,3,4,5],\"m\":1}", "u: more than 4 uids"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct params_pushs pushs;
        struct params_error err;
        assert_true(
            params_pushs((const uint8_t *)rows[i].body, strlen(rows[i].body), 4, &pushs, &err) < 0);
        assert_string_equal(err.text, rows[i].want);
    }
}

static void imgo_error_is_json(void **state)
{
    char out[512], small[64];

    (void)state;
    size_t len = params_imgo_error(65534, "uid: \"x\"", out, sizeof out);
    assert_string_equal(out, "{\"ret\":65534,\"error\":\"uid: \\\"x\\\"\"}");
    assert_int_equal(len, strlen(out));
    len = params_imgo_error(1, "直播直播直播直播直播直播直播直播直播直播", small, sizeof small);
    assert_true(len < sizeof small);
    assert_int_equal(small[len - 1], '}');
    assert_int_equal(small[len - 2], '"');
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(int64_takes_canonical_numbers),
        cmocka_unit_test(int64_names_the_field_and_what_is_wrong),
        cmocka_unit_test(text_has_limits),
        cmocka_unit_test(ops_are_a_list),
        cmocka_unit_test(jsonp_names),
        cmocka_unit_test(numbers_in_counts),
        cmocka_unit_test(pushs_takes_both_forms_and_keeps_the_message),
        cmocka_unit_test(pushs_refuses_and_says_why),
        cmocka_unit_test(imgo_error_is_json),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
