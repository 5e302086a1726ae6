#include "bench/run/stamp.h"
#include "common/protocol/json_scan.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static const struct stamp sample = {
    .run = 0xdeadbeef,
    .kind = STREAM_ALL,
    .lane = 255,
    .number = STAMP_NUMBERS - 1,
    .seq = 0x0123abcd,
    .time_ns = UINT64_C(0xfedcba9876543210),
};

static void what_is_written_is_read(void **state)
{
    static char text[STAMP_SIZE_MAX];
    struct stamp back;

    (void)state;
    for (size_t size = 0; size < 300; size++) {
        size_t len = stamp_write(&sample, text, size);
        assert_true(len >= size && len >= STAMP_SIZE && len <= size + STAMP_SIZE);
        assert_true(size < STAMP_SIZE + 7 || len == size);
        assert_true(json_is_value((const uint8_t *)text, len));
        memset(&back, 0, sizeof back);
        assert_int_equal(stamp_read((const uint8_t *)text, len, &back), 0);
        assert_int_equal(back.run, sample.run);
        assert_int_equal(back.kind, sample.kind);
        assert_int_equal(back.lane, sample.lane);
        assert_int_equal(back.number, sample.number);
        assert_int_equal(back.seq, sample.seq);
        assert_true(back.time_ns == sample.time_ns);
    }
}

static void the_form_is_what_the_header_shows(void **state)
{
    const struct stamp small = {.run = 1, .kind = STREAM_UID, .number = 7, .seq = 3, .time_ns = 10};
    char text[STAMP_SIZE];

    (void)state;
    assert_int_equal(stamp_write(&small, text, 0), STAMP_SIZE);
    assert_memory_equal(text,
                        "{\"t\":\"0000000100000007000000030000000000"
                        "00000a\"}",
                        STAMP_SIZE);
}

static void others_messages_are_refused(void **state)
{
    char text[STAMP_SIZE];
    struct stamp back;

    (void)state;
    stamp_write(&sample, text, 0);
    assert_int_equal(stamp_read((const uint8_t *)text, STAMP_SIZE - 1, &back), -EINVAL);
    assert_int_equal(stamp_read((const uint8_t *)"{}", 2, &back), -EINVAL);
    text[14] = '9'; /* no such kind */
    assert_int_equal(stamp_read((const uint8_t *)text, STAMP_SIZE, &back), -EINVAL);
    stamp_write(&sample, text, 0);
    text[2] = 'x';
    assert_int_equal(stamp_read((const uint8_t *)text, STAMP_SIZE, &back), -EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_is_read),
        cmocka_unit_test(the_form_is_what_the_header_shows),
        cmocka_unit_test(others_messages_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
