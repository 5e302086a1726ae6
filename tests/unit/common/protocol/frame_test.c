#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <string.h>

#include "common/protocol/frame.h"

/* imgo's own bytes: auth of sequence 0x4d with a body of 35 bytes, and a push. */
static const uint8_t AUTH_HEADER[] = {0, 0, 0, 0x33, 0, 16, 0, 1, 0, 0, 0, 7, 0, 0, 0, 0x4d};
static const uint8_t PUSH_HEADER[] = {0, 0, 0, 0x1a, 0, 16, 0, 0, 0, 0, 0, 5, 0, 0, 0, 0};

static void writes_what_imgo_writes(void **state)
{
    (void)state;
    uint8_t out[FRAME_HEADER];
    frame_header(out, 1, 7, 0x4d, 35);
    assert_memory_equal(out, AUTH_HEADER, sizeof out);
    frame_header(out, 0, 5, 0, 10);
    assert_memory_equal(out, PUSH_HEADER, sizeof out);
    frame_header(out, 0xffff, -1, -2, 0);
    static const uint8_t negative[] = {0,    0,    0,    16,   0,    16,   0xff, 0xff,
                                       0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfe};
    assert_memory_equal(out, negative, sizeof out);
}

static void parses_at_every_split(void **state)
{
    (void)state;
    uint8_t buf[0x33 + 5];
    memset(buf, 'x', sizeof buf);
    memcpy(buf, AUTH_HEADER, sizeof AUTH_HEADER);
    struct frame frame;
    for (size_t len = 0; len < 0x33; len++)
        assert_int_equal(frame_parse(buf, len, 4096, &frame), 0);
    for (size_t len = 0x33; len <= sizeof buf; len++) {
        assert_int_equal(frame_parse(buf, len, 35, &frame), 0x33);
        assert_int_equal(frame.version, 1);
        assert_int_equal(frame.op, 7);
        assert_int_equal(frame.seq, 0x4d);
        assert_int_equal(frame.body_len, 35);
        assert_ptr_equal(frame.body, buf + 16);
    }
}

static void refuses_as_soon_as_the_header_is_there(void **state)
{
    (void)state;
    uint8_t buf[FRAME_HEADER];
    struct frame frame;
    frame_header(buf, 1, 2, 3, 4097);
    assert_int_equal(frame_parse(buf, 16, 4096, &frame), -EMSGSIZE);
    assert_int_equal(frame_parse(buf, 16, 4097, &frame), 0);
    assert_int_equal(frame_parse(buf, 15, 4096, &frame), 0);
    memset(buf, 0xff, 4); /* negative, in signed eyes */
    assert_int_equal(frame_parse(buf, 16, 4096, &frame), -EMSGSIZE);
    frame_header(buf, 1, 2, 3, 0);
    buf[3] = 15;
    assert_int_equal(frame_parse(buf, 16, 4096, &frame), -EBADMSG);
    buf[3] = 0;
    assert_int_equal(frame_parse(buf, 16, 4096, &frame), -EBADMSG);
    for (unsigned header = 0; header < 64; header++) {
        frame_header(buf, 1, 2, 3, 0);
        buf[5] = (uint8_t)header;
        assert_int_equal(frame_parse(buf, 16, 4096, &frame), header == 16 ? 16 : -EBADMSG);
    }
}

static void takes_frames_back_to_back(void **state)
{
    (void)state;
    uint8_t buf[3 * FRAME_HEADER];
    for (int i = 0; i < 3; i++)
        frame_header(buf + 16 * i, 1, 2, i, 0);
    size_t at = 0;
    for (int i = 0; i < 3; i++) {
        struct frame frame;
        long taken = frame_parse(buf + at, sizeof buf - at, 0, &frame);
        assert_int_equal(taken, 16);
        assert_int_equal(frame.seq, i);
        assert_int_equal(frame.body_len, 0);
        at += (size_t)taken;
    }
}

static void reply_may_have_a_longer_header(void **state)
{
    (void)state;
    uint8_t buf[26];
    struct frame frame;
    memset(buf, 'h', sizeof buf);
    frame_header(buf, 2, 5, 9, 10);
    buf[5] = 24;
    memcpy(buf + 24, "ab", 2);
    assert_int_equal(frame_parse_reply(buf, 25, 26, &frame), 0);
    assert_int_equal(frame_parse_reply(buf, 26, 26, &frame), 26);
    assert_int_equal(frame.body_len, 2);
    assert_memory_equal(frame.body, "ab", 2);
    assert_int_equal(frame_parse_reply(buf, 26, 25, &frame), -EMSGSIZE);
    buf[5] = 27;
    assert_int_equal(frame_parse_reply(buf, 26, 26, &frame), -EBADMSG);
    buf[5] = 15;
    assert_int_equal(frame_parse_reply(buf, 26, 26, &frame), -EBADMSG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writes_what_imgo_writes),
        cmocka_unit_test(parses_at_every_split),
        cmocka_unit_test(refuses_as_soon_as_the_header_is_there),
        cmocka_unit_test(takes_frames_back_to_back),
        cmocka_unit_test(reply_may_have_a_longer_header),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
