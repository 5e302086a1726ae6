#include "common/protocol/json_scan.h"
#include "job/events/event_json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

/* needs the above */
#include <cmocka.h>

static const struct session_name name = {"host 1", 0x1f, 0x2e};
static char address[] = "192.0.2.1", key[] = "k\"1\x01", room[] = "r";

static Imc__V1__SessionRecord record_of(void)
{
    Imc__V1__SessionRecord record;
    imc__v1__session_record__init(&record);

    record.uid = 7;
    record.opened_ms = 1000;
    record.ended_ms = 3500;
    record.address = address;
    record.key = key;
    record.room = room;
    return record;
}

static json_t *made(enum event_type type, const Imc__V1__SessionRecord *record)
{
    const struct session_event event = {.type = type,
                                        .name = &name,
                                        .record = record,
                                        .offset = 12,
                                        .number = 1,
                                        .written_ms = 9000};
    size_t len;
    char *text = event_json(&event, &len);
    json_t *value = json_loadb(text, len, 0, NULL);

    assert_non_null(value);
    free(text);
    return value;
}

static void check(json_t *value, const char *wanted)
{
    json_t *other = json_loads(wanted, 0, NULL);

    assert_non_null(other);
    if (!json_equal(value, other))
        print_message("%s\n", json_dumps(value, 0));
    assert_true(json_equal(value, other));
    json_decref(value);
    json_decref(other);
}

static void a_beginning(void **state)
{
    Imc__V1__SessionRecord record = record_of();

    (void)state;
    check(made(EVENT_CONNECTED, &record),
          "{\"specversion\":\"1.0\",\"type\":\"io.imc.session.connected.v1\","
          "\"source\":\"/imc/comet/host%201\",\"id\":\"host 1.1f.2e.connected\",\"subject\":\"7\","
          "\"time\":\"1970-01-01T00:00:01.000Z\",\"sequence\":\"00000000000000000012.01\","
          "\"datacontenttype\":\"application/json\",\"data\":{\"session\":\"host 1.1f.2e\","
          "\"comet\":\"host 1\",\"address\":\"192.0.2.1\",\"devicekey\":\"k\\\"1\\u0001\","
          "\"room\":\"r\"}}");
}

static void one_that_came_back_says_in_whose_place(void **state)
{
    const struct session_name former[] = {{"host 1", 0x1f, 1}, {"\"", 2, 3}};
    Imc__V1__SessionRecord record = record_of();
    struct session_event event = {.type = EVENT_CONNECTED,
                                  .name = &name,
                                  .record = &record,
                                  .replaces = former,
                                  .n_replaces = 2};
    size_t len;

    (void)state;
    char *text = event_json(&event, &len);
    json_t *value = json_loadb(text, len, 0, NULL);
    json_t *list = json_object_get(json_object_get(value, "data"), "replaces");
    assert_int_equal(json_array_size(list), 2);
    assert_string_equal(json_string_value(json_array_get(list, 0)), "host 1.1f.1");
    assert_string_equal(json_string_value(json_array_get(list, 1)), "\".2.3");
    json_decref(value);
    free(text);
}

static void a_room(void **state)
{
    Imc__V1__SessionRecord record = record_of();
    struct session_event event = {.type = EVENT_LEFT,
                                  .name = &name,
                                  .record = &record,
                                  .offset = 3,
                                  .id = "host 1.1f.2e.5.left"};
    size_t len;

    (void)state;
    record.address = record.key = (char[]){""};
    record.at_ms = 4000;
    char *text = event_json(&event, &len);
    check(json_loadb(text, len, 0, NULL),
          "{\"specversion\":\"1.0\",\"type\":\"io.imc.room.left.v1\","
          "\"source\":\"/imc/comet/host%201\",\"id\":\"host 1.1f.2e.5.left\",\"subject\":\"7\","
          "\"time\":\"1970-01-01T00:00:04.000Z\",\"sequence\":\"00000000000000000003.00\","
          "\"datacontenttype\":\"application/json\",\"data\":{\"session\":\"host 1.1f.2e\","
          "\"comet\":\"host 1\",\"room\":\"r\"}}");
    free(text);
}

static void one_that_is_there_again_is_dated_by_its_record(void **state)
{
    Imc__V1__SessionRecord record = record_of();

    (void)state;
    record.again = true;
    json_t *value = made(EVENT_CONNECTED, &record);
    assert_string_equal(json_string_value(json_object_get(value, "time")),
                        "1970-01-01T00:00:09.000Z");
    assert_true(json_is_true(json_object_get(json_object_get(value, "data"), "again")));
    json_decref(value);
}

static void ends_say_why(void **state)
{
    static const struct {
        Imc__V1__SessionRecord__How how;
        uint32_t code;
        const char *reason;
    } rows[] = {
        {IMC__V1__SESSION_RECORD__HOW__CLIENT, 0, "client"},
        {IMC__V1__SESSION_RECORD__HOW__CLOSED, 11, "heartbeat_missed"},
        {IMC__V1__SESSION_RECORD__HOW__CLOSED, 13, "unknown_operation"},
        {IMC__V1__SESSION_RECORD__HOW__CLOSED, 14, "unknown"},
        {IMC__V1__SESSION_RECORD__HOW__REFUSED, 0, "refused"},
        {IMC__V1__SESSION_RECORD__HOW__LOST, 0, "comet_lost"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        Imc__V1__SessionRecord record = record_of();
        record.how = rows[i].how;
        record.code = rows[i].code;
        json_t *value = made(EVENT_DISCONNECTED, &record);
        json_t *data = json_object_get(value, "data");
        assert_string_equal(json_string_value(json_object_get(data, "reason")), rows[i].reason);
        assert_int_equal(json_integer_value(json_object_get(data, "durationms")), 2500);
        assert_int_equal(json_integer_value(json_object_get(data, "code")), rows[i].code);
        assert_string_equal(json_string_value(json_object_get(value, "time")),
                            "1970-01-01T00:00:03.500Z");
        json_decref(value);
    }
}

static void the_longest_texts_fit(void **state)
{
    static char most[2000];
    struct session_name longest = {.epoch = UINT64_MAX, .handle = UINT64_MAX};
    Imc__V1__SessionRecord record = record_of();
    struct session_event event = {.type = EVENT_DISCONNECTED, .name = &longest, .record = &record};
    size_t len;

    (void)state;
    memset(most, 1, sizeof most - 1);
    memset(longest.comet, 1, sizeof longest.comet - 1);
    record.address = record.key = record.room = most;
    record.uid = INT64_MIN;
    char *text = event_json(&event, &len);
    json_t *value = json_loadb(text, len, 0, NULL);
    assert_non_null(value);
    assert_string_equal(json_string_value(json_object_get(json_object_get(value, "data"), "room")),
                        most);
    json_decref(value);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_beginning),
        cmocka_unit_test(one_that_came_back_says_in_whose_place),
        cmocka_unit_test(a_room),
        cmocka_unit_test(one_that_is_there_again_is_dated_by_its_record),
        cmocka_unit_test(ends_say_why),
        cmocka_unit_test(the_longest_texts_fit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
