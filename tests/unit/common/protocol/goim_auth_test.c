#include "common/protocol/goim_auth.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct goim_auth auth;
static char why[160];

static void take(const char *body)
{
    if (goim_auth_parse(body, strlen(body), &auth, why, sizeof why) != 0)
        fail_msg("%s: %s", body, why);
}

/* BODY is refused with words that contain WORDS. */
static void refuse(const char *body, size_t len, const char *words)
{
    memset(why, 0, sizeof why);
    assert_int_equal(goim_auth_parse(body, len, &auth, why, sizeof why), -EBADMSG);
    if (strncmp(why, "auth: ", 6) != 0 || strstr(why, words) == NULL)
        fail_msg("%s: %s", body, why);
    assert_null(auth.keep);
}

static void all_fields_are_taken(void **state)
{
    (void)state;
    take("{\"mid\":9223372036854775807,\"key\":\"k\",\"room_id\":\"live://"
         "1000\",\"platform\":\"web\","
         "\"accepts\":[1000,-1,1000],\"token\":\"t\",\"hello\":true,\"ack\":true,\"more\":{\"mid\":"
         "[1]}}");
    assert_int_equal(auth.mid, INT64_MAX);
    assert_string_equal(auth.key, "k");
    assert_string_equal(auth.room, "live://1000");
    assert_string_equal(auth.token, "t");
    assert_true(auth.hello && auth.ack && auth.has_accepts);
    assert_int_equal(auth.n_accepts, 3);
    assert_int_equal(auth.accepts[0], 1000);
    assert_int_equal(auth.accepts[1], -1);
    goim_auth_free(&auth);
}

static void what_is_missing_or_null_is_absent(void **state)
{
    (void)state;
    static const char *const bodies[] = {
        "{}", " {\"mid\":null,\"key\":null,\"room_id\":null,\"accepts\":null,\"token\":null,"
              "\"hello\":null,\"ack\":null} "};
    for (size_t i = 0; i < 2; i++) {
        take(bodies[i]);
        assert_int_equal(auth.mid, 0);
        assert_string_equal(auth.key, "");
        assert_string_equal(auth.room, "");
        assert_string_equal(auth.token, "");
        assert_false(auth.hello || auth.ack || auth.has_accepts);
        goim_auth_free(&auth);
    }
}

static void rooms_are_written_behind_each_other(void **state)
{
    char body[2048] = "{\"rooms\":[\"a\"";
    size_t at = strlen(body);

    (void)state;
    take("{\"rooms\":[\"a\",\"live://1\",\"\u00e4\"]}");
    assert_string_equal(auth.rooms, "a,live://1,\xc3\xa4");
    goim_auth_free(&auth);
    take("{\"rooms\":[]}");
    assert_string_equal(auth.rooms, "");
    goim_auth_free(&auth);
    static const char *const bad[] = {"{\"rooms\":\"a\"}", "{\"rooms\":[\"\"]}", "{\"rooms\":[1]}",
                                      "{\"rooms\":[\"a,b\"]}"};
    for (size_t i = 0; i < 4; i++)
        refuse(bad[i], strlen(bad[i]), "rooms");
    for (int i = 0; i < 8; i++) /* a, and 8 times a comma and 127 bytes: one byte too many */
        at += (size_t)snprintf(body + at, sizeof body - at, ",\"%0*d\"", i == 7 ? 126 : 127, 0);
    memcpy(body + at, "]}", 3);
    take(body);
    assert_int_equal(strlen(auth.rooms), GOIM_AUTH_ROOMS_MAX);
    goim_auth_free(&auth);
    memcpy(body + at - 1, "0\"]}", 5);
    refuse(body, strlen(body), "rooms[8]");
}

static void an_empty_list_is_not_an_absent_one(void **state)
{
    (void)state;
    take("{\"accepts\":[]}");
    assert_true(auth.has_accepts);
    assert_int_equal(auth.n_accepts, 0);
    goim_auth_free(&auth);
}

