#include "common/protocol/trace_context.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* needs the above */
#include <cmocka.h>

#define PARENT "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

static void a_parent_is_read_and_written(void **state)
{
    struct trace_context context;
    char text[TRACE_PARENT_LEN + 1];

    (void)state;
    assert_true(trace_parent_parse(PARENT, &context));
    assert_int_equal(context.trace_id[0], 0x4b);
    assert_int_equal(context.trace_id[15], 0x36);
    assert_int_equal(context.parent_id[1], 0xf0);
    assert_int_equal(context.flags, TRACE_SAMPLED);
    assert_string_equal(context.state, "");
    trace_parent_print(&context, text);
    assert_string_equal(text, PARENT);
}

/* A later version is read as far as it is known, and written as version 00. */
static void a_later_version_is_read(void **state)
{
    struct trace_context context;
    char text[TRACE_PARENT_LEN + 1];

    (void)state;
    assert_true(trace_parent_parse("cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-ff-what",
                                   &context));
    trace_parent_print(&context, text);
    assert_string_equal(text, "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-03");
    assert_true(
        trace_parent_parse("01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00", &context));
    assert_false(
        trace_parent_parse("01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00.", &context));
}

static void a_wrong_parent_is_none(void **state)
{
    static const char *const wrong[] = {
        "",
        "00",
        "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "0g-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
        "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0A",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-",
        "00-4bf92f3577b34da6a3ce929d0e0e4736_00f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e473-600f067aa0ba902b7-01",
        " " PARENT,
        PARENT " ",
    };
    struct trace_context context;

    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        assert_false(trace_parent_parse(wrong[i], &context));
}

static void lines_of_state_are_joined(void **state)
{
    struct trace_context context;

    (void)state;
    assert_true(trace_parent_parse(PARENT, &context));
    assert_true(trace_state_add(&context, " rojo=00f067aa0ba902b7 ,\t, fw529a3039@dt=FfE b~"));
    assert_true(trace_state_add(&context, ""));
    assert_true(trace_state_add(&context, "0k_-*/=:1"));
    assert_string_equal(context.state, "rojo=00f067aa0ba902b7,fw529a3039@dt=FfE b~,0k_-*/=:1");
}

static void a_wrong_state_is_left_out(void **state)
{
    static const char *const wrong[] = {"a",    "=b",      "a=",    "A=b",        "a=b=c", "a@=b",
                                        "@a=b", "a@b@c=d", "a b=c", "a=\xc3\xa4", "_a=b",  "a=b,c"};
    struct trace_context context;

    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        assert_true(trace_parent_parse(PARENT, &context));
        assert_true(trace_state_add(&context, "good=1"));
        assert_false(trace_state_add(&context, wrong[i]));
        assert_string_equal(context.state, "");
    }
}

/* 32 members and 512 bytes; neither one more. */
static void a_state_has_a_limit(void **state)
{
    struct trace_context context;
    char line[TRACE_STATE_MAX + 2];

    (void)state;
    assert_true(trace_parent_parse(PARENT, &context));
    for (int i = 0; i < TRACE_STATE_MEMBERS_MAX; i++)
        assert_true(trace_state_add(&context, "a=1"));
    assert_false(trace_state_add(&context, "a=1"));

    memset(line, 'v', sizeof line);
    memcpy(line, "key=", 4);
    line[256] = ',';
    memcpy(line + 257, "k=", 2);
    line[TRACE_STATE_MAX] = '\0';
    assert_true(trace_parent_parse(PARENT, &context));
    assert_true(trace_state_add(&context, line));
    assert_int_equal(strlen(context.state), TRACE_STATE_MAX);
    line[TRACE_STATE_MAX] = 'v';
    line[TRACE_STATE_MAX + 1] = '\0';
    assert_true(trace_parent_parse(PARENT, &context));
    assert_false(trace_state_add(&context, line));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_parent_is_read_and_written), cmocka_unit_test(a_later_version_is_read),
        cmocka_unit_test(a_wrong_parent_is_none),       cmocka_unit_test(lines_of_state_are_joined),
        cmocka_unit_test(a_wrong_state_is_left_out),    cmocka_unit_test(a_state_has_a_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
