/* Lines of the log as JSON objects, read by jansson. */
#include "common/base/log_json.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
/* cmocka wants these first */
#include <cmocka.h>
#include <inttypes.h>
#include <jansson.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char line[4096];
static size_t line_len;
static struct log_json_head head;

__attribute__((format(printf, 2, 3))) static void write_line(size_t size, const char *fmt, ...)
{
    va_list args;

    memset(line, 'Z', sizeof line);
    va_start(args, fmt);
    line_len = log_json_write(line, size, &head, fmt, args);
    va_end(args);
    assert_true(line_len > 0 && line_len <= size);
    assert_int_equal(line[line_len - 1], '\n');
    assert_null(memchr(line, '\n', line_len - 1));
    for (size_t i = line_len; i < sizeof line; i++)
        assert_int_equal(line[i], 'Z');
}

static json_t *parse(void)
{
    json_error_t error;
    json_t *object = json_loadb(line, line_len, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &error);

    if (!json_is_object(object))
        fail_msg("%s: %.*s", error.text, (int)line_len, line);
    return object;
}

/* That the line is TEXT, behind the four members that every line has. */
static void expect(const char *text)
{
    static const char begin[] = "{\"time\":\"2026-11-22T10:00:00.007Z\",\"level\":\"warn\","
                                "\"daemon\":\"comet\",\"msg\":\"redis down\"";

    json_decref(parse());
    line[line_len - 1] = '\0';
    assert_memory_equal(line, begin, sizeof begin - 1);
    assert_string_equal(line + sizeof begin - 1, text);
}

static int begin(void **state)
{
    (void)state;
    head = (struct log_json_head){.second = "2026-11-22T10:00:00",
                                  .ms = 7,
                                  .level = "warn",
                                  .daemon = "comet",
                                  .event = "redis down"};
    return 0;
}

static void test_members_have_types(void **state)
{
    (void)state;
    write_line(sizeof line, "server=%s err=\"%s\" n=%d big=%" PRIu64 " ratio=%.3f", "10.0.0.1:6379",
               "refused", -5, (uint64_t)INT64_MAX, 0.25);
    expect(",\"server\":\"10.0.0.1:6379\",\"err\":\"refused\",\"n\":-5,\"big\":9223372036854775807,"
           "\"ratio\":0.250}");
}

/* Every length modifier takes the right argument: those behind it are read right, too. */
static void test_conversions(void **state)
{
    (void)state;
    write_line(sizeof line, "a=%hhd b=%hu c=%ld d=%llu e=%zu f=%jd g=%td h=%zd i=%i end=%s",
               (signed char)1, (unsigned short)2, -3L, 4ULL, (size_t)5, (intmax_t)-6, (ptrdiff_t)7,
               (ssize_t)-8, 9, "end");
    expect(",\"a\":1,\"b\":2,\"c\":-3,\"d\":4,\"e\":5,\"f\":-6,\"g\":7,\"h\":-8,\"i\":9,"
           "\"end\":\"end\"}");
    write_line(sizeof line,
               "ring=%016" PRIx64 " x=%x cut=%.*s cut2=%.3s c=%c n=%5d per=%d%% end=%s",
               (uint64_t)0xab, 0xcdU, 2, "abc", "defg", 'q', 3, 50, "end");
    expect(
        ",\"ring\":\"00000000000000ab\",\"x\":\"cd\",\"cut_\":\"ab\",\"cut2\":\"def\",\"c\":\"q\","
        "\"n\":\"3\",\"per\":\"50%\",\"end\":\"end\"}");
    const char *volatile none = NULL; /* the compiler must not see it */
    write_line(sizeof line, "s=%s g=%g", none, 1e300);
    expect(",\"s\":\"(null)\",\"g\":1e+300}");
}

static void test_what_is_no_number_of_json_is_a_string(void **state)
{
    (void)state;
    write_line(sizeof line, "id=%" PRIu64 " nan=%f inf=%.1f waited=%dms at=%s:%d q=\"%d\"",
               UINT64_MAX, (double)NAN, (double)INFINITY, 50, "f.c", 3, 4);
    expect(",\"id\":\"18446744073709551615\",\"nan\":\"nan\",\"inf\":\"inf\",\"waited\":\"50ms\","
           "\"at\":\"f.c:3\",\"q\":\"4\"}");
}

static void test_remarks_are_the_detail(void **state)
{
    (void)state;
    write_line(sizeof line, "%s; set %s", "no such file", "tls.key");
    expect(",\"detail\":\"no such file; set tls.key\"}");
    write_line(sizeof line, "n=%d; is it %s=%d?", 1, "x", 2);
    expect(",\"n\":1,\"detail\":\"is it x=2?\"}");
    write_line(sizeof line, "id=%s: others may", "7");
    expect(",\"id\":\"7\",\"detail\":\"others may\"}");
    write_line(sizeof line, "id=%s redis says \"%s\"", "7", "no");
    expect(",\"id\":\"7\",\"detail\":\"redis says \\\"no\\\"\"}");
    write_line(sizeof line, "address=\"%s\" err=\"%s\"%s", "a", "b", "");
    expect(",\"address\":\"a\",\"err\":\"b\"}");
    write_line(sizeof line, "address=\"%s\"%s", "a", "; it counts");
    expect(",\"address\":\"a\",\"detail\":\"it counts\"}");
    write_line(sizeof line, "%s=%s epoch=%d", "comet", "1", 2);
    expect(",\"comet\":\"1\",\"epoch\":2}");
    write_line(sizeof line, "key=imc:mb:%d max.bytes=%d hint=\"see x\"", 1, 2);
    expect(",\"key\":\"imc:mb:1\",\"max.bytes\":2,\"hint\":\"see x\"}");
    write_line(sizeof line, "%s", "");
    expect("}");
}

