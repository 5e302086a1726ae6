#include "comet/wire/ws_frame.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void headers_are_read(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t size;
        uint64_t len;
        int opcode;
        bool fin;
    } cases[] = {
        {"\x81\x85\1\2\3\4", 6, 5, WS_OP_TEXT, true},
        {"\x02\x80\1\2\3\4", 6, 0, WS_OP_BINARY, false},
        {"\x80\xfe\x00\x7e\1\2\3\4", 8, 126, WS_OP_CONTINUATION, true},
        {"\x82\xff\0\0\0\0\0\1\0\0\1\2\3\4", 14, 65536, WS_OP_BINARY, true},
        {"\x89\xfd\1\2\3\4", 6, 125, WS_OP_PING, true},
    };
    struct ws_header header;
    const char *why;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const uint8_t *bytes = (const uint8_t *)cases[i].bytes;
        for (size_t len = 0; len < cases[i].size; len++)
            assert_int_equal(ws_header_parse(bytes, len, &header, &why), 0);
        assert_int_equal(ws_header_parse(bytes, cases[i].size, &header, &why), cases[i].size);
        assert_int_equal(header.len, cases[i].len);
        assert_int_equal(header.opcode, cases[i].opcode);
        assert_int_equal(header.fin, cases[i].fin);
        assert_memory_equal(header.mask, "\1\2\3\4", 4);
    }
}

static void violations_are_told(void **state)
{
    (void)state;
    static const struct {
        const char *bytes, *why;
    } cases[] = {
        {"\x81\x05", "frame is not masked"},
        {"\xc1\x85", "reserved bit set"},
        {"\x91\x85", "reserved bit set"},
        {"\x83\x85", "reserved opcode"},
        {"\x8b\x85", "reserved opcode"},
        {"\x09\x85", "fragmented control frame"},
        {"\x89\xfe", "control frame longer than 125 bytes"},
        {"\x81\xfe\0\x7d\1\2\3\4", "length not in its shortest form"},
        {"\x81\xff\0\0\0\0\0\0\xff\xff\1\2\3\4", "length not in its shortest form"},
        {"\x81\xff\x80\0\0\0\0\0\0\0\1\2\3\4", "length of more than 63 bits"},
    };
    struct ws_header header;
    const char *why;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        why = NULL;
        assert_int_equal(ws_header_parse((const uint8_t *)cases[i].bytes, 14, &header, &why),
                         -EPROTO);
        assert_string_equal(why, cases[i].why);
    }
}

static void masking_works_at_every_offset_and_length(void **state)
{
    (void)state;
    static const uint8_t mask[4] = {0xa1, 0x5c, 0x07, 0xff};
    for (size_t phase = 0; phase < 9; phase++) {
        for (size_t len = 0; len < 40; len++) {
            uint8_t buf[48];
            for (size_t i = 0; i < sizeof buf; i++)
                buf[i] = (uint8_t)(i * 7);
            ws_mask(buf + 1, len, mask, phase);
            assert_int_equal(buf[0], 0);
            for (size_t i = 0; i < len; i++)
                assert_int_equal(buf[1 + i], (uint8_t)((i + 1) * 7) ^ mask[(phase + i) & 3]);
            assert_int_equal(buf[1 + len], (uint8_t)((len + 1) * 7));
        }
    }
}

static void headers_are_written_in_the_shortest_form(void **state)
{
    (void)state;
    static const size_t lens[] = {0, 125, 126, 65535, 65536};
    static const size_t sizes[] = {2, 2, 4, 4, 10};
    uint8_t out[WS_HEADER_MAX];
    for (size_t i = 0; i < 5; i++) {
        assert_int_equal(ws_header_size(lens[i]), sizes[i]);
        assert_int_equal(ws_header_write(out, WS_OP_TEXT, lens[i]), sizes[i]);
        assert_int_equal(out[0], 0x81);
    }
    assert_memory_equal(out, "\x81\x7f\0\0\0\0\0\1\0\0", 10);
}

static void close_frames(void **state)
{
    (void)state;
    static const uint16_t good[] = {1000, 1003, 1007, 1011, 3000, 4007, 4999};
    static const uint16_t bad[] = {0, 999, 1004, 1005, 1006, 1012, 1015, 2999, 5000, 65535};
    uint8_t out[2 + WS_CONTROL_MAX];
    char reason[200];
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        assert_true(ws_close_valid(good[i]));
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_false(ws_close_valid(bad[i]));
    assert_int_equal(ws_close_write(out, 4007, "bye"), 7);
    assert_memory_equal(out,
                        "\x88\x05\x0f\xa7"
                        "bye",
                        7);
    assert_int_equal(ws_close_write(out, 0, "ignored"), 2);
    assert_memory_equal(out, "\x88\0", 2);
    /* Cut at a character's edge: 122 bytes, then one of two bytes. */
    memset(reason, 'x', sizeof reason);
    memcpy(reason + 122, "\xc3\xa4", 3);
    assert_int_equal(ws_close_write(out, 1000, reason), 4 + 122);
    memcpy(reason + 120, "\xf0\x9f\x98\x80", 5);
    assert_int_equal(ws_close_write(out, 1000, reason), 4 + 120);
    reason[123] = '\0';
    memset(reason, 'x', 123);
    assert_int_equal(ws_close_write(out, 1000, reason), 4 + 123);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(headers_are_read),
        cmocka_unit_test(violations_are_told),
        cmocka_unit_test(masking_works_at_every_offset_and_length),
        cmocka_unit_test(headers_are_written_in_the_shortest_form),
        cmocka_unit_test(close_frames),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
