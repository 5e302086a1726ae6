/* /1/room/join and /1/room/leave: what is ordered, and how each outcome is answered. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

/* needs the above */
#include <cmocka.h>

/* needs cmocka.h */
#include "logic/peers/room_orders.h"
#include "logic/tokens/device_keys.h"
#include "tests/unit/lib/api_fixture.h"

/* In place of the orders. */
static struct {
    bool refuses;
    int n;
    int64_t uid;
    bool leave, has_key;
    char room[160], key[160];
    room_changed_fn fn;
    void *arg;
    struct room_changed answer;
} orders;

bool room_order(struct room_orders *link, const struct room_change *change, room_changed_fn fn,
                void *arg)
{
    (void)link;
    if (orders.refuses)
        return false;
    orders.n++;
    orders.uid = change->uid;
    orders.leave = change->leave;
    orders.has_key = change->key != NULL;
    snprintf(orders.room, sizeof orders.room, "%s", change->room);
    snprintf(orders.key, sizeof orders.key, "%s", change->key != NULL ? change->key : "");
    orders.fn = fn;
    orders.arg = arg;
    return true;
}

/* In place of the keys. */
static struct {
    int err;
    struct device_key_owner owner;
    char asked[160];
    device_keys_fn fn;
    void *arg;
} keys;

void device_keys_find(struct logic *link, const char *const *list, size_t n, device_keys_fn fn,
                      void *arg)
{
    assert_ptr_equal(link, &logic);
    assert_int_equal(n, 1);
    snprintf(keys.asked, sizeof keys.asked, "%s", list[0]);
    keys.fn = fn;
    keys.arg = arg;
}

static void keys_answer(void)
{
    device_keys_fn fn = keys.fn;

    keys.fn = NULL;
    if (fn != NULL)
        fn(keys.arg, keys.err, &keys.owner);
}

static void api_around(void)
{
    keys_answer();
    room_changed_fn fn = orders.fn;

    orders.fn = NULL;
    if (fn != NULL)
        fn(orders.arg, &orders.answer);
}

static int setup(void **state)
{
    memset(&orders, 0, sizeof orders);
    memset(&keys, 0, sizeof keys);
    memset(counters, 0, sizeof counters);
    orders.answer.why = "because";
    return api_setup(state);
}

static void parameters_reach_the_order(void **state)
{
    (void)state;
    orders.answer.sessions = 3;
    api_says(api_call("POST", "/1/room/join?uid=-7&room=live%3A%2F%2F1", "", ""), 200,
             "{\"ret\":1,\"data\":{\"sessions\":3}}");
    assert_true(orders.uid == -7 && !orders.leave && !orders.has_key);
    assert_string_equal(orders.room, "live://1");
    orders.answer.sessions = 0;
    api_says(api_call("POST", "/1/room/leave?uid=7&room=a,b&key=phone", "", ""), 200,
             "{\"ret\":1,\"data\":{\"sessions\":0}}");
    assert_true(orders.leave && orders.has_key);
    assert_string_equal(orders.room, "a,b"); /* a name may have a comma: this is one room */
    assert_string_equal(orders.key, "phone");
}

static void a_key_stands_for_its_user(void **state)
{
    (void)state;
    keys.owner = (struct device_key_owner){.known = true, .uid = 42};
    orders.answer.sessions = 1;
    api_says(api_call("POST", "/1/room/join?key=phone&room=r", "", ""), 200,
             "{\"ret\":1,\"data\":{\"sessions\":1}}");
    assert_string_equal(keys.asked, "phone");
    assert_true(orders.n == 1 && orders.uid == 42 && orders.has_key);
    assert_string_equal(orders.key, "phone"); /* not his other devices */
    keys.owner.known = false;
    api_says(api_call("POST", "/1/room/leave?key=nobody&room=r", "", ""), 200,
             "{\"ret\":1,\"data\":{\"sessions\":0}}");
    keys.err = -EAGAIN;
    assert_int_equal(api_call("POST", "/1/room/join?key=phone&room=r", "", "")->status, 503);
    assert_int_equal(counters[LOGIC_REFUSED_REDIS], 1);
    assert_int_equal(orders.n, 1);
    keys.asked[0] = '\0';
    (void)api_call("POST", "/1/room/join?key=phone&uid=7&room=r", "", "");
    assert_true(orders.n == 2 && orders.uid == 7 && keys.asked[0] == '\0');
}