static void what_is_wrong_is_named(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"", "JSON"},
        {"{", "JSON"},
        {"{}x", "JSON"},
        {"[]", "object"},
        {"{\"mid\":1,\"mid\":1}", "JSON"},
        {"{\"mid\":\"1\"}", "mid"},
        {"{\"mid\":1.0}", "mid"},
        {"{\"mid\":-1}", "mid"},
        {"{\"mid\":9223372036854775808}", "JSON"},
        {"{\"key\":1}", "key"},
        {"{\"room_id\":[]}", "room_id"},
        {"{\"token\":true}", "token"},
        {"{\"hello\":0}", "hello"},
        {"{\"ack\":\"yes\"}", "ack"},
        {"{\"accepts\":{}}", "accepts"},
        {"{\"accepts\":[1,\"2\"]}", "accepts[1]"},
        {"{\"accepts\":[2147483648]}", "accepts[0]"},
        {"{\"accepts\":[-2147483649]}", "accepts[0]"},
        {"{\"key\":\"a\\u0000b\"}", "JSON"},
        {"{\"key\":\"\xff\"}", "JSON"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        refuse(cases[i][0], strlen(cases[i][0]), cases[i][1]);
    refuse("{}\0", 3, "JSON");
}

/* NAME as long as it may be, and one byte longer. */
static void check_longest(const char *name, int max)
{
    static char body[GOIM_AUTH_TOKEN_MAX + 64];

    (void)snprintf(body, sizeof body, "{\"%s\":\"%0*d\"}", name, max, 0);
    take(body);
    goim_auth_free(&auth);
    (void)snprintf(body, sizeof body, "{\"%s\":\"%0*d\"}", name, max + 1, 0);
    refuse(body, strlen(body), name);
}

static void limits_hold_to_the_byte(void **state)
{
    char body[4096] = "{\"accepts\":[0";
    size_t at = strlen(body);

    (void)state;
    check_longest("key", GOIM_AUTH_KEY_MAX);
    check_longest("room_id", GOIM_AUTH_ROOM_MAX);
    check_longest("token", GOIM_AUTH_TOKEN_MAX);
    for (int i = 1; i < GOIM_AUTH_ACCEPTS_MAX; i++)
        at += (size_t)snprintf(body + at, sizeof body - at, ",%d", i);
    memcpy(body + at, "]}", 3);
    take(body);
    assert_int_equal(auth.n_accepts, GOIM_AUTH_ACCEPTS_MAX);
    goim_auth_free(&auth);
    memcpy(body + at, ",1]}", 5);
    refuse(body, strlen(body), "256");
}

/* A member that nests DEPTH deep together with the auth's own object. */
static size_t write_nested(char *body, size_t size, int depth, char begin, char end)
{
    size_t at = (size_t)snprintf(body, size, "{\"mid\":5,\"x\":");

    for (int i = 1; i < depth; i++)
        at += (size_t)snprintf(body + at, size - at, begin == '[' ? "[" : "{\"a\":");
    at += (size_t)snprintf(body + at, size - at, "0");
    for (int i = 1; i < depth; i++)
        body[at++] = end;
    body[at++] = '}';
    body[at] = '\0';
    return at;
}

static void it_nests_only_so_deep(void **state)
{
    static char body[16384];

    (void)state;
    for (int i = 0; i < 2; i++) {
        write_nested(body, sizeof body, GOIM_AUTH_DEPTH_MAX, "[{"[i], "]}"[i]);
        take(body);
        goim_auth_free(&auth);
        size_t len = write_nested(body, sizeof body, GOIM_AUTH_DEPTH_MAX + 1, "[{"[i], "]}"[i]);
        refuse(body, len, "nests deeper than 16");
        len = write_nested(body, sizeof body, 1500, "[{"[i], "]}"[i]);
        refuse(body, len, "nests deeper than 16");
    }
    /* Brackets within strings, and next to each other, nest nothing. */
    take("{\"x\":\"[[[[[[[[[[[[[[[[[[[[[\\\"[[[[\\\\\",\"[[[[[[[[[[[[[[[[[[[[\":[[],[],[],[],[],[],"
         "[],[],[],"
         "[],[],[],[],[],[],[],[],[],[],{},{}]}");
    goim_auth_free(&auth);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_fields_are_taken),
        cmocka_unit_test(what_is_missing_or_null_is_absent),
        cmocka_unit_test(rooms_are_written_behind_each_other),
        cmocka_unit_test(an_empty_list_is_not_an_absent_one),
        cmocka_unit_test(what_is_wrong_is_named),
        cmocka_unit_test(limits_hold_to_the_byte),
        cmocka_unit_test(it_nests_only_so_deep),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
