#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

/* needs the above */
#include <cmocka.h>

/* needs cmocka.h */
#include "tests/unit/lib/push_fixture.h"

static const char ok[] = "{\"ret\":1}";

static void a_push_becomes_an_envelope(void **state)
{
    (void)state;
    uint64_t before = logic_now_ms(&logic);
    api_says(push("/1/push?uid=-9&ttl=10&op=77", "hello"), 200, ok);
    uint64_t after = logic_now_ms(&logic);
    assert_int_equal(n_produced, 1);
    const Imc__V1__PushMsg *envelope = produced[0].envelope;
    assert_true(envelope->has_uid && envelope->uid == -9);
    assert_int_equal(envelope->operation, 77);
    assert_int_equal(envelope->msg.len, 5);
    assert_memory_equal(envelope->msg.data, "hello", 5);
    assert_in_range(envelope->expires_ms, before + 10000, after + 10000);
    api_says(push("/1/push/room?rid=r%201&ensure=0", "x"), 200, ok);
    assert_string_equal(produced[1].envelope->room, "r 1");
    assert_int_equal(produced[1].envelope->operation, 5);
    assert_true(produced[1].envelope->expires_ms == 0);
    api_says(push("/1/push/all?speed=2147483647", "x"), 200, ok);
    assert_int_equal(produced[2].envelope->type, IMC__V1__PUSH_MSG__TYPE__BROADCAST);
    assert_int_equal(produced[2].envelope->speed, 2147483647);
}

static void what_is_wrong_is_named_and_not_pushed(void **state)
{
    static const struct {
        const char *target, *body, *error;
    } rows[] = {
        {"/1/push", "x", "uid: missing"},
        {"/1/push?uid=a", "x", "uid: not a number"},
        {"/1/push?uid=1&uid=1", "x", "uid: given twice"},
        {"/1/push?uid=1", "", "body: empty"},
        {"/1/push?uid=1&ttl=-1", "x", "ttl: must be between 0 and 31622400"},
        {"/1/push?uid=1&ttl=31622401", "x", "ttl: must be between 0 and 31622400"},
        {"/1/push?uid=1&ttl=", "x", "ttl: missing"},
        {"/1/push?uid=1&ttl=1&ttl=1", "x", "ttl: given twice"},
        {"/1/push?uid=1&op=-1", "x", "op: must be between 0 and 2147483647"},
        {"/1/push?uid=1&op=2147483648", "x", "op: must be between 0 and 2147483647"},
        {"/1/push?uid=1&op=9", "x", "op: 9 is the protocol's own"},
        {"/1/push?uid=1&op=5&op=5", "x", "op: given twice"},
        {"/1/push?uid=1&id=", "x", "id: missing"},
        {"/1/push?uid=1&id=a&id=a", "x", "id: given twice"},
        {"/1/push/room", "x", "rid: missing"},
        {"/1/push/room?rid=", "x", "rid: missing"},
        {"/1/push/room?rid=a&rid=a", "x", "rid: given twice"},
        {"/1/push/room?rid=a&ensure=1&ensure=1", "x", "ensure: given twice"},
        {"/1/push/room?rid=a", "", "body: empty"},
        {"/1/push/all?speed=-1", "x", "speed: must be between 0 and 2147483647"},
        {"/1/push/all?speed=1&speed=1", "x", "speed: given twice"},
        {"/1/push/all", "", "body: empty"},
        {"/1/pushs", "{\"m\":1}", "u: missing"},
        {"/1/pushs", "{\"u\":[1]}", "m: missing"},
        {"/1/pushs", "{\"u\":[],\"m\":1}", "u: no uid"},
        {"/1/pushs", "{\"u\":\"\",\"m\":1}", "u: no uid"},
        {"/1/pushs", "{\"u\":7,\"m\":1}", "u: neither a list nor a string of uids"},
        {"/1/pushs", "{\"u\":[1,\"2\"],\"m\":1}", "u: item 1 is not an integer"},
        {"/1/pushs", "{\"u\":\"1,x\",\"m\":1}", "u: item 1 is not an integer"},
        {"/1/pushs", "{\"u\":\"1,\",\"m\":1}", "u: ends in a comma"},
        {"/1/pushs", "{\"u\":[1,2,3,4],\"m\":1}", "u: more than 3 uids"},
        {"/1/pushs", "{\"u\":\"1,2,3,4\",\"m\":1}", "u: more than 3 uids"},
    };
    char want[300];

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        (void)snprintf(want, sizeof want, "{\"ret\":65534,\"error\":\"%s\"}", rows[i].error);
        api_says(push(rows[i].target, rows[i].body), 200, want);
    }
    assert_int_equal(n_produced, 0);
}

