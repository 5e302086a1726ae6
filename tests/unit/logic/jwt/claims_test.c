#include "logic/jwt/claims.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum { NOW = 1800000000 };

static struct jwt_rules rules;
static struct jwt_claims claims;
static const char *why;

static int read_claims(const char *text)
{
    json_error_t error;
    json_t *object = json_loads(text, 0, &error);

    assert_non_null(object);
    int result = jwt_claims_read(object, &rules, NOW, &claims, &why);
    json_decref(object);
    return result;
}

static int set_up(void **state)
{
    struct jwt_why err;

    (void)state;
    rules = (struct jwt_rules){.issuer = "", .audience = "", .leeway_s = 30, .require_exp = true};
    return jwt_rules_names(&rules, "", &err);
}

static void all_claims_are_read(void **state)
{
    (void)state;
    assert_int_equal(
        read_claims("{\"sub\":\"42\",\"exp\":1800000100,\"iat\":1799999990.9,\"nbf\":1799999990,"
                    "\"jti\":\"id\",\"room\":7,\"rooms\":[\"a\",8],\"key\":\"phone\","
                    "\"accepts\":[1,-2]}"),
        0);
    assert_int_equal(claims.uid, 42);
    assert_int_equal(claims.expires_s, 1800000130);
    assert_int_equal(claims.issued_s, 1799999990);
    assert_true(claims.has_id);
    assert_string_equal(claims.id, "id");
    assert_string_equal(claims.room, "7");
    assert_string_equal(claims.rooms, "a,8");
    assert_string_equal(claims.key, "phone");
    assert_string_equal(claims.accepts, "1,-2");
}

static void what_is_not_said_is_absent(void **state)
{
    (void)state;
    assert_int_equal(read_claims("{\"sub\":42,\"exp\":1800000100,\"room\":null}"), 0);
    assert_int_equal(claims.issued_s, INT64_MIN);
    assert_false(claims.has_id);
    assert_string_equal(claims.room, "");
    assert_string_equal(claims.rooms, "");
    assert_string_equal(claims.key, "");
    assert_string_equal(claims.accepts, "*");
}

static void dates_hold_with_leeway(void **state)
{
    (void)state;
    assert_int_equal(read_claims("{\"sub\":1,\"exp\":1799999971}"), 0);
    assert_int_equal(read_claims("{\"sub\":1,\"exp\":1799999970}"), -EKEYEXPIRED);
    assert_int_equal(read_claims("{\"sub\":1,\"exp\":1899999970,\"nbf\":1800000030}"), 0);
    assert_int_equal(read_claims("{\"sub\":1,\"exp\":1899999970,\"nbf\":1800000031}"),
                     -EKEYEXPIRED);
    assert_int_equal(read_claims("{\"sub\":1,\"exp\":1899999970,\"iat\":1800000030}"), 0);
    assert_int_equal(read_claims("{\"sub\":1,\"exp\":1899999970,\"iat\":1800000031}"),
                     -EKEYEXPIRED);
    assert_int_equal(read_claims("{\"sub\":1}"), -EBADMSG);
    rules.require_exp = false;
    assert_int_equal(read_claims("{\"sub\":1}"), 0);
    assert_int_equal(claims.expires_s, INT64_MAX);
    assert_int_equal(read_claims("{\"sub\":1,\"exp\":1799999970}"), -EKEYEXPIRED);
}

static void what_is_no_date_is_refused(void **state)
{
    (void)state;
    static const char *const dates[] = {"\"1899999970\"", "-1",          "null",
                                        "true",           "9e300",       "9223372036854775807",
                                        "253402300800",   "[1899999970]"};
    char text[128];

    for (size_t i = 0; i < sizeof dates / sizeof dates[0]; i++) {
        snprintf(text, sizeof text, "{\"sub\":1,\"exp\":%s}", dates[i]);
        if (read_claims(text) != -EBADMSG)
            fail_msg("%s", text);
    }
}

static void users_are_whole_numbers_of_64_bits(void **state)
{
    (void)state;
    static const char *const users[] = {
        "null",   "\"\"",    "\" 1\"", "\"+1\"",    "\"01\"",
        "\"1 \"", "\"1x\"",  "1.0",    "1e3",       "true",
        "[1]",    "\"0x1\"", "\"-0\"", "\"alice\"", "\"9223372036854775808\""};
    char text[128];

    for (size_t i = 0; i < sizeof users / sizeof users[0]; i++) {
        snprintf(text, sizeof text, "{\"exp\":1899999970,\"sub\":%s}", users[i]);
        if (read_claims(text) != -EBADMSG)
            fail_msg("%s", text);
    }
    assert_int_equal(read_claims("{\"exp\":1899999970}"), -EBADMSG);
    assert_int_equal(read_claims("{\"exp\":1899999970,\"sub\":\"9223372036854775807\"}"), 0);
    assert_int_equal(claims.uid, INT64_MAX);
    assert_int_equal(read_claims("{\"exp\":1899999970,\"sub\":\"-9223372036854775808\"}"), 0);
    assert_int_equal(claims.uid, INT64_MIN);
}

