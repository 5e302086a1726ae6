#include "common/trace/trace_mark.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const struct trace_mark mark = {.flags = TRACE_STEPS | TRACE_SPANS,
                                       .push = 0x0102030405060708,
                                       .trace_id = {0xaa, [15] = 0xbb},
                                       .parent = {0xcc, [7] = 0xdd}};

static void there_and_back(void **state)
{
    uint8_t bytes[TRACE_MARK_LEN];
    struct trace_mark out;

    (void)state;
    trace_mark_write(&mark, bytes);
    assert_true(trace_mark_read(bytes, sizeof bytes, &out));
    assert_int_equal(out.flags, mark.flags);
    assert_true(out.push == mark.push);
    assert_memory_equal(out.trace_id, mark.trace_id, TRACE_ID_LEN);
    assert_memory_equal(out.parent, mark.parent, TRACE_SPAN_LEN);
    assert_int_equal(bytes[2], 1); /* the push, big-endian */
    assert_int_equal(bytes[9], 8);
}

static void no_marks(void **state)
{
    uint8_t bytes[TRACE_MARK_LEN + 1] = {0};
    struct trace_mark out;

    (void)state;
    trace_mark_write(&mark, bytes);
    for (size_t len = 0; len <= sizeof bytes; len++)
        assert_int_equal(trace_mark_read(bytes, len, &out), len == TRACE_MARK_LEN);
    bytes[0] = 2;
    assert_false(trace_mark_read(bytes, TRACE_MARK_LEN, &out));
}

static void ids_of_their_own(void **state)
{
    static const uint8_t none[TRACE_ID_LEN];
    uint8_t a[TRACE_ID_LEN], again[TRACE_ID_LEN], b[TRACE_ID_LEN];

    (void)state;
    trace_mark_make_id(0, a);
    trace_mark_make_id(0, again);
    trace_mark_make_id(1, b);
    assert_memory_equal(a, again, sizeof a);
    assert_memory_not_equal(a, b, sizeof a);
    assert_memory_not_equal(a, none, sizeof a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(there_and_back),
        cmocka_unit_test(no_marks),
        cmocka_unit_test(ids_of_their_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
