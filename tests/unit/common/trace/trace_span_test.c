#include "common/protocol/json_scan.h"
#include "common/trace/trace_span.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const struct trace_mark mark = {
    .flags = TRACE_SPANS, .trace_id = {1, [15] = 2}, .parent = {3, [7] = 4}};
static char text[TRACE_SPAN_TEXT_MAX];

static json_t *print(const struct trace_span *span, const struct trace_mark *with)
{
    json_error_t why;
    size_t len = trace_span_print(span, with, text);
    json_t *value;

    assert_true(len > 0 && len == strlen(text));
    value = json_load(text, len, 0, &why);
    assert_non_null(value);
    return value;
}

static const char *member(const json_t *span, const char *name)
{
    return json_string_value(json_object_get(span, name));
}

static void parents(void **state)
{
    struct trace_span send = {.id = 7, .what = TRACE_SPAN_SEND, .name = "send t"};
    struct trace_span process = {.id = 7, .what = TRACE_SPAN_PROCESS, .name = "process t"};
    struct trace_span deliver = {.id = 7, .what = TRACE_SPAN_DELIVER, .of = 9, .name = "deliver"};
    json_t *a = print(&send, &mark), *b = print(&process, &mark), *c = print(&deliver, &mark);

    (void)state;
    assert_string_equal(member(a, "traceId"), "01000000000000000000000000000002");
    assert_string_equal(member(a, "parentSpanId"), "0300000000000004");
    assert_string_equal(member(b, "parentSpanId"), member(a, "spanId"));
    assert_string_equal(member(c, "parentSpanId"), member(b, "spanId"));
    json_decref(a);
    a = print(&send, &(struct trace_mark){.trace_id = {1}});
    assert_string_equal(member(a, "parentSpanId"), "");
    json_decref(a);
    json_decref(b);
    json_decref(c);
}

static void two_sessions_are_two_spans(void **state)
{
    uint8_t a[TRACE_SPAN_LEN], b[TRACE_SPAN_LEN];

    (void)state;
    trace_span_id(7, TRACE_SPAN_DELIVER, 1, a);
    trace_span_id(7, TRACE_SPAN_DELIVER, 2, b);
    assert_memory_not_equal(a, b, sizeof a);
}

static void what_distinguishes_spans(void **state)
{
    uint64_t of = trace_span_of("comet-1", 1, 5);

    (void)state;
    assert_true(of == trace_span_of("comet-1", 1, 5));
    assert_true(of != trace_span_of("comet-2", 1, 5));
    assert_true(of != trace_span_of("comet-1", 2, 5));
    assert_true(of != trace_span_of("comet-1", 1, 6)); /* the same session gets it again */
}

static void errors(void **state)
{
    struct trace_span span = {
        .id = 7, .what = TRACE_SPAN_SEND, .name = "send", .error = "no \"bus\""};
    json_t *value = print(&span, &mark);
    const json_t *status = json_object_get(value, "status");

    (void)state;
    assert_int_equal(json_integer_value(json_object_get(status, "code")), 2);
    assert_string_equal(member(status, "message"), "no \"bus\"");
    const json_t *attributes = json_object_get(value, "attributes");
    assert_int_equal(json_array_size(attributes), 1);
    assert_string_equal(member(json_array_get(attributes, 0), "key"), "error.type");
    json_decref(value);
}

/* The machine's clock was set back meanwhile. */
static void no_span_ends_before_it_begins(void **state)
{
    struct trace_span span = {
        .id = 7, .what = TRACE_SPAN_SEND, .start_us = 2000, .end_us = 1000, .name = "send"};
    json_t *value = print(&span, &mark);

    (void)state;
    assert_string_equal(member(value, "startTimeUnixNano"), "2000000");
    assert_string_equal(member(value, "endTimeUnixNano"), "2000000");
    json_decref(value);
}

/* Attributes that do not fit are left out whole, and the longest span is still JSON. */
static void the_longest(void **state)
{
    struct trace_span span = {
        .id = UINT64_MAX, .what = TRACE_SPAN_DELIVER, .start_us = INT64_MAX, .end_us = INT64_MAX};
    char longest[300];

    (void)state;
    memset(longest, '\x01', sizeof longest - 1);
    longest[sizeof longest - 1] = '\0';
    memcpy(span.name, longest, 20);
    trace_span_text(&span, "imc.reason", longest);
    for (int i = 0; i < 50; i++)
        trace_span_number(&span, "messaging.kafka.offset", INT64_MIN);
    json_t *value = print(&span, &mark);
    assert_true(json_array_size(json_object_get(value, "attributes")) > 1);
    json_decref(value);
    memcpy(span.name, longest, sizeof span.name - 1);
    span.error = span.error_type = longest;
    value = print(&span, &mark);
    json_decref(value);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parents),
        cmocka_unit_test(two_sessions_are_two_spans),
        cmocka_unit_test(what_distinguishes_spans),
        cmocka_unit_test(errors),
        cmocka_unit_test(no_span_ends_before_it_begins),
        cmocka_unit_test(the_longest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
