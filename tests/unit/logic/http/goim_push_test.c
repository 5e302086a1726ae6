/* goim's pushes: its parameters, and its answers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

/* needs the above */
#include <cmocka.h>

/* needs cmocka.h */
#include "tests/unit/lib/push_fixture.h"

static const char ok[] = "{\"code\":0,\"message\":\"\"}";

static void pushes_become_envelopes(void **state)
{
    (void)state;
    api_says(push("/goim/push/mids?operation=1000&mids=7&mids=-8&mids=7", "hello"), 200, ok);
    assert_int_equal(n_produced, 2);
    const Imc__V1__PushMsg *envelope = produced[1].envelope;
    assert_true(envelope->has_uid && envelope->uid == -8);
    assert_int_equal(envelope->operation, 1000);
    assert_memory_equal(envelope->msg.data, "hello", 5);
    api_says(push("/goim/push/room?operation=-2147483648&type=live&room=a%20b", "x"), 200, ok);
    assert_int_equal(produced[2].envelope->type, IMC__V1__PUSH_MSG__TYPE__ROOM);
    assert_string_equal(produced[2].envelope->room, "live://a b");
    assert_int_equal(produced[2].envelope->operation, INT32_MIN);
    api_says(push("/goim/push/all?operation=2147483647&speed=99&ttl=10", "x"), 200, ok);
    assert_int_equal(produced[3].envelope->type, IMC__V1__PUSH_MSG__TYPE__BROADCAST);
    assert_int_equal(produced[3].envelope->speed, 99);
    assert_true(produced[3].envelope->expires_ms > 0);
}

static void what_may_be_left_out_is_zero(void **state)
{
    static const char *const targets[] = {
        "/goim/push/mids?mids=1",
        "/goim/push/mids?mids=1&operation=", "/goim/push/mids?mids=1&operation=0",
        "/goim/push/all?operation=1&speed="};

    (void)state;
    for (size_t i = 0; i < sizeof targets / sizeof targets[0]; i++) {
        api_says(push(targets[i], "x"), 200, ok);
        assert_int_equal(produced[i].envelope->operation, i == 3);
        assert_int_equal(produced[i].envelope->speed, 0);
    }
}

static void what_is_wrong_is_named_and_not_pushed(void **state)
{
    static const struct {
        const char *target, *error;
    } rows[] = {
        {"/goim/push/mids", "mids: missing"},
        {"/goim/push/mids?mids=", "mids: item 0: missing"},
        {"/goim/push/mids?mids=1&mids=x", "mids: item 1: not a number"},
        {"/goim/push/mids?mids=1,2", "mids: item 0: not a number"},
        {"/goim/push/mids?mids=9223372036854775808",
         "mids: item 0: must be between -9223372036854775808 and 9223372036854775807"},
        {"/goim/push/mids?mids=1&mids=2&mids=3&mids=4", "mids: more than 3"},
        {"/goim/push/mids?mids=1&operation=x", "operation: not a number"},
        {"/goim/push/mids?mids=1&operation=2147483648",
         "operation: must be between -2147483648 and 2147483647"},
        {"/goim/push/mids?mids=1&operation=1&operation=1", "operation: given twice"},
        {"/goim/push/mids?mids=1&operation=9", "operation: 9 is the protocol's own"},
        {"/goim/push/mids?mids=1&ttl=-1", "ttl: must be between 0 and 31622400"},
        {"/goim/push/mids?mids=1&id=", "id: missing"},
        {"/goim/push/room?type=a&room=b", "operation: missing, or 0"},
        {"/goim/push/room?operation=0&type=a&room=b", "operation: missing, or 0"},
        {"/goim/push/room?operation=1&room=b", "type: missing"},
        {"/goim/push/room?operation=1&type=&room=b", "type: missing"},
        {"/goim/push/room?operation=1&type=a", "room: missing"},
        {"/goim/push/room?operation=1&type=a&type=a&room=b", "type: given twice"},
        {"/goim/push/room?operation=1&type=a&room=b&room=b", "room: given twice"},
        {"/goim/push/room?operation=1&type=%ff&room=b", "type: not UTF-8"},
        {"/goim/push/all", "operation: missing, or 0"},
        {"/goim/push/all?operation=1&speed=-1", "speed: must be between 0 and 2147483647"},
        {"/goim/push/all?operation=1&speed=1&speed=1", "speed: given twice"},
    };
    char want[300];

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        (void)snprintf(want, sizeof want, "{\"code\":-400,\"message\":\"%s\"}", rows[i].error);
        api_says(push(rows[i].target, "x"), 200, want);
    }
    api_says(push("/goim/push/mids?mids=1", ""), 200,
             "{\"code\":-400,\"message\":\"body: empty\"}");
    assert_int_equal(n_produced, 0);
}

