#include "common/base/text.h"
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { TEXT_MAX = 40 };

/* Each byte at each place of texts of each length, among bytes that are none. */
static void test_control_bytes(void **state)
{
    static const unsigned char others[] = {' ', '~', 0x80, 0xff};
    char text[TEXT_MAX];

    (void)state;
    for (size_t len = 1; len <= TEXT_MAX; len++) {
        for (size_t at = 0; at < len * 256; at++) {
            unsigned char byte = (unsigned char)(at % 256);
            for (size_t o = 0; o < sizeof others; o++) {
                memset(text, others[o], len);
                text[at / 256] = (char)byte;
                assert_int_equal(text_has_control(text, len), byte < 0x20 || byte == 0x7f);
            }
        }
    }
    assert_false(text_has_control(text, 0));
}

/* What follows one that is found may be marked wrongly, but not what stands alone. */
static void test_neighbours_of_control_bytes(void **state)
{
    char text[8];

    (void)state;
    for (unsigned pair = 0; pair < 65536; pair++) {
        unsigned char a = pair & 0xff, b = (unsigned char)(pair >> 8);
        bool want = a < 0x20 || a == 0x7f || b < 0x20 || b == 0x7f;
        memset(text, 'x', sizeof text);
        text[3] = (char)a;
        text[4] = (char)b;
        assert_int_equal(text_has_control(text, sizeof text), want);
    }
}

static void test_among(void **state)
{
    static const char *const list[] = {"", "B", "a", "aa", "b", "\xff"};
    static const char *const others[] = {"A", "ab", "bb", "\xfe", "\xff\xff"};

    (void)state;
    for (size_t n = 0; n <= 6; n++) {
        for (size_t i = 0; i < 6; i++)
            assert_int_equal(text_is_among(list[i], list, n), i < n);
        for (size_t i = 0; i < 5; i++)
            assert_false(text_is_among(others[i], list, n));
    }
    const char *texts[] = {"b", "\xff", "", "aa", "a", "B"};
    qsort(texts, 6, sizeof texts[0], text_compare);
    for (size_t i = 0; i < 6; i++)
        assert_string_equal(texts[i], list[i]);
}

static void test_hex(void **state)
{
    static const char digits[] = "0123456789abcdefABCDEF";
    uint8_t bytes[3];

    (void)state;
    for (int c = CHAR_MIN; c <= CHAR_MAX; c++) {
        const char *at = c != 0 ? strchr(digits, c) : NULL;
        long value = at == NULL ? -1 : at - digits < 16 ? at - digits : at - digits - 6;
        assert_int_equal(text_hex_digit((char)c), value);
    }
    assert_true(text_from_hex("00aFf0", bytes, 3));
    assert_memory_equal(bytes, "\x00\xaf\xf0", 3);
    assert_true(text_from_hex("", bytes, 0));
    assert_false(text_from_hex("0g", bytes, 1));
    assert_false(text_from_hex("g0", bytes, 1));
    assert_false(text_from_hex("0", bytes, 1)); /* the NUL is no digit */

    char text[7] = "......";
    text_to_hex((const uint8_t *)"\x00\xaf\xf9", 3, text);
    assert_string_equal(text, "00aff9");
    text_to_hex(bytes, 0, text);
    assert_string_equal(text, "");
}

static void test_uri(void **state)
{
    static const char text[] = "aZ09-._~ /%\xc3\0";
    static const char wanted[] = "aZ09-._~%20%2F%25%C3%00";
    char out[3 * sizeof text];

    (void)state;
    assert_int_equal(text_to_uri(text, sizeof text - 1, out, sizeof out), strlen(wanted));
    assert_string_equal(out, wanted);
    assert_int_equal(text_to_uri(text, 0, out, 1), 0);
    assert_string_equal(out, "");
    for (size_t room = 1; room <= strlen(wanted); room++) { /* what is escaped stays whole */
        size_t len = text_to_uri(text, sizeof text - 1, out, room);
        assert_true(len < room && len + 3 >= room);
        assert_int_equal(len < 8 ? 0 : (len - 8) % 3, 0);
        assert_memory_equal(out, wanted, len);
        assert_int_equal(out[len], '\0');
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_control_bytes),
        cmocka_unit_test(test_among),
        cmocka_unit_test(test_hex),
        cmocka_unit_test(test_uri),
        cmocka_unit_test(test_neighbours_of_control_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
