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

/* Somebody has connected with KEY. */
static void key_is_of(const char *key, int64_t uid)
{
    char at[200], value[24];
    const char *argv[] = {"SET", at, value};
    size_t len[] = {3, (size_t)snprintf(at, sizeof at, "imc:key:%s", key),
                    (size_t)snprintf(value, sizeof value, "%lld", (long long)uid)};

    assert_int_equal(ask(&f, 0, 3, argv, len).type, REDIS_REPLY_STATUS);
}

static void each_user_gets_one_message_for_all_his_keys(void **state)
{
    static const char made[] = "~-5~0123456789abcdef0123456789abcdef";
    char target[200];

    (void)state;
    key_is_of("b c", 7);
    key_is_of("a", 7);
    int64_t unknown = counters[LOGIC_KEYS_UNKNOWN];
    api_says(push("/goim/push/keys?operation=1000&keys=b%20c&keys=lost&keys=a", "hello"), 200, ok);
    assert_int_equal(n_produced, 1);
    const Imc__V1__PushMsg *envelope = produced[0].envelope;
    assert_true(envelope->has_uid && envelope->uid == 7);
    assert_int_equal(envelope->operation, 1000);
    assert_int_equal(envelope->n_keys, 2);
    assert_string_equal(envelope->keys[0], "a");
    assert_string_equal(envelope->keys[1], "b c");
    assert_int_equal(counters[LOGIC_KEYS_UNKNOWN], unknown + 1);
    (void)snprintf(target, sizeof target, "/goim/push/keys?keys=%s&keys=a&keys=a", made);
    api_says(push(target, "x"), 200, ok);
    assert_int_equal(n_produced, 3);
    assert_true(produced[1].envelope->uid == -5);
    assert_string_equal(produced[1].envelope->keys[0], made);
    assert_int_equal(produced[2].envelope->n_keys, 1);
    assert_int_equal(produced[2].envelope->operation, 0);
}

static void keys_that_nobody_has_are_skipped(void **state)
{
    (void)state;
    api_says(push("/goim/push/keys?keys=lost&keys=lost2&id=nobody", "x"), 200, ok);
    api_says(push("/goim/push/keys?keys=lost&keys=lost2&id=nobody", "x"), 200, ok);
    assert_int_equal(n_produced, 0);
}

static void what_is_wrong_with_keys_is_named(void **state)
{
    static const struct {
        const char *target, *error;
    } rows[] = {
        {"/goim/push/keys", "keys: missing"},
        {"/goim/push/keys?keys=", "keys: item 0: missing"},
        {"/goim/push/keys?keys=a&keys=", "keys: item 1: missing"},
        {"/goim/push/keys?keys=a&keys=%ff", "keys: item 1: not UTF-8"},
        {"/goim/push/keys?keys=a&keys=b&keys=c&keys=d", "keys: more than 3"},
        {"/goim/push/keys?keys=a&operation=x", "operation: not a number"},
        {"/goim/push/keys?keys=a&operation=6", "operation: 6 is the protocol's own"},
        {"/goim/push/keys?keys=a&ttl=x", "ttl: not a number"},
    };
    static char target[20000];
    char want[300];

    (void)state;
    key_is_of("a", 7);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        (void)snprintf(want, sizeof want, "{\"code\":-400,\"message\":\"%s\"}", rows[i].error);
        api_says(push(rows[i].target, "x"), 200, want);
    }
    (void)snprintf(target, sizeof target, "/goim/push/keys?keys=%s", api_long('k', 129));
    api_says(push(target, "x"), 200,
             "{\"code\":-400,\"message\":\"keys: item 0: longer than 128 bytes\"}");
    api_says(push("/goim/push/keys?keys=a&keys=b", api_long('x', 501)), 200,
             "{\"code\":-400,\"message\":\"2 keys times 501 bytes are more than push.max_bytes "
             "(1000): push to fewer at a time\"}");
    api_says(push("/goim/push/keys?keys=a", ""), 200,
             "{\"code\":-400,\"message\":\"body: empty\"}");
    assert_int_equal(n_produced, 0);
    (void)snprintf(target, sizeof target, "/goim/push/keys?keys=%s", api_long('k', 128));
    key_is_of(api_long('k', 128), 9);
    api_says(push(target, "x"), 200, ok);
    assert_int_equal(n_produced, 1);
}

static void keys_that_do_not_fit_the_bus_are_too_large(void **state)
{
    (void)state;
    key_is_of("a", 7);
    bus_most = PUSH_ENVELOPE_MOST + 10 + 4;
    api_says(push("/goim/push/keys?keys=a&id=large", api_long('x', 10)), 200, ok);
    bus_most--;
    const struct api_reply *reply = push("/goim/push/keys?keys=a&id=larger", api_long('x', 10));
    assert_non_null(strstr(reply->body, "{\"code\":-400,\"message\":\"keys: one user's take 4 "));
    bus_most = 1000000;
    api_says(push("/goim/push/keys?keys=a&id=larger", "x"), 200,
             ok); /* that was no answer to keep */
    assert_int_equal(n_produced, 2);
}

static void a_retry_goes_to_those_whose_keys_lack_it(void **state)
{
    static const char target[] = "/goim/push/keys?keys=a&keys=b&keys=c&id=keys-partly";

    (void)state;
    key_is_of("a", 1);
    key_is_of("b", 2);
    key_is_of("c", 3);
    broken_uid = 2;
    const struct api_reply *reply = push(target, "x");
    assert_non_null(strstr(reply->body, "\"code\":-500"));
    push_forget();
    broken_uid = 0;
    api_says(push(target, "x"), 200, ok);
    assert_int_equal(n_produced, 1);
    assert_true(produced[0].envelope->uid == 2);
    api_says(push(target, "x"), 200, ok);
    assert_int_equal(n_produced, 1);
}

static void without_redis_keys_are_not_known(void **state)
{
    (void)state;
    redis_server_kill(&server);
    assert_true(until(f.downs > 0, api_turn()));
    const struct api_reply *reply = push("/goim/push/keys?keys=a", "x");
    assert_int_equal(reply->status, 200);
    assert_non_null(
        strstr(reply->body, "{\"code\":-500,\"message\":\"keys: cannot be looked up now: "));
    assert_non_null(strstr(reply->text, "Retry-After: 1\r\n"));
    assert_int_equal(n_produced, 0);
    /* One that was made up is known without. */
    api_says(push("/goim/push/keys?keys=~7~0123456789abcdef0123456789abcdef", "x"), 200, ok);
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
        cmocka_unit_test_teardown(each_user_gets_one_message_for_all_his_keys, push_clear),
        cmocka_unit_test_teardown(keys_that_nobody_has_are_skipped, push_clear),
        cmocka_unit_test_teardown(what_is_wrong_with_keys_is_named, push_clear),
        cmocka_unit_test_teardown(keys_that_do_not_fit_the_bus_are_too_large, push_clear),
        cmocka_unit_test_teardown(a_retry_goes_to_those_whose_keys_lack_it, push_clear),
        cmocka_unit_test_teardown(without_redis_keys_are_not_known, push_clear), /* last */
    };
    return cmocka_run_group_tests(tests, push_setup, push_teardown);
}