static void limits_are_named(void **state)
{
    (void)state;
    orders.answer = (struct room_changed){.sessions = 2, .session_full = 1};
    api_says(api_call("POST", "/1/room/join?uid=1&room=r", "", ""), 200,
             "{\"ret\":1,\"data\":{\"sessions\":2,\"refused\":{\"rooms.per_session\":1,"
             "\"rooms.max\":0}}}");
    orders.answer = (struct room_changed){
        .sessions = SIZE_MAX, .session_full = SIZE_MAX, .comet_full = SIZE_MAX};
    const struct api_reply *reply = api_call("POST", "/1/room/join?uid=1&room=r", "", "");
    assert_non_null(strstr(reply->body, "\"rooms.max\":18446744073709551615}}}"));
}

static void errors_say_when_to_try_again(void **state)
{
    static const struct {
        enum room_order_error error;
        enum logic_metric counter;
    } rows[] = {
        {ROOM_ORDER_ROUTER, LOGIC_REFUSED_ROUTER},
        {ROOM_ORDER_COMET, LOGIC_REFUSED_COMET},
        {ROOM_ORDER_CLOSED, LOGIC_REFUSED_DRAIN},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        orders.answer.error = rows[i].error;
        const struct api_reply *reply = api_call("POST", "/1/room/join?uid=1&room=r", "", "");
        assert_int_equal(reply->status, 503);
        assert_non_null(strstr(reply->text, "Retry-After: 1\r\n"));
        assert_string_equal(reply->body, "{\"ret\":65535,\"error\":\"because\"}");
        assert_int_equal(counters[rows[i].counter], 1);
    }
    orders.refuses = true;
    const struct api_reply *reply = api_call("POST", "/1/room/leave?uid=1&room=r", "", "");
    assert_int_equal(reply->status, 503);
    assert_non_null(strstr(reply->text, "Retry-After: 5\r\n"));
    assert_int_equal(counters[LOGIC_REFUSED_ORDERS], 1);
}

static void what_is_wrong_is_named(void **state)
{
    static const struct {
        const char *query, *text;
    } rows[] = {
        {"room=r", "uid: "},
        {"uid=&room=r", "uid: "},
        {"uid=&room=r&key=k", "uid: "},
        {"room=r&key=", "key: "},
        {"key=k", "room: "},
        {"uid=1.5&room=r", "uid: "},
        {"uid=9223372036854775808&room=r", "uid: "},
        {"uid=1&uid=1&room=r", "uid: given twice"},
        {"uid=1", "room: "},
        {"uid=1&room=", "room: "},
        {"uid=1&room=%FF", "room: "},
        {"uid=1&room=r&room=s", "room: given twice"},
        {"uid=1&room=r&key=", "key: "},
        {"uid=1&room=r&key=%C0%80", "key: "},
        {"uid=1&room=r&key=k&key=k", "key: given twice"},
    };
    char target[512];

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        (void)snprintf(target, sizeof target, "/1/room/join?%s", rows[i].query);
        const struct api_reply *reply = api_call("POST", target, "", "");
        assert_int_equal(reply->status, 200);
        assert_non_null(strstr(reply->body, "\"ret\":65534"));
        if (strstr(reply->body, rows[i].text) == NULL)
            fail_msg("%s: %s", rows[i].query, reply->body);
    }
    assert_int_equal(orders.n, 0);
}

static void the_longest_texts(void **state)
{
    char target[512];

    (void)state;
    for (size_t over = 0; over < 2; over++) {
        (void)snprintf(target, sizeof target, "/1/room/join?uid=1&room=%s",
                       api_long('r', 128 + over));
        (void)api_call("POST", target, "", "");
        (void)snprintf(target, sizeof target, "/1/room/join?uid=1&room=r&key=%s",
                       api_long('k', 128 + over));
        (void)api_call("POST", target, "", "");
    }
    assert_int_equal(orders.n, 2);
    assert_int_equal(counters[LOGIC_REFUSED_PARAMETER], 2);
}

int main(void)
{
#define TEST(test) cmocka_unit_test_setup_teardown(test, setup, api_teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_key_stands_for_its_user), TEST(parameters_reach_the_order),
        TEST(limits_are_named),          TEST(errors_say_when_to_try_again),
        TEST(what_is_wrong_is_named),    TEST(the_longest_texts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
