/* What goes with a message to Kafka, and what is left out where a topic takes little. */
#include "common/protocol/trace_context.h"
#include "logic/push/envelope.h"

#include <librdkafka/rdkafka.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* needs the above */
#include <cmocka.h>

#define PARENT "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

static Imc__V1__PushMsg envelope;
static Imc__V1__Session session, *sessions[] = {&session};
static struct trace_context trace;

static int setup(void **state)
{
    (void)state;
    imc__v1__push_msg__init(&envelope);
    imc__v1__session__init(&session);
    envelope.has_uid = true;
    envelope.uid = 7;
    envelope.hints = sessions;
    envelope.n_hints = 1;
    session.handle = 1;
    assert_true(trace_parent_parse(PARENT, &trace));
    assert_true(trace_state_add(&trace, "a=1"));
    return 0;
}

static void assert_header(const struct kafka_message *message, const char *name, const char *text)
{
    const void *value;
    size_t len;

    assert_int_equal(rd_kafka_header_get_last(message->headers, name, &value, &len), 0);
    assert_int_equal(len, strlen(text));
    assert_memory_equal(value, text, len);
}

static void a_trace_goes_as_headers(void **state)
{
    struct kafka_message message = envelope_pack_within(&envelope, 1000, &trace);

    (void)state;
    assert_int_equal(rd_kafka_header_cnt(message.headers), 2);
    assert_header(&message, "traceparent", PARENT);
    assert_header(&message, "tracestate", "a=1");
    kafka_message_drop(&message);
    trace.state[0] = '\0';
    message = envelope_pack_within(&envelope, 1000, &trace);
    assert_int_equal(rd_kafka_header_cnt(message.headers), 1);
    kafka_message_drop(&message);
    message = envelope_pack_within(&envelope, 1000, NULL);
    assert_null(message.headers);
    kafka_message_drop(&message);
    assert_null(message.value);
}

static void what_the_topic_does_not_take_is_left_out(void **state)
{
    size_t headers = kafka_message_trace_size(&trace), whole = envelope_size(&envelope) + headers;

    (void)state;
    struct kafka_message message = envelope_pack_within(&envelope, whole, &trace);
    assert_non_null(message.headers);
    assert_int_equal(envelope.n_hints, 1);
    kafka_message_drop(&message);
    message = envelope_pack_within(&envelope, whole - 1, &trace);
    assert_non_null(message.headers);
    assert_int_equal(envelope.n_hints, 0);
    kafka_message_drop(&message);
    message = envelope_pack_within(&envelope, envelope_size(&envelope) + headers - 1, &trace);
    assert_null(message.headers);
    kafka_message_drop(&message);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_trace_goes_as_headers, setup),
        cmocka_unit_test_setup(what_the_topic_does_not_take_is_left_out, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