static void sizes_end_where_they_should(void **state)
{
    static char target[20000];

    (void)state;
    (void)snprintf(target, sizeof target, "/goim/push/room?operation=1&type=live&room=%s",
                   api_long('x', 121));
    api_says(push(target, api_long('x', 1000)), 200, ok); /* 128 bytes in all */
    (void)snprintf(target, sizeof target, "/goim/push/room?operation=1&type=live&room=%s",
                   api_long('x', 122));
    api_says(push(target, "x"), 200,
             "{\"code\":-400,\"message\":\"room: \\\"type://room\\\" is longer than 128 "
             "bytes\"}");
    api_says(push("/goim/push/mids?mids=1", api_long('x', 1001)), 200,
             "{\"code\":-400,\"message\":\"body: longer than 1000 bytes\"}");
    api_says(push("/goim/push/mids?mids=1&mids=2", api_long('x', 501)), 200,
             "{\"code\":-400,\"message\":\"2 uids times 501 bytes are more than push.max_bytes "
             "(1000): push to fewer at a time\"}");
    assert_int_equal(n_produced, 1);
}

static void what_fails_is_minus_500(void **state)
{
    (void)state;
    broken_uid = 2;
    const struct api_reply *reply = push("/goim/push/mids?mids=2&id=fails", "x");
    api_says(reply, 200,
             "{\"code\":-500,\"message\":\"the bus did not take 1 of 1 messages: broken\"}");
    assert_non_null(strstr(reply->text, "Retry-After: 1\r\n"));
    broken_uid = 0;
    api_says(push("/goim/push/mids?mids=2&id=fails", "x"), 200, ok);
    logic.has_node = false;
    api_says(push("/goim/push/all?operation=1", "x"), 200,
             "{\"code\":-500,\"message\":\"this logic is starting: it holds no lease yet\"}");
    logic.has_node = true;
}

static void an_id_of_one_face_is_known_to_the_other(void **state)
{
    (void)state;
    api_says(push("/goim/push/mids?mids=1&id=both", "x"), 200, ok);
    api_says(push("/1/push?uid=1&id=both", "x"), 200, "{\"ret\":1}");
    api_says(push("/1/push?uid=1&id=other", "x"), 200, "{\"ret\":1}");
    api_says(push("/goim/push/mids?mids=1&id=other", "x"), 200, ok);
    assert_int_equal(n_produced, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(pushes_become_envelopes, push_clear),
        cmocka_unit_test_teardown(what_may_be_left_out_is_zero, push_clear),
        cmocka_unit_test_teardown(what_is_wrong_is_named_and_not_pushed, push_clear),
        cmocka_unit_test_teardown(sizes_end_where_they_should, push_clear),
        cmocka_unit_test_teardown(what_fails_is_minus_500, push_clear),
        cmocka_unit_test_teardown(an_id_of_one_face_is_known_to_the_other, push_clear),
    };
    return cmocka_run_group_tests(tests, push_setup, push_teardown);
}
