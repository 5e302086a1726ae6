#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "common/protocol/json_scan.h"

/* A copy of exactly that size, so that ASan sees a read beyond it. */
static bool is_value(const char *text, size_t len)
{
    uint8_t *copy = malloc(len);
    if (len > 0)
        memcpy(copy, text, len);
    bool result = json_is_value(copy, len);
    free(copy);
    return result;
}

static void accepts_values(void **state)
{
    (void)state;
    static const char *const good[] = {
        "0",
        "-0",
        "12",
        "-1.5",
        "0.25",
        "1e9",
        "1E+9",
        "2e-3",
        "1e999",
        "123456789012345678901234567890",
        "true",
        "false",
        "null",
        "\"\"",
        "\"a\"",
        "[]",
        "{}",
        " [ ] ",
        "\t\r\n{ } ",
        "[1,2,[3],{}]",
        "{\"a\":1,\"b\":[{}],\"a\":null}",
        "{ \"a\" : { \"b\" : [ 1 , \"x\" ] } }",
        "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\\u0000\"",
        "\"\\ud83d\\ude00\"",
        "\"\\uD83D\\uDE00x\"",
        "\"gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x98\x80\"",
        "\"0123456789abcdef\x7f\"",
    };
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        if (!is_value(good[i], strlen(good[i])))
            fail_msg("refused: %s", good[i]);
    }
}

static void refuses_the_rest(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        " ",
        "-",
        "01",
        "-01",
        "1.",
        ".5",
        "1e",
        "1e+",
        "+1",
        "1 2",
        "0x1",
        "NaN",
        "Infinity",
        "tru",
        "truex",
        "nulll",
        "True",
        "'a'",
        "\"",
        "\"a",
        "\"\\",
        "\"\\x\"",
        "\"\\u12\"",
        "\"\\u12g4\"",
        "\"\\ud800\"",
        "\"\\udc00\"",
        "\"\\ud800\\u0041\"",
        "\"\\ud800x\"",
        "\"\\ud800\\n\"",
        "\"a\nb\"",
        "\"abcdefgh\x01\"",
        "\"\xff\"",
        "\"\xc0\xaf\"",
        "\"\xed\xa0\x80\"",
        "\"\xf4\x90\x80\x80\"",
        "\"\xe2\x82\"",
        "\xef\xbb\xbf 1",
        "[",
        "]",
        "[1",
        "[1,",
        "[1,]",
        "[,1]",
        "[1 2]",
        "[1}",
        "{",
        "}",
        "{1:2}",
        "{\"a\"}",
        "{\"a\":}",
        "{\"a\":1,}",
        "{\"a\":1 \"b\":2}",
        "{\"a\":1]",
        "{,}",
        "[]]",
        "{}{}",
        "[1]x",
        "/**/1",
        "1//",
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        if (is_value(bad[i], strlen(bad[i])))
            fail_msg("accepted: %s", bad[i]);
    }
    assert_false(is_value("\"a\0b\"", 5));
    assert_false(is_value("1\0", 2));
    assert_false(is_value("\"\\\0\"", 4));
    assert_false(json_is_value(NULL, 0));
}

/* The value of "body" in TEXT is WANT; NULL: there is none. */
static void finds(const char *text, const char *want)
{
    size_t len = strlen(text), found_len = 0;
    uint8_t *copy = malloc(len);
    assert_non_null(copy);
    memcpy(copy, text, len);
    const uint8_t *found = json_find_member(copy, len, "body", &found_len);
    if (want == NULL) {
        assert_null(found);
    } else {
        assert_non_null(found);
        assert_int_equal(found_len, strlen(want));
        assert_memory_equal(found, want, found_len);
    }
    free(copy);
}

static void finds_a_member_as_it_stands(void **state)
{
    (void)state;
    finds("{\"body\":1}", "1");
    finds("\xef\xbb\xbf { \"body\" :\t{ \"a\" : [1 , 2.50] } \n}", "{ \"a\" : [1 , 2.50] }");
    finds("{\"a\":{\"body\":1},\"body\":\"x\\\"}\"}", "\"x\\\"}\"");
    finds("{\"body\":1,\"b\":2,\"body\": [ ] ,\"c\":3}", "[ ]");
    finds("{\"b\\u006fdy\":true}", "true");
    finds("{\"\\u0062\\u006F\\u0064\\u0079\":null}", "null");
    finds("{\"bod\":1,\"bodyy\":2,\"\\body\":3,\"bo\\u0064\":4}", NULL);
    finds("{}", NULL);
    finds("[\"body\"]", NULL);
    finds("\"body\"", NULL);
    finds("", NULL);
    finds("{\"body\"", NULL);
    finds("{\"body\":", NULL);
    finds("{\"body\":1", NULL);
    finds("{\"body\":1 \"a\":2}", NULL);
}

