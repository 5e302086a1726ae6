#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

/* needs the above */
#include <cmocka.h>

/* needs cmocka.h */
#include "logic/mailbox/mailbox.h"
#include "logic/tokens/tokens.h"
#include "tests/unit/lib/api_fixture.h"

static void api_around(void)
{
}

static const struct api_reply *get(const char *query)
{
    static char target[4096];

    assert_true(strlen(query) < sizeof target - 32);
    (void)snprintf(target, sizeof target, "/1/msg/get%s", query);
    return api_call("GET", target, "", "");
}

static int n_done;

static void on_done(void *arg, int err)
{
    (void)arg;
    assert_int_equal(err, 0);
    n_done++;
}

static uint64_t store(int64_t uid, const char *body)
{
    struct mailbox_put put = {
        .by = MAILBOX_SETTLE,
        .uid = uid,
        .message = {.op = 5, .body = (const uint8_t *)body, .len = strlen(body)},
    };
    static uint64_t last;
    uint64_t id = logic_now_ms(&logic) << 22;

    last = put.message.id = id > last ? id : last + 1;
    n_done = 0;
    mailbox_store(&logic, &put, on_done, NULL);
    assert_true(until(n_done == 1, api_turn()));
    return last;
}

static int setup(void **state)
{
    struct token_value value = {.uid = 7, .room = "", .accepts = "*", .accepts_len = 1};
    int failed = api_setup(state);

    n_done = 0;
    tokens_new(&logic, "t7", &value, 0, on_done, NULL);
    assert_true(until(n_done == 1, api_turn()));
    return failed;
}

static const char nothing[] = "{\"ret\":0,\"data\":{\"msgs\":[]}}";

static void what_waits_is_shown_and_confirmed_by_mid(void **state)
{
    char want[1000], query[100];

    (void)state;
    api_says(get("?uid=7&token=t7"), 200, nothing);
    unsigned long long a = store(7, "hello"), b = store(7, "{\"b\":1}");
    (void)snprintf(want, sizeof want,
                   "{\"ret\":0,\"data\":{\"msgs\":["
                   "{\"msg\":\"aGVsbG8=\",\"mid\":%llu,\"mid_str\":\"%llu\",\"gid\":0},"
                   "{\"msg\":\"eyJiIjoxfQ==\",\"mid\":%llu,\"mid_str\":\"%llu\",\"gid\":0}]}}",
                   a, a, b, b);
    api_says(get("?uid=7&token=t7"), 200, want);
    api_says(get("?uid=7&token=t7&mid=0"), 200, want); /* reading removes nothing */
    (void)snprintf(query, sizeof query, "?uid=7&token=t7&mid=%llu", a);
    (void)snprintf(want, sizeof want,
                   "{\"ret\":0,\"data\":{\"msgs\":[{\"msg\":\"eyJiIjoxfQ==\",\"mid\":%llu,"
                   "\"mid_str\":\"%llu\",\"gid\":0}]}}",
                   b, b);
    api_says(get(query), 200, want);
    assert_int_equal(redis_server_do(&server, "ZCARD imc:mb:7"), 1);
    (void)snprintf(query, sizeof query, "?uid=7&token=t7&mid_str=%llu", b);
    api_says(get(query), 200, nothing);
    assert_int_equal(redis_server_do(&server, "EXISTS imc:mb:7"), 0);
    api_says(get("?uid=7&token=t7&mid=9223372036854775807"), 200, nothing);
}

static void what_is_wrong_is_named(void **state)
{
    static const struct {
        const char *query;
        int ret;
        const char *error;
    } rows[] = {
        {"", 65534, "uid: missing"},
        {"?uid=7x&token=t7", 65534, "uid: not a number"},
        {"?uid=7&uid=7&token=t7", 65534, "uid: given twice"},
        {"?uid=7", 65534, "token: missing"},
        {"?uid=7&token=", 65534, "token: missing"},
        {"?uid=7&token=t7&token=t7", 65534, "token: given twice"},
        {"?uid=7&token=%FF", 65534, "token: not UTF-8"},
        {"?uid=7&token=t7&mid=-1", 65534, "mid: must be between 0 and 9223372036854775807"},
        {"?uid=7&token=t7&mid=9223372036854775808", 65534,
         "mid: must be between 0 and 9223372036854775807"},
        {"?uid=7&token=t7&mid=", 65534, "mid: missing"},
        {"?uid=7&token=t7&mid=1&mid=1", 65534, "mid: given twice"},
        {"?uid=7&token=t7&mid_str=x", 65534, "mid_str: not a number"},
        {"?uid=7&token=t7&mid_str=1&mid_str=1", 65534, "mid_str: given twice"},
        {"?uid=7&token=t7&mid=1&mid_str=1", 65534, "mid, mid_str: one of them"},
        {"?uid=7&token=t7&cb=a&cb=a", 65534, "cb: given twice"},
        {"?uid=7&token=t7&cb=alert(1)&cb=a", 65534, "cb: given twice"},
        {"?uid=7&token=t7&cb=", 65534, "cb: want 1 to 64 of A-Z a-z 0-9 _ . $"},
        {"?uid=7&token=t7&cb=alert(1)", 65534, "cb: want 1 to 64 of A-Z a-z 0-9 _ . $"},
        {"?uid=7&token=t7&cb=a%3Cb", 65534, "cb: want 1 to 64 of A-Z a-z 0-9 _ . $"},
        {"?uid=7&token=other", 65533, "token: unknown or expired"},
        {"?uid=8&token=t7", 65533, "token: of another uid"},
    };
    char want[300];

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        (void)snprintf(want, sizeof want, "{\"ret\":%d,\"error\":\"%s\"}", rows[i].ret,
                       rows[i].error);
        api_says(get(rows[i].query), 200, want);
    }
}