static void issuer_and_audience_are_checked(void **state)
{
    (void)state;
    assert_int_equal(read_claims("{\"sub\":1,\"exp\":1899999970,\"iss\":\"x\"}"), 0);
    assert_int_equal(read_claims("{\"sub\":1,\"exp\":1899999970,\"aud\":\"x\"}"), -EPERM);
    rules.issuer = "https://id.example";
    rules.audience = "push";
    assert_int_equal(read_claims("{\"sub\":1,\"exp\":1899999970,\"aud\":\"push\"}"), -EPERM);
    assert_int_equal(read_claims("{\"sub\":1,\"exp\":1899999970,\"iss\":\"https://id.example\"}"),
                     -EPERM);
    assert_int_equal(read_claims("{\"sub\":1,\"exp\":1899999970,\"iss\":\"https://id.example/\","
                                 "\"aud\":\"push\"}"),
                     -EPERM);
    assert_int_equal(read_claims("{\"sub\":1,\"exp\":1899999970,\"iss\":\"https://id.example\","
                                 "\"aud\":[\"mail\",\"push\"]}"),
                     0);
    assert_int_equal(read_claims("{\"sub\":1,\"exp\":1899999970,\"iss\":[\"https://id.example\"],"
                                 "\"aud\":\"push\"}"),
                     -EPERM);
    assert_int_equal(read_claims("{\"sub\":1,\"exp\":1899999970,\"iss\":\"https://id.example\","
                                 "\"aud\":[[\"push\"],{\"push\":1}]}"),
                     -EPERM);
}

static void rooms_keys_and_operations_have_limits(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "\"room\":true",
        "\"room\":\"a\\nb\"",
        "\"rooms\":[\"a,b\"]",
        "\"rooms\":[\"\"]",
        "\"rooms\":\"a,,b\"",
        "\"rooms\":\"a,\"",
        "\"rooms\":{}",
        "\"key\":[]",
        "\"accepts\":[1.5]",
        "\"accepts\":\"1,x\"",
        "\"accepts\":\"1,\"",
        "\"accepts\":true",
        "\"accepts\":[\"*\",1]",
        "\"accepts\":[2147483648]",
        "\"jti\":7",
    };
    char text[2048];

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        snprintf(text, sizeof text, "{\"sub\":1,\"exp\":1899999970,%s}", bad[i]);
        if (read_claims(text) != -EBADMSG)
            fail_msg("%s", text);
    }
    static const struct {
        const char *claim;
        int most;
    } limits[] = {
        {"room", JWT_ROOM_MAX}, {"rooms", JWT_ROOM_MAX}, {"key", JWT_KEY_MAX}, {"jti", JWT_ID_MAX}};
    for (size_t i = 0; i < 4; i++) {
        snprintf(text, sizeof text, "{\"sub\":1,\"exp\":1899999970,\"%s\":\"%0*d\"}",
                 limits[i].claim, limits[i].most, 7);
        assert_int_equal(read_claims(text), 0);
        snprintf(text, sizeof text, "{\"sub\":1,\"exp\":1899999970,\"%s\":\"%0*d\"}",
                 limits[i].claim, limits[i].most + 1, 7);
        assert_int_equal(read_claims(text), -EBADMSG);
    }
}

static void claims_may_have_other_names(void **state)
{
    struct jwt_why err;

    (void)state;
    assert_int_equal(jwt_rules_names(&rules, "uid=https://x/uid,room=,rooms=groups", &err), 0);
    assert_int_equal(read_claims("{\"sub\":1,\"https://x/uid\":5,\"exp\":1899999970,\"room\":\"a\","
                                 "\"groups\":[\"b\"]}"),
                     0);
    assert_int_equal(claims.uid, 5);
    assert_string_equal(claims.room, "");
    assert_string_equal(claims.rooms, "b");
    assert_int_equal(jwt_rules_names(&rules, "user=sub", &err), -EINVAL);
    assert_int_equal(jwt_rules_names(&rules, "uid=", &err), -EINVAL);
    assert_int_equal(jwt_rules_names(&rules, "uid", &err), -EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(all_claims_are_read, set_up),
        cmocka_unit_test_setup(what_is_not_said_is_absent, set_up),
        cmocka_unit_test_setup(dates_hold_with_leeway, set_up),
        cmocka_unit_test_setup(what_is_no_date_is_refused, set_up),
        cmocka_unit_test_setup(users_are_whole_numbers_of_64_bits, set_up),
        cmocka_unit_test_setup(issuer_and_audience_are_checked, set_up),
        cmocka_unit_test_setup(rooms_keys_and_operations_have_limits, set_up),
        cmocka_unit_test_setup(claims_may_have_other_names, set_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
