#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

/* needs the above */
#include <cmocka.h>

/* needs cmocka.h */
#include "logic/tokens/tokens.h"
#include "tests/unit/lib/api_fixture.h"

static const char form[] = "Content-Type: application/x-www-form-urlencoded\r\n";

static void api_around(void)
{
}

static const struct api_reply *make(const char *query, const char *body)
{
    static char target[8192];

    assert_true(strlen(query) < sizeof target - 32);
    (void)snprintf(target, sizeof target, "/1/admin/token/new%s", query);
    return api_call("POST", target, form, body);
}

static const struct api_reply *take(const char *query, const char *body)
{
    static char target[1024];

    (void)snprintf(target, sizeof target, "/1/admin/token/del%s", query);
    return api_call("POST", target, form, body);
}

/* What a token stands for: "UID ROOM ACCEPTS", or "" if it is not known. */
static char found[8192];
static int n_found;

static void on_found(void *arg, size_t index, int err, const struct token_value *value,
                     const char *why)
{
    assert_true((err != 0) == (why[0] != '\0'));
    (void)arg;
    (void)index;
    n_found++;
    assert_true(err == 0 || err == -ENOENT);
    found[0] = '\0';
    if (err == 0)
        (void)snprintf(found, sizeof found, "%lld %.*s %.*s", (long long)value->uid,
                       (int)value->room_len, value->room, (int)value->accepts_len, value->accepts);
}

static const char *stands_for(const char *token)
{
    struct token_ref ref = {token, strlen(token)};

    n_found = 0;
    tokens_find(&logic, &ref, 1, on_found, NULL);
    assert_int_equal(n_found, 0);
    assert_true(until(n_found == 1, api_turn()));
    return found;
}

static void a_token_may_come_in_a_query_a_form_or_json(void **state)
{
    (void)state;
    static const char answer[] = "{\"ret\":1,\"data\":{\"token\":\"t1\",\"uid\":7,\"expire\":60}}";
    api_says(make("?uid=7&token=t1&expire=60&room=r&accepts=5,6", ""), 200, answer);
    assert_string_equal(stands_for("t1"), "7 r 5,6");
    api_says(make("", "uid=7&token=t1&expire=60&room=a%20b&accepts=*"), 200, answer);
    assert_string_equal(stands_for("t1"), "7 a b *");
    api_says(make("", " {\"uid\":7,\"token\":\"t1\",\"expire\":60,\"accepts\":[5,-6]}"), 200,
             answer);
    assert_string_equal(stands_for("t1"), "7  5,-6");
    api_says(make("?expire=60", "{\"uid\":\"7\",\"token\":\"t1\",\"room\":12}"), 200, answer);
    assert_string_equal(stands_for("t1"), "7 12 *");
}

static void a_token_is_made_if_none_is_given(void **state)
{
    char token[33];

    (void)state;
    const struct api_reply *reply = make("?uid=-9223372036854775808", "");
    assert_int_equal(reply->status, 200);
    assert_int_equal(sscanf(reply->body, "{\"ret\":1,\"data\":{\"token\":\"%32[0-9a-f]\"", token),
                     1);
    assert_int_equal(strlen(token), 32);
    assert_non_null(strstr(reply->body, "\",\"uid\":-9223372036854775808,\"expire\":86400}}"));
    assert_string_equal(stands_for(token), "-9223372036854775808  *");
}

static void what_is_wrong_is_named(void **state)
{
    static const struct {
        const char *query, *body, *error;
    } rows[] = {
        {"", "", "uid: missing"},
        {"?uid=", "", "uid: missing"},
        {"?uid=x", "", "uid: not a number"},
        {"?uid=9223372036854775808", "",
         "uid: must be between -9223372036854775808 and 9223372036854775807"},
        {"?uid=1&uid=2", "", "uid: given twice"},
        {"?uid=1", "uid=1", "uid: given twice"},
        {"", "uid=1&uid=1", "uid: given twice"},
        {"?uid=1", "{\"uid\":1}", "uid: given twice"},
        {"", "{\"uid\":1.5}", "uid: neither a string nor an integer"},
        {"", "{\"uid\":\"123456789012345678901234\"}", "uid: too long"},
        {"?uid=1&token=", "", "token: missing"},
        {"?uid=1&token=a%FF", "", "token: not UTF-8"},
        {"?uid=1&token=a&token=b", "", "token: given twice"},
        {"?uid=1&expire=-1", "", "expire: must be between 0 and 2147483647"},
        {"?uid=1&expire=2147483648", "", "expire: must be between 0 and 2147483647"},
        {"?uid=1&expire=1&expire=1", "", "expire: given twice"},
        {"?uid=1&room=a&room=b", "", "room: given twice"},
        {"?uid=1&accepts=5,x", "", "accepts: not a list of operations, \\\"5,6\\\""},
        {"?uid=1&accepts=5,", "", "accepts: ends in a comma"},
        {"?uid=1&accepts=*&accepts=*", "", "accepts: given twice"},
        {"", "{\"uid\":1,\"accepts\":[5,\"6\"]}", "accepts: not a (short) list of integers"},
        {"", "uid=1&room=%07", "body: a control byte, or too many parameters"},
    };
    char want[300];

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        (void)snprintf(want, sizeof want, "{\"ret\":65534,\"error\":\"%s\"}", rows[i].error);
        api_says(make(rows[i].query, rows[i].body), 200, want);
    }
    assert_non_null(strstr(make("", "{\"uid\":1,\"uid\":2}")->body, "\"error\":\"body: "));
    assert_non_null(strstr(make("", "{\"uid\":")->body, "\"error\":\"body: "));
}

