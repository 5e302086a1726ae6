/* Tables and texts, as a terminal gets them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/base/rows.h"

static char *text;
static size_t len;

static FILE *begin(void)
{
    return open_memstream(&text, &len);
}

static void ends_as(FILE *out, const char *wanted)
{
    (void)fclose(out);
    assert_string_equal(text, wanted);
    free(text);
}

static void control_characters_are_shown(void **state)
{
    static const struct {
        const char *bytes, *shown;
    } rows[] = {
        {"plain, äöü 推送 \xf0\x9f\x98\x80", "plain, äöü 推送 \xf0\x9f\x98\x80"},
        {"\x1b[2J\n\x7f", "\\x1b[2J\\x0a\\x7f"},
        {"\xc2\x9b"
         "31m",
         "\\xc2\\x9b31m"}, /* C1: CSI in one character */
        {"\xe2\x80\xae"
         "abc",
         "\\xe2\\x80\\xaeabc"}, /* from right to left */
        {"\xe2\x80\xa8\xef\xbb\xbf", "\\xe2\\x80\\xa8\\xef\\xbb\\xbf"},
        {"\xff\xc3", "\\xff\\xc3"},                            /* no UTF-8 */
        {"\xc0\x8a\xed\xa0\x80", "\\xc0\\x8a\\xed\\xa0\\x80"}, /* too long a form, a surrogate */
        {"\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80"},          /* beyond Unicode */
        {"\\n", "\\n"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        FILE *out = begin();
        print_text(out, rows[i].bytes);
        ends_as(out, rows[i].shown);
    }
    FILE *out = begin();
    print_bytes(out, "a\0b", 3);
    ends_as(out, "a\\x00b");
}

static void a_table_has_columns(void **state)
{
    static const char *const titles[] = {"ROOM", ">SESSIONS", "KEY", NULL};
    struct table *table = table_new(titles);

    (void)state;
    table_text(table, "größe");
    table_text(table, "12");
    table_text(table, NULL);
    table_text(table, "x");
    table_text(table, "-9223372036854775808");
    table_text(table, "k\n");
    FILE *out = begin();
    table_print(table, out, 0);
    ends_as(out, "ROOM               SESSIONS  KEY\n"
                 "größe                    12  -\n"
                 "x      -9223372036854775808  k\\x0a\n");
}

static void a_table_is_cut_at_the_edge(void **state)
{
    static const char *const titles[] = {"A", ">B", "C", NULL};

    (void)state;
    for (size_t width = 1; width <= 12; width++) {
        struct table *table = table_new(titles);
        table_text(table, "äöüß");
        table_text(table, "7");
        table_text(table, "xyz");
        FILE *out = begin();
        table_print(table, out, width);
        (void)fclose(out);
        size_t columns = 0;
        for (const char *at = strchr(text, '\n') + 1; *at != '\n'; at++)
            columns += ((unsigned char)*at & 0xc0) != 0x80;
        assert_true(columns == (width < 12 ? width : 12) || columns == 12);
        assert_true(columns <= width);
        free(text);
    }
}

static void durations_and_dates(void **state)
{
    char buf[PRINT_DURATION_MAX], date[PRINT_TIME_MAX];

    (void)state;
    assert_string_equal(print_duration(-3, buf), "0s");
    assert_string_equal(print_duration(59, buf), "59s");
    assert_string_equal(print_duration(60, buf), "1m 0s");
    assert_string_equal(print_duration(3599, buf), "59m 59s");
    assert_string_equal(print_duration(3600, buf), "1h 0m");
    assert_string_equal(print_duration(90061, buf), "1d 1h");
    assert_string_equal(print_duration(INT64_MAX, buf), "106751991167300d 15h");
    assert_string_equal(print_time(0, date), "1970-01-01 00:00:00Z");
    assert_string_equal(print_time(INT64_MAX, date), "9223372036854775807");
}

/* What an answer has more than we know is shown, too; a waiting message is decoded and cut. */
static void objects_become_rows(void **state)
{
    static const char *const order[] = {"id", "op", "gone", "body_base64", NULL};
    json_t *array = json_loads("[{\"op\":5,\"id\":\"12\",\"body_base64\":\"aMOkbGxvCg==\"},"
                               "{\"op\":1000,\"id\":\"3\",\"new_field\":{\"a\":[1,true]},\"flag\":"
                               "false,\"body_base64\":\"AAE=\"},"
                               "{\"op\":1,\"id\":\"4\",\"body_base64\":\"???\"}]",
                               0, NULL);
    struct table *table = rows_table(array, order);

    (void)state;
    FILE *out = begin();
    table_print(table, out, 0);
    ends_as(out, "ID    OP  BODY       NEW FIELD       FLAG\n"
                 "12     5  hällo\\x0a  -               -\n"
                 "3   1000  (binary)   {\"a\":[1,true]}  no\n"
                 "4      1  -          -               -\n");
    json_decref(array);
    array = json_array();
    assert_null(rows_table(array, order));
    json_decref(array);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(control_characters_are_shown), cmocka_unit_test(a_table_has_columns),
        cmocka_unit_test(a_table_is_cut_at_the_edge),   cmocka_unit_test(durations_and_dates),
        cmocka_unit_test(objects_become_rows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
