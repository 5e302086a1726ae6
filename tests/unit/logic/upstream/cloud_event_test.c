#include "common/events/cloud_attributes.h"
#include "logic/upstream/cloud_event.h"

#include <librdkafka/rdkafka.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

/* needs the above */
#include <cmocka.h>

static struct kafka_message message;

static void expect(const char *name, const char *value)
{
    const void *found = NULL;
    size_t len = 0;
    rd_kafka_resp_err_t err = rd_kafka_header_get_last(message.headers, name, &found, &len);

    if (value == NULL) {
        assert_int_equal(err, RD_KAFKA_RESP_ERR__NOENT);
        return;
    }
    assert_int_equal(err, RD_KAFKA_RESP_ERR_NO_ERROR);
    assert_int_equal(len, strlen(value));
    assert_memory_equal(found, value, len);
}

/* What headers take in Kafka: names, values, and up to five bytes for the length of each. */
static size_t headers_bytes(void)
{
    const char *name;
    const void *value;
    size_t bytes = 0, len;

    for (size_t i = 0; rd_kafka_header_get_all(message.headers, i, &name, &value, &len) == 0; i++)
        bytes += strlen(name) + len + 10;
    return bytes;
}

static void an_event_has_all_that_is_known(void **state)
{
    const struct upstream_event event = {
        .comet = "host-8092",
        .epoch = 0x18c0ffee,
        .handle = 0x100000000000003,
        .number = 17,
        .uid = -9223372036854775807 - 1,
        .key = "phone",
        .room = "live://1",
        .address = "2001:db8::1",
        .time_ms = 1795957260005,
        .op = -4,
        .json = true,
        .body = "{}",
        .len = 2,
    };

    (void)state;
    cloud_event_make(&event, &message);
    assert_int_equal(message.value_len, 2);
    assert_memory_equal(message.value, "{}", 2);
    assert_int_equal(message.key_len, 20);
    assert_memory_equal(message.key, "-9223372036854775808", 20);
    expect("ce_specversion", "1.0");
    expect("ce_id", "host-8092.18c0ffee.100000000000003.17");
    expect("ce_source", "/imc/comet/host-8092");
    expect("ce_type", "io.imc.upstream.v1");
    expect("ce_subject", "-9223372036854775808");
    expect("ce_time", "2026-11-29T13:01:00.005Z");
    expect("content-type", "application/json");
    expect("ce_operation", "-4");
    expect("ce_devicekey", "phone");
    expect("ce_room", "live://1");
    expect("ce_address", "2001:db8::1");
    assert_true(headers_bytes() + message.key_len + message.value_len <= cloud_event_bytes(&event));
    cloud_event_drop(&message);
}

static void what_is_not_known_has_no_header_but_there_is_a_value(void **state)
{
    const struct upstream_event event = {.comet = "c", .key = "", .number = 1};

    (void)state;
    cloud_event_make(&event, &message);
    assert_non_null(message.value);
    assert_int_equal(message.value_len, 0);
    expect("content-type", "application/octet-stream");
    expect("ce_devicekey", NULL);
    expect("ce_room", NULL);
    expect("ce_address", NULL);
    expect("ce_subject", "0");
    expect("ce_time", "1970-01-01T00:00:00.000Z");
    cloud_event_drop(&message);
}

static void names_are_escaped_and_cut(void **state)
{
    char name[200], source[CLOUD_SOURCE_MAX], id[CLOUD_EVENT_ID_MAX];
    struct upstream_event event = {
        .comet = "a b/\xc3\xa9%", .epoch = UINT64_MAX, .handle = UINT64_MAX, .number = UINT64_MAX};

    (void)state;
    cloud_source(event.comet, source);
    assert_string_equal(source, "/imc/comet/a%20b%2F%C3%A9%25");
    memset(name, '/', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    event.comet = name;
    cloud_source(event.comet, source);
    assert_int_equal(strlen(source), strlen("/imc/comet/") + 3 * 63);
    cloud_event_id(&event, id);
    assert_non_null(strstr(id, ".ffffffffffffffff.ffffffffffffffff.18446744073709551615"));
    cloud_event_make(&event, &message);
    assert_true(headers_bytes() + message.key_len <= cloud_event_bytes(&event));
    cloud_event_drop(&message);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_event_has_all_that_is_known),
        cmocka_unit_test(what_is_not_known_has_no_header_but_there_is_a_value),
        cmocka_unit_test(names_are_escaped_and_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