static void pushs_takes_a_list_or_a_string(void **state)
{
    (void)state;
    api_says(push("/1/pushs", "{\"u\":[1,2,1,3],\"m\":{\"a\": 1}}"), 200, ok); /* max_uids */
    assert_int_equal(n_produced, 3);
    for (int i = 0; i < 3; i++) {
        assert_true(produced[i].envelope->uid == i + 1);
        assert_int_equal(produced[i].envelope->msg.len, 8);
        assert_memory_equal(produced[i].envelope->msg.data, "{\"a\": 1}", 8);
    }
    push_forget();
    api_says(push("/1/pushs", "{\"u\":\"4,5,6\",\"m\":\"x\"}"), 200, ok);
    assert_int_equal(n_produced, 3);
    assert_true(produced[2].envelope->uid == 6);
    assert_memory_equal(produced[2].envelope->msg.data, "\"x\"", 3);
}

static void texts_end_where_they_should(void **state)
{
    static const struct {
        const char *before, *error;
    } rows[] = {
        {"/1/push/room?rid=", "{\"ret\":65534,\"error\":\"rid: longer than 128 bytes\"}"},
        {"/1/push?uid=1&id=", "{\"ret\":65534,\"error\":\"id: longer than 128 bytes\"}"},
    };
    static char target[20000];

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        (void)snprintf(target, sizeof target, "%s%s", rows[i].before, api_long('x', 128));
        api_says(push(target, "x"), 200, ok);
        (void)snprintf(target, sizeof target, "%s%s", rows[i].before, api_long('x', 129));
        api_says(push(target, "x"), 200, rows[i].error);
    }
    api_says(push("/1/push?uid=1&ttl=31622400&op=2147483647", "x"), 200, ok);
    assert_int_equal(n_produced, 3);
}

static void sizes_end_where_they_should(void **state)
{
    static const char longer[] = "{\"ret\":65534,\"error\":\"body: longer than 1000 bytes\"}";
    static char body[20000];

    (void)state;
    api_says(push("/1/push?uid=1", api_long('x', 1000)), 200, ok);
    api_says(push("/1/push?uid=1", api_long('x', 1001)), 200, longer);
    api_says(push("/1/push/room?rid=1", api_long('x', 1001)), 200, longer);
    api_says(push("/1/push/all", api_long('x', 1001)), 200, longer);
    (void)snprintf(body, sizeof body, "{\"u\":[1],\"m\":\"%s\"}", api_long('x', 998));
    api_says(push("/1/pushs", body), 200, ok); /* one may always have the largest */
    (void)snprintf(body, sizeof body, "{\"u\":[1],\"m\":\"%s\"}", api_long('x', 999));
    api_says(push("/1/pushs", body), 200,
             "{\"ret\":65534,\"error\":\"m: longer than 1000 bytes\"}");
    (void)snprintf(body, sizeof body, "{\"u\":[1,2],\"m\":\"%s\"}", api_long('x', 498));
    api_says(push("/1/pushs", body), 200, ok); /* 2 × 500 = push.max_bytes */
    (void)snprintf(body, sizeof body, "{\"u\":[1,2],\"m\":\"%s\"}", api_long('x', 499));
    api_says(push("/1/pushs", body), 413,
             "{\"ret\":65534,\"error\":\"2 uids times 501 bytes are more than push.max_bytes "
             "(1000): push to fewer at a time\"}");
    assert_int_equal(n_produced, 4);
    bus_most = PUSH_ENVELOPE_MOST + 10;
    api_says(push("/1/push?uid=1", api_long('x', 10)), 200, ok);
    api_says(push("/1/push?uid=1", api_long('x', 11)), 413,
             "{\"ret\":65534,\"error\":\"body: 11 bytes, the bus takes 10 (max.message.bytes of "
             "the topic)\"}");
}

static void the_same_id_is_pushed_once(void **state)
{
    (void)state;
    int64_t repeated = counters[LOGIC_REPEATED];
    api_says(push("/1/push?uid=1&id=once", "x"), 200, ok);
    api_says(push("/1/push?uid=1&id=once", "x"), 200, ok);
    assert_int_equal(n_produced, 1);
    assert_int_equal(counters[LOGIC_REPEATED], repeated + 1);
}

/* The wait for the first call is made short: 110 ms in all. */
static void an_id_under_way_is_busy(void **state)
{
    (void)state;
    held = true;
    int first = api_send("POST", "/1/push?uid=1&id=busy", "", "x", 1);
    assert_true(until(n_produced == 1, api_turn()));
    config.bus_timeout_ms = -3390;
    const struct api_reply *reply = push("/1/push?uid=1&id=busy", "x");
    config.bus_timeout_ms = 10000;
    api_says(reply, 503,
             "{\"ret\":65535,\"error\":\"id: the first call with it is still under way\"}");
    assert_non_null(strstr(reply->text, "Retry-After: 1\r\n"));
    held = false;
    api_says(api_await(first), 200, ok);
    assert_int_equal(n_produced, 1);
}