static void test_a_name_is_never_there_twice(void **state)
{
    (void)state;
    write_line(sizeof line, "msg=%s time=%d a=%d a=%d %s=%d detail=%d; x", "m", 1, 2, 3, "a", 4, 5);
    expect(
        ",\"msg_\":\"m\",\"time_\":1,\"a\":2,\"a_\":3,\"a__\":4,\"detail_\":5,\"detail\":\"x\"}");
    write_line(sizeof line, "%s=%d", "x\":1,\"y\n", 1);
    expect(",\"x__1__y_\":1}");
}

static void test_values_cannot_add_fields(void **state)
{
    (void)state;
    write_line(sizeof line, "peer=%s why=\"%s\" n=%d", "1.2.3.4 uid=7", "x\" uid=8 y=\"%s%n", 1);
    expect(",\"peer\":\"1.2.3.4 uid=7\",\"why\":\"x\\\" uid=8 y=\\\"%s%n\",\"n\":1}");
    write_line(sizeof line, "key=\"%s\"", "a\n{\"time\":1}\r\t\\\x1b[31m\x7f\xc3\xa4");
    expect(",\"key\":\"a\\u000a{\\\"time\\\":1}\\u000d\\u0009\\\\\\u001b[31m\\u007f\xc3\xa4\"}");
}

static void test_bytes_that_are_not_utf8(void **state)
{
    static const char *const bad[] = {
        "\xff",         "\xc3",     "\xc0\x80",         "\xed\xa0\x80", "\xf4\x90\x80\x80",
        "\xe2\x82",     "\x80",     "\xf8\x88\x80\x80", "\xe0\x80\x80", "\xf0\x80\x80\x80",
        "\xf0\x9f\x98", "\xc3\x28",
    };

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        write_line(sizeof line, "v=\"<%s>\"", bad[i]);
        json_t *object = parse();
        const char *v = json_string_value(json_object_get(object, "v"));
        assert_true(v[0] == '<' && v[strlen(v) - 1] == '>');
        assert_memory_equal(v + 1, "\xef\xbf\xbd", 3);
        json_decref(object);
    }
    write_line(sizeof line, "v=%s", "\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80");
    expect(",\"v\":\"\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80\"}");
}

static void test_suppressed(void **state)
{
    (void)state;
    head.suppressed = UINT32_MAX;
    write_line(sizeof line, "n=%d", 1);
    expect(",\"n\":1,\"suppressed\":4294967295}");
}

/* At every length, whatever the cut would fall into, the line is JSON, and says that it was cut. */
static void test_lines_that_do_not_fit(void **state)
{
    (void)state;
    head.suppressed = 17;
    for (size_t size = LOG_JSON_LEAST; size < 700; size++) {
        write_line(size, "a=%d text=\"%s\xe2\x82\xac\n%s\" b=%d c=\"%s\" d=%.3f; and %s", 1,
                   "0123456789012345678901234567890123456789", "\x01\x02\xff\xf0\x9f\x98\x80\"\\",
                   22, "0123456789012345678901234567890123456789", 3.5, "the end of it");
        json_t *object = parse();
        bool whole =
            json_object_get(object, "detail") != NULL &&
            strcmp(json_string_value(json_object_get(object, "detail")), "and the end of it") == 0;
        assert_int_equal(whole, !json_is_true(json_object_get(object, "cut")));
        assert_int_equal(json_integer_value(json_object_get(object, "suppressed")), 17);
        const json_t *b = json_object_get(object, "b");
        assert_true(b == NULL || json_integer_value(b) == 22);
        json_decref(object);
    }
    char *long_text = malloc(100001);
    memset(long_text, '\n', 100000);
    long_text[100000] = '\0';
    head.event = long_text;
    write_line(sizeof line, "text=%s n=%d", long_text, 1);
    json_decref(parse());
    head.event = "long";
    write_line(sizeof line, "text=%s n=%d", long_text, 1);
    json_decref(parse());
    assert_in_range(line_len, 3900, 4096);
    free(long_text);
}

#define JSON_TEST(fn) cmocka_unit_test_setup(fn, begin)

int main(void)
{
    const struct CMUnitTest tests[] = {
        JSON_TEST(test_members_have_types),
        JSON_TEST(test_conversions),
        JSON_TEST(test_what_is_no_number_of_json_is_a_string),
        JSON_TEST(test_remarks_are_the_detail),
        JSON_TEST(test_a_name_is_never_there_twice),
        JSON_TEST(test_values_cannot_add_fields),
        JSON_TEST(test_bytes_that_are_not_utf8),
        JSON_TEST(test_suppressed),
        JSON_TEST(test_lines_that_do_not_fit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