static void lengths_end_where_they_should(void **state)
{
    static char query[8192];
    static const struct {
        const char *name;
        size_t most;
    } rows[] = {{"token", TOKEN_MAX}, {"room", TOKEN_ROOM_MAX}};
    char want[100];

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const char *name = rows[i].name;
        (void)snprintf(query, sizeof query, "?uid=1&%s=%s", name, api_long('x', rows[i].most));
        assert_non_null(strstr(make(query, "")->body, "{\"ret\":1,"));
        (void)snprintf(query, sizeof query, "?uid=1&%s=%s", name, api_long('x', rows[i].most + 1));
        (void)snprintf(want, sizeof want, "{\"ret\":65534,\"error\":\"%s: longer than %zu bytes\"}",
                       name, rows[i].most);
        api_says(make(query, ""), 200, want);
        (void)snprintf(query, sizeof query, "{\"uid\":1,\"%s\":\"%s\"}", name,
                       api_long('x', rows[i].most));
        assert_non_null(strstr(make("", query)->body, "{\"ret\":1,"));
        (void)snprintf(query, sizeof query, "{\"uid\":1,\"%s\":\"%s\"}", name,
                       api_long('x', rows[i].most + 1));
        (void)snprintf(want, sizeof want, "{\"ret\":65534,\"error\":\"%s: too long\"}", name);
        api_says(make("", query), 200, want);
    }
}

static void a_uid_has_one_token(void **state)
{
    (void)state;
    (void)make("?uid=20&token=old", "");
    (void)make("?uid=20&token=new", "");
    assert_string_equal(stands_for("old"), "");
    assert_string_equal(stands_for("new"), "20  *");
    (void)make("?uid=20&token=new&room=r", ""); /* itself again is not taken back */
    assert_string_equal(stands_for("new"), "20 r *");
    (void)make("?uid=21&token=new", ""); /* another's now: 20's next one leaves it alone */
    (void)make("?uid=20&token=newer", "");
    assert_string_equal(stands_for("new"), "21  *");
}

static void a_token_lives_as_long_as_asked(void **state)
{
    (void)state;
    (void)make("?uid=30&token=ever&expire=0", "");
    assert_int_equal(redis_server_do(&server, "PTTL imc:token:ever"), -1);
    assert_int_equal(redis_server_do(&server, "PTTL imc:ut:30"), -1);
    (void)make("?uid=30&token=most&expire=2147483647", "");
    assert_true(redis_server_do(&server, "PTTL imc:token:most") > 2147483647LL * 999);
    assert_true(redis_server_do(&server, "PTTL imc:token:most") <= 2147483647LL * 1000);
}

static void a_token_is_taken_back(void **state)
{
    static const char ok[] = "{\"ret\":1}",
                      none[] = "{\"ret\":65533,\"error\":\"token: no such token\"}",
                      one[] = "{\"ret\":65534,\"error\":\"token, uid: exactly one of them\"}";

    (void)state;
    (void)make("?uid=40&token=t40", "");
    api_says(take("", ""), 200, one);
    api_says(take("?uid=40", "token=t40"), 200, one);
    api_says(take("?uid=x", ""), 200, "{\"ret\":65534,\"error\":\"uid: not a number\"}");
    assert_string_equal(stands_for("t40"), "40  *");
    int64_t revoked = counters[LOGIC_TOKENS_REVOKED];
    api_says(take("?token=t40", ""), 200, ok);
    assert_string_equal(stands_for("t40"), "");
    assert_int_equal(redis_server_do(&server, "EXISTS imc:ut:40"), 0);
    api_says(take("?token=t40", ""), 200, none);
    (void)make("?uid=40&token=t41", "");
    api_says(take("", "{\"uid\":40}"), 200, ok);
    assert_string_equal(stands_for("t41"), "");
    api_says(take("", "uid=40"), 200, none);
    assert_int_equal(counters[LOGIC_TOKENS_REVOKED], revoked + 2);
}

static void an_older_token_taken_back_leaves_the_newer(void **state)
{
    (void)state;
    (void)make("?uid=50&token=shared", "");
    (void)make("?uid=51&token=shared", "");
    api_says(take("?uid=50", ""), 200, "{\"ret\":1}");
    assert_string_equal(stands_for("shared"), "51  *");
    (void)redis_server_do(&server, "SET imc:token:stray 1\\ 51\\ *\\ ");
    (void)take("?token=stray", "");
    assert_int_equal(redis_server_do(&server, "EXISTS imc:ut:51"), 1);
}

static void without_redis_it_may_be_tried_again(void **state)
{
    (void)state;
    redis_server_kill(&server);
    assert_true(until(f.downs > 0, api_turn()));
    const struct api_reply *reply = make("?uid=60", "");
    assert_int_equal(reply->status, 503);
    assert_non_null(strstr(reply->body, "{\"ret\":65535,\"error\":"));
    assert_non_null(strstr(reply->text, "Retry-After: 1\r\n"));
    assert_int_equal(take("?uid=60", "")->status, 503);
    assert_int_equal(take("?token=t", "")->status, 503);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_token_may_come_in_a_query_a_form_or_json),
        cmocka_unit_test(a_token_is_made_if_none_is_given),
        cmocka_unit_test(what_is_wrong_is_named),
        cmocka_unit_test(lengths_end_where_they_should),
        cmocka_unit_test(a_uid_has_one_token),
        cmocka_unit_test(a_token_lives_as_long_as_asked),
        cmocka_unit_test(a_token_is_taken_back),
        cmocka_unit_test(an_older_token_taken_back_leaves_the_newer),
        cmocka_unit_test(without_redis_it_may_be_tried_again), /* last */
    };
    return cmocka_run_group_tests(tests, api_setup, api_teardown);
}