static void a_retry_goes_to_those_who_lack_it(void **state)
{
    static const char body[] = "{\"u\":[1,2,3],\"m\":1}";

    (void)state;
    broken_uid = 2;
    api_says(push("/1/pushs?id=partly", body), 503,
             "{\"ret\":65535,\"error\":\"the bus did not take 1 of 3 messages: broken\"}");
    push_forget();
    broken_uid = 0;
    api_says(push("/1/pushs?id=partly", body), 200, ok);
    assert_int_equal(n_produced, 1);
    assert_true(produced[0].envelope->uid == 2);
}

static void too_many_on_their_way_are_too_many(void **state)
{
    (void)state;
    config.push_max_pending = 2;
    held = true;
    int first = api_send("POST", "/1/push?uid=1", "", "x", 1);
    assert_true(until(n_produced == 1, api_turn()));
    int second = api_send("POST", "/1/push?uid=2", "", "x", 1);
    assert_true(until(n_produced == 2, api_turn()));
    const struct api_reply *reply = push("/1/push?uid=3", "x");
    api_says(reply, 503,
             "{\"ret\":65535,\"error\":\"2 messages are on their way to Kafka, push.max_pending "
             "is 2: push later\"}");
    assert_non_null(strstr(reply->text, "Retry-After: 5\r\n"));
    held = false;
    api_says(api_await(first), 200, ok);
    api_says(api_await(second), 200, ok);
    config.push_max_pending = 100;
}

static void jobs_that_are_behind_are_waited_for(void **state)
{
    (void)state;
    struct job_backlog_report told = {.why = ""};
    struct job_backlogs *before = logic.backlogs;
    logic.backlogs = job_backlogs_open(&logic);
    told.lag_ms = 30001;
    job_backlogs_take(logic.backlogs, "job-1", &told);
    static const char *const calls[] = {"/1/push?uid=1", "/1/push/room?rid=7", "/1/push/all"};
    for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++) {
        const struct api_reply *reply = push(calls[i], "x");
        assert_int_equal(reply->status, 503);
        assert_non_null(strstr(reply->body, "more than push.max_lag (30 s): push later"));
        assert_non_null(strstr(reply->text, "Retry-After: 5\r\n"));
    }
    assert_int_equal(n_produced, 0);
    assert_int_equal(counters[LOGIC_REFUSED_LAG], 3);
    told.lag_ms = 30000;
    job_backlogs_take(logic.backlogs, "job-1", &told);
    api_says(push("/1/push?uid=1", "x"), 200, ok);
    job_backlogs_close(logic.backlogs);
    logic.backlogs = before;
}

static void before_the_lease_nothing_is_pushed(void **state)
{
    (void)state;
    logic.has_node = false;
    api_says(push("/1/push?uid=1", "x"), 503,
             "{\"ret\":65535,\"error\":\"this logic is starting: it holds no lease yet\"}");
    logic.has_node = true;
    assert_int_equal(n_produced, 0);
}

static void without_redis_an_id_is_not_honoured(void **state)
{
    (void)state;
    redis_server_kill(&server);
    assert_true(until(f.downs > 0, api_turn()));
    const struct api_reply *reply = push("/1/push?uid=1&id=away", "x");
    assert_int_equal(reply->status, 503);
    assert_non_null(strstr(reply->body, "{\"ret\":65535,\"error\":\"id: cannot be honoured now: "));
    assert_int_equal(n_produced, 0);
    api_says(push("/1/push?uid=1", "x"), 200, ok); /* without one nothing is asked of Redis */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(a_push_becomes_an_envelope, push_clear),
        cmocka_unit_test_teardown(what_is_wrong_is_named_and_not_pushed, push_clear),
        cmocka_unit_test_teardown(pushs_takes_a_list_or_a_string, push_clear),
        cmocka_unit_test_teardown(texts_end_where_they_should, push_clear),
        cmocka_unit_test_teardown(sizes_end_where_they_should, push_clear),
        cmocka_unit_test_teardown(the_same_id_is_pushed_once, push_clear),
        cmocka_unit_test_teardown(an_id_under_way_is_busy, push_clear),
        cmocka_unit_test_teardown(a_retry_goes_to_those_who_lack_it, push_clear),
        cmocka_unit_test_teardown(too_many_on_their_way_are_too_many, push_clear),
        cmocka_unit_test_teardown(jobs_that_are_behind_are_waited_for, push_clear),
        cmocka_unit_test_teardown(before_the_lease_nothing_is_pushed, push_clear),
        cmocka_unit_test_teardown(without_redis_an_id_is_not_honoured, push_clear), /* last */
    };
    return cmocka_run_group_tests(tests, push_setup, push_teardown);
}
