#include "comet/goim/raw_frames.h"
#include "common/base/mem.h"
#include "common/protocol/frame.h"
#include "common/protocol/ops.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct raw_frame frames[RAW_FRAMES_MAX];
static char why[RAW_FRAMES_WHY];

static size_t put(uint8_t *at, int32_t op, const char *body)
{
    size_t len = strlen(body);

    frame_header(at, 1, op, 7, len);
    memcpy(at + FRAME_HEADER, body, len);
    return FRAME_HEADER + len;
}

static void refused(const uint8_t *body, size_t len, const char *text)
{
    assert_int_equal(raw_frames_take(body, len, frames, why), -1);
    if (strstr(why, text) == NULL)
        fail_msg("\"%s\" is not in \"%s\"", text, why);
}

static void frames_come_in_order(void **state)
{
    (void)state;
    uint8_t body[100];
    size_t len = put(body, 1000, "first");
    len += put(body + len, -1, "");
    len += put(body + len, INT32_MAX, "3");

    assert_int_equal(raw_frames_take(body, len, frames, why), 3);
    assert_int_equal(frames[0].op, 1000);
    assert_int_equal(frames[0].len, 5);
    assert_memory_equal(frames[0].body, "first", 5);
    assert_int_equal(frames[1].op, -1);
    assert_int_equal(frames[1].len, 0);
    assert_int_equal(frames[2].op, INT32_MAX);
    assert_memory_equal(frames[2].body, "3", 1);
}

static void what_is_cut_is_refused(void **state)
{
    (void)state;
    uint8_t body[100];
    size_t first = put(body, 1, "first"), len = first + put(body + first, 2, "second");

    for (size_t cut = 0; cut < len; cut++) {
        if (cut != first)
            assert_int_equal(raw_frames_take(body, cut, frames, why), -1);
    }
    refused(NULL, 0, "no frame at byte 0");
    refused(body, first - 1, "not whole at byte 0");
    refused(body, len - 1, "not whole at byte 21");
}

static void lengths_that_are_wrong_are_refused(void **state)
{
    (void)state;
    uint8_t body[100];
    size_t len = put(body, 1, "first");

    frame_write_be32(body, 15);
    refused(body, len, "wrong at byte 0");
    frame_write_be32(body, UINT32_MAX);
    refused(body, len, "not whole at byte 0");
    frame_write_be32(body, (uint32_t)len);
    frame_write_be16(body + 4, 17);
    refused(body, len, "wrong at byte 0");
    frame_write_be16(body + 4, 0);
    refused(body, len, "wrong at byte 0");
}

static void frames_within_frames_are_refused(void **state)
{
    (void)state;
    uint8_t body[100];
    size_t len = put(body, 1, "first");

    len += put(body + len, OP_RAW, "");
    refused(body, len, "frames within frames at byte 21");
}

static void so_many_and_no_more(void **state)
{
    (void)state;
    uint8_t *body = mem_alloc((size_t)(RAW_FRAMES_MAX + 1) * FRAME_HEADER);
    size_t len = 0;

    for (int i = 0; i < RAW_FRAMES_MAX; i++)
        len += put(body + len, i == OP_RAW ? 0 : i, "");
    assert_int_equal(raw_frames_take(body, len, frames, why), RAW_FRAMES_MAX);
    len += put(body + len, 1, "");
    refused(body, len, "more than 1024 frames at byte 16384");
    free(body);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(frames_come_in_order),
        cmocka_unit_test(what_is_cut_is_refused),
        cmocka_unit_test(lengths_that_are_wrong_are_refused),
        cmocka_unit_test(frames_within_frames_are_refused),
        cmocka_unit_test(so_many_and_no_more),
    };

    return cmocka_run_group_tests_name("raw_frames", tests, NULL, NULL);
}
