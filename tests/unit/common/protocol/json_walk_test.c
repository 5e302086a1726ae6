#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

/* needs the above */
#include <cmocka.h>

#include "common/protocol/json_scan.h"
#include "common/protocol/json_walk.h"

static struct json_span span(const char *text)
{
    assert_true(json_is_value((const uint8_t *)text, strlen(text)));
    return json_span_of((const uint8_t *)text, strlen(text));
}

static void says(struct json_span got, const char *want)
{
    assert_int_equal(got.len, strlen(want));
    assert_memory_equal(got.at, want, got.len);
}

static void members_come_as_they_stand(void **state)
{
    static const char *const want[] = {"\"a\"", "1.50",      "\"b\"", "[ 1 , {\"x\":\"]\"} ]",
                                       "\"c\"", "\"\\\"}\"", "\"a\"", "null"};
    struct json_span name, value;
    size_t n = 0;

    (void)state;
    struct json_walk walk = json_walk_begin(
        span(" {\t\"a\" : 1.50 ,\"b\":[ 1 , {\"x\":\"]\"} ],\n\"c\":\"\\\"}\", \"a\":null }\r\n"));
    while (json_walk_member(&walk, &name, &value)) {
        says(name, want[n++]);
        says(value, want[n++]);
    }
    assert_int_equal(n, sizeof want / sizeof want[0]);
    assert_false(json_walk_member(&walk, &name, &value));
}

static void items_come_in_order(void **state)
{
    struct json_span item;

    (void)state;
    struct json_walk walk = json_walk_begin(span("[1 ,[],{},\"]\",true]"));
    static const char *const want[] = {"1", "[]", "{}", "\"]\"", "true"};
    for (size_t i = 0; i < 5; i++) {
        assert_true(json_walk_item(&walk, &item));
        says(item, want[i]);
    }
    assert_false(json_walk_item(&walk, &item));
    walk = json_walk_begin(span(" [ ] "));
    assert_false(json_walk_item(&walk, &item));
    walk = json_walk_begin(span("{}"));
    assert_false(json_walk_item(&walk, &item));
}

static void strings_are_decoded(void **state)
{
    static const struct {
        const char *json, *text;
        size_t len;
    } rows[] = {
        {"\"\"", "", 0},
        {"\"a\\n\\t\\\"\\\\\\/\\b\\f\\r\"", "a\n\t\"\\/\b\f\r", 9},
        {"\"\\u00e4\\u20ac\\u0041\"",
         "\xc3\xa4\xe2\x82\xac"
         "A",
         6},
        {"\"\\ud83d\\ude00\"", "\xf0\x9f\x98\x80", 4},
        {"\"\\u0000x\"", "\0x", 2},
    };
    char out[64];

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_int_equal(json_string_decode(span(rows[i].json), out), rows[i].len);
        assert_memory_equal(out, rows[i].text, rows[i].len + 1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(members_come_as_they_stand),
        cmocka_unit_test(items_come_in_order),
        cmocka_unit_test(strings_are_decoded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