static void a_token_ends_where_it_should(void **state)
{
    static char query[20000];

    (void)state;
    (void)snprintf(query, sizeof query, "?uid=7&token=%s", api_long('x', TOKEN_MAX));
    api_says(get(query), 200, "{\"ret\":65533,\"error\":\"token: unknown or expired\"}");
    (void)snprintf(query, sizeof query, "?uid=7&token=%s", api_long('x', TOKEN_MAX + 1));
    api_says(get(query), 200, "{\"ret\":65534,\"error\":\"token: longer than 512 bytes\"}");
}

static void a_script_gets_a_call(void **state)
{
    static char query[20000], want[20000];

    (void)state;
    const struct api_reply *reply = get("?uid=7&token=t7&cb=a.b_$1");
    api_says(reply, 200, "a.b_$1({\"ret\":0,\"data\":{\"msgs\":[]}})");
    assert_non_null(strstr(reply->text, "Content-Type: application/javascript; charset=utf-8\r\n"));
    assert_non_null(strstr(reply->text, "X-Content-Type-Options: nosniff\r\n"));
    int64_t parameter = counters[LOGIC_REFUSED_PARAMETER], token = counters[LOGIC_REFUSED_TOKEN];
    api_says(get("?uid=&token=t7&cb=f"), 200, "f({\"ret\":65534,\"error\":\"uid: missing\"})");
    api_says(get("?uid=7&token=x&cb=f"), 200,
             "f({\"ret\":65533,\"error\":\"token: unknown or expired\"})");
    assert_int_equal(counters[LOGIC_REFUSED_PARAMETER], parameter + 1);
    assert_int_equal(counters[LOGIC_REFUSED_TOKEN], token + 1);
    const char *longest = api_long('f', 64);
    (void)snprintf(query, sizeof query, "?uid=7&token=t7&cb=%s", longest);
    (void)snprintf(want, sizeof want, "%s(%s)", longest, nothing);
    api_says(get(query), 200, want);
    (void)snprintf(query, sizeof query, "?uid=7&token=t7&cb=%s", api_long('f', 65));
    api_says(get(query), 200,
             "{\"ret\":65534,\"error\":\"cb: want 1 to 64 of A-Z a-z 0-9 _ . $\"}");
}

static void a_page_of_a_known_origin_may_read_it(void **state)
{
    static const char allow[] =
        "Access-Control-Allow-Origin: https://page.example\r\nVary: Origin\r\n";

    (void)state;
    const struct api_reply *reply =
        api_call("GET", "/1/msg/get?uid=7&token=t7", "Origin: https://page.example\r\n", "");
    api_says(reply, 200, nothing);
    assert_non_null(strstr(reply->text, allow));
    reply = api_call("GET", "/1/msg/get?uid=7", "Origin: https://page.example\r\n", "");
    api_says(reply, 200, "{\"ret\":65534,\"error\":\"token: missing\"}");
    assert_non_null(strstr(reply->text, allow)); /* what is wrong, too */
    reply =
        api_call("GET", "/1/msg/get?uid=7&token=t7", "Origin: https://page.example.org\r\n", "");
    assert_null(strstr(reply->text, "Access-Control"));
    assert_null(strstr(get("?uid=7&token=t7")->text, "Access-Control"));
}

static void without_redis_servers_stay_unnamed(void **state)
{
    (void)state;
    redis_server_kill(&server);
    assert_true(until(f.downs > 0, api_turn()));
    api_says(get("?uid=7&token=t7"), 503, "{\"ret\":65535,\"error\":\"Redis does not answer\"}");
    api_says(get("?uid=7&token=t7&cb=f"), 200,
             "f({\"ret\":65535,\"error\":\"Redis does not answer\"})");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_waits_is_shown_and_confirmed_by_mid),
        cmocka_unit_test(what_is_wrong_is_named),
        cmocka_unit_test(a_token_ends_where_it_should),
        cmocka_unit_test(a_script_gets_a_call),
        cmocka_unit_test(a_page_of_a_known_origin_may_read_it),
        cmocka_unit_test(without_redis_servers_stay_unnamed), /* last */
    };
    return cmocka_run_group_tests(tests, setup, api_teardown);
}
