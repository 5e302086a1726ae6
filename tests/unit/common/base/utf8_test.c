#include "common/base/utf8.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* Writes C as a UTF-8 of 1 to 4 bytes would have it. False: no character may have that form. */
static bool reference(uint32_t c, uint8_t *out, size_t *len)
{
    if (c < 0x80) {
        out[0] = (uint8_t)c;
        *len = 1;
    } else if (c < 0x800) {
        out[0] = (uint8_t)(0xc0 | c >> 6);
        out[1] = (uint8_t)(0x80 | (c & 63));
        *len = 2;
    } else if (c < 0x10000) {
        out[0] = (uint8_t)(0xe0 | c >> 12);
        out[1] = (uint8_t)(0x80 | (c >> 6 & 63));
        out[2] = (uint8_t)(0x80 | (c & 63));
        *len = 3;
    } else {
        out[0] = (uint8_t)(0xf0 | c >> 18);
        out[1] = (uint8_t)(0x80 | (c >> 12 & 63));
        out[2] = (uint8_t)(0x80 | (c >> 6 & 63));
        out[3] = (uint8_t)(0x80 | (c & 63));
        *len = 4;
    }
    return c <= 0x10ffff && (c < 0xd800 || c > 0xdfff);
}

static void knows_every_code_point(void **state)
{
    (void)state;
    uint8_t buf[4];
    size_t len;
    for (uint32_t c = 0; c < 0x1fffff; c++) {
        bool good = reference(c, buf, &len);
        if (utf8_is_valid(buf, len) != good)
            fail_msg("U+%X", c);
        if (len > 1 && utf8_is_valid(buf, len - 1))
            fail_msg("U+%X cut short", c);
        if (utf8_sequence(buf, len) != (good ? len : 0) || utf8_sequence(buf, len - 1) != 0)
            fail_msg("U+%X as a sequence", c);
    }
    assert_false(utf8_is_valid((const uint8_t *)"\xc0\x80", 2));
    assert_false(utf8_is_valid((const uint8_t *)"\xe0\x80\x80", 3));
    assert_false(utf8_is_valid((const uint8_t *)"\xf0\x80\x80\x80", 4));
    assert_false(utf8_is_valid((const uint8_t *)"\x80", 1));
    assert_true(utf8_is_valid(NULL, 0));
}

/* A copy of exactly that size, so that ASan sees a read beyond it. */
static size_t sequence(const char *text, size_t len)
{
    uint8_t *copy = malloc(len);
    memcpy(copy, text, len);
    size_t result = utf8_sequence(copy, len);
    free(copy);
    return result;
}

/* Two bytes at a time, beside what RFC 3629 has in its table of well-formed sequences. */
static void the_second_byte_is_in_the_range_of_the_first(void **state)
{
    (void)state;
    for (unsigned pair = 0; pair < 0x10000; pair++) {
        unsigned first = pair >> 8, second = pair & 0xff;
        unsigned low = first == 0xe0 ? 0xa0 : first == 0xf0 ? 0x90 : 0x80;
        unsigned high = first == 0xed ? 0x9f : first == 0xf4 ? 0x8f : 0xbf;
        size_t len = first < 0x80 ? 1 : first < 0xc2 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
        if (first > 0xf4 || (len > 1 && (second < low || second > high)))
            len = 0;
        const char text[] = {(char)first, (char)second, (char)0x80, (char)0xbf};
        if (sequence(text, sizeof text) != len)
            fail_msg("%02x %02x", first, second);
    }
}

static void a_sequence_is_what_the_text_begins_with(void **state)
{
    (void)state;
    assert_int_equal(utf8_sequence(NULL, 0), 0);
    assert_int_equal(sequence("\0x", 2), 1);
    assert_int_equal(sequence("a\xff", 2), 1); /* what follows does not matter */
    assert_int_equal(sequence("\xe2\x82\xac\xff", 4), 3);
    assert_int_equal(sequence("\xf0\x9f\x98\x80\xf0", 5), 4);
    for (size_t len = 1; len < 4; len++)
        assert_int_equal(sequence("\xf0\x9f\x98\x80", len), 0);
    assert_int_equal(sequence("\xe2\x82x", 3), 0);
    assert_int_equal(sequence("\xf0\x9f\x98x", 4), 0);
    assert_int_equal(sequence("\xf0\x9f\x98\xc0", 4), 0);
}

static void a_text_may_be_split_anywhere(void **state)
{
    (void)state;
    static const char text[] = "plain ascii, long enough \xc3\xbc\xe2\x82\xac\xf0\x9f\x98\x80 end";
    const uint8_t *bytes = (const uint8_t *)text;
    size_t len = sizeof text - 1;
    for (size_t i = 0; i <= len; i++) {
        uint32_t feed = 0;
        assert_true(utf8_feed(&feed, bytes, i));
        assert_true(utf8_feed(&feed, bytes + i, len - i));
        assert_int_equal(feed, 0);
    }
    uint32_t feed = 0;
    assert_true(utf8_feed(&feed, (const uint8_t *)"\xf4", 1));
    assert_int_not_equal(feed, 0);
    /* Told at the second byte, not at the end of the sequence. */
    assert_false(utf8_feed(&feed, (const uint8_t *)"\x90", 1));
}

/* After what cannot be UTF-8 the state is as before. */
static void a_refused_piece_leaves_the_state(void **state)
{
    (void)state;
    uint32_t feed = 0;
    assert_true(utf8_feed(&feed, (const uint8_t *)"\xe2", 1));
    uint32_t before = feed;
    assert_false(utf8_feed(&feed, (const uint8_t *)"\x82\xff", 2));
    assert_int_equal(feed, before);
    assert_true(utf8_feed(&feed, (const uint8_t *)"\x82\xac", 2));
    assert_int_equal(feed, 0);
    assert_true(utf8_feed(&feed, NULL, 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(knows_every_code_point),
        cmocka_unit_test(the_second_byte_is_in_the_range_of_the_first),
        cmocka_unit_test(a_sequence_is_what_the_text_begins_with),
        cmocka_unit_test(a_text_may_be_split_anywhere),
        cmocka_unit_test(a_refused_piece_leaves_the_state),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