static void nesting_ends_at_512(void **state)
{
    (void)state;
    static const char open[] = "[{\"a\":";
    char text[8 * 600];
    for (size_t depth = 510; depth <= 516; depth += 2) {
        size_t len = 0;
        for (size_t i = 0; i < depth / 2; i++, len += 6)
            memcpy(text + len, open, 6);
        text[len++] = '1';
        for (size_t i = 0; i < depth / 2; i++, len += 2)
            memcpy(text + len, "}]", 2);
        assert_int_equal(is_value(text, len), depth <= 512);
        /* One level more, empty. */
        text[depth / 2 * 6] = '[';
        text[depth / 2 * 6 + 1] = ']';
        len = depth / 2 * 6 + 2;
        for (size_t i = 0; i < depth / 2; i++, len += 2)
            memcpy(text + len, "}]", 2);
        assert_int_equal(is_value(text, len), depth < 512);
    }
}

static void every_byte_at_every_place_of_a_string(void **state)
{
    (void)state;
    /* The eight-at-once path must agree with the byte-by-byte one. */
    for (unsigned c = 0; c < 256; c++) {
        for (size_t place = 0; place < 20; place++) {
            char text[22];
            memset(text, 'x', sizeof text);
            text[0] = text[21] = '"';
            text[1 + place] = (char)c;
            bool good = c >= 0x20 && c < 0x80 && c != '"' && c != '\\';
            assert_int_equal(is_value(text, sizeof text), good);
        }
    }
}

static void check_string(const char *in, size_t len, const char *expected)
{
    uint8_t out[256];
    size_t want = strlen(expected);
    assert_int_equal(json_write_string((const uint8_t *)in, len, out, sizeof out), want);
    assert_memory_equal(out, expected, want);
    /* Exactly enough room, and one byte less. */
    memset(out, '#', sizeof out);
    assert_int_equal(json_write_string((const uint8_t *)in, len, out, want), want);
    assert_memory_equal(out, expected, want);
    assert_int_equal(out[want], '#');
    memset(out, '#', sizeof out);
    assert_int_equal(json_write_string((const uint8_t *)in, len, out, want - 1), want);
    assert_int_equal(out[0], '#');
    assert_true(json_is_value((const uint8_t *)expected, want));
}

static void writes_strings(void **state)
{
    (void)state;
    check_string("", 0, "\"\"");
    check_string(NULL, 0, "\"\"");
    check_string("hello", 5, "\"hello\"");
    check_string("a\"b\\c/", 6, "\"a\\\"b\\\\c/\"");
    check_string("\b\f\n\r\t\0\x1f\x7f", 8, "\"\\b\\f\\n\\r\\t\\u0000\\u001f\x7f\"");
    check_string("\xe2\x82\xac", 3, "\"\xe2\x82\xac\"");
    check_string("x\xff\xe2\x82y", 5, "\"x\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbdy\"");
    check_string("\xed\xa0\x80", 3, "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"");
    assert_int_equal(json_write_string((const uint8_t *)"abc", 3, NULL, 0), 5);
}

static void what_is_written_reads_back(void **state)
{
    (void)state;
    char in[0x80];
    for (size_t i = 0; i < sizeof in; i++)
        in[i] = (char)i;
    uint8_t out[6 * sizeof in + 2];
    size_t len = json_write_string((const uint8_t *)in, sizeof in, out, sizeof out);
    json_t *value = json_loadb((const char *)out, len, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
    assert_true(json_is_string(value));
    assert_int_equal(json_string_length(value), sizeof in);
    assert_memory_equal(json_string_value(value), in, sizeof in);
    json_decref(value);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(accepts_values),
        cmocka_unit_test(refuses_the_rest),
        cmocka_unit_test(finds_a_member_as_it_stands),
        cmocka_unit_test(nesting_ends_at_512),
        cmocka_unit_test(every_byte_at_every_place_of_a_string),
        cmocka_unit_test(writes_strings),
        cmocka_unit_test(what_is_written_reads_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
