#include "common/protocol/ops.h"
#include "logic/hook/answer.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { TEXT_MAX = 8192 };

static struct hook_answer answer;
static char why[HOOK_WHY_MAX];

static int take(const char *text)
{
    why[0] = '\0';
    return hook_answer_read(text, strlen(text), &answer, why);
}

static void takes(const char *text)
{
    if (take(text) != 0)
        fail_msg("%s: %s", text, why);
    assert_int_equal(answer.code, CLOSE_NONE);
}

static void refuses(const char *text, const char *part)
{
    assert_int_equal(take(text), -EBADMSG);
    if (strstr(why, part) == NULL)
        fail_msg("%s: %s", text, why);
}

static void a_user_with_all(void **state)
{
    (void)state;
    takes("{\"uid\":-5,\"key\":\"k\",\"room\":\"live://"
          "1\",\"rooms\":[\"a\",\"b\"],\"accepts\":[5,-1],"
          "\"expire_at\":1700000000,\"cache\":60,\"more\":{}}");
    assert_int_equal(answer.uid, -5);
    assert_string_equal(answer.key, "k");
    assert_string_equal(answer.room, "live://1");
    assert_string_equal(answer.rooms, "a,b");
    assert_string_equal(answer.accepts, "5,-1");
    assert_int_equal(answer.expire_at, 1700000000);
    assert_int_equal(answer.cache_s, 60);
    takes("{\"uid\":\"9223372036854775807\",\"room\":null,\"accepts\":[]}");
    assert_int_equal(answer.uid, INT64_MAX);
    assert_string_equal(answer.room, "");
    assert_string_equal(answer.accepts, "");
    takes(" {\"uid\":\"-9223372036854775808\"}\n");
    assert_int_equal(answer.uid, INT64_MIN);
    assert_string_equal(answer.accepts, "*");
    assert_int_equal(answer.expire_at, 0);
}

static void centrifugos_form(void **state)
{
    (void)state;
    takes("{\"result\":{\"user\":\"123\",\"expire_at\":7,\"channels\":[\"news\"],\"uid\":4,"
          "\"room\":\"x\"}}");
    assert_int_equal(answer.uid, 123);
    assert_string_equal(answer.rooms, "news");
    assert_string_equal(answer.room, "");
    refuses("{\"result\":{}}", "user is missing");
    refuses("{\"result\":{\"user\":\"\"}}", "user is no integer");
    refuses("{\"result\":5}", "result is not an object");
}

static void refused(const char *text, uint32_t code, const char *reason)
{
    assert_int_equal(take(text), 0);
    assert_int_equal(answer.code, code);
    assert_string_equal(answer.reason, reason);
}

static void refusals(void **state)
{
    (void)state;
    refused("{\"disconnect\":{\"code\":1,\"reason\":\"no\"},\"uid\":5}", 1, "no");
    refused("{\"disconnect\":{\"code\":13}}", 13, "refused");
    refused("{\"disconnect\":{}}", 1, "refused");
    refused("{\"disconnect\":{\"code\":3000}}", CLOSE_UNAVAILABLE, "refused");
    refused("{\"disconnect\":{\"code\":4499}}", CLOSE_UNAVAILABLE, "refused");
    refused("{\"disconnect\":{\"code\":3500}}", CLOSE_KICKED, "refused");
    refused("{\"disconnect\":{\"code\":4999}}", CLOSE_KICKED, "refused");
    refused("{\"error\":{\"code\":1000,\"message\":\"no\"}}", CLOSE_BAD_TOKEN, "no");
    refused("{\"error\":{\"message\":\"no\",\"temporary\":true}}", CLOSE_UNAVAILABLE, "no");
    refused("{\"disconnect\":{\"code\":1,\"reason\":\"a\\\"b\\\\c\\nd\\u007f\"}}", 1, "a b c d ");
    refuses("{\"disconnect\":{\"code\":0}}", "disconnect.code");
    refuses("{\"disconnect\":{\"code\":14}}", "disconnect.code");
    refuses("{\"disconnect\":{\"code\":5000}}", "disconnect.code");
    refuses("{\"disconnect\":{\"code\":\"1\"}}", "disconnect.code");
    refuses("{\"disconnect\":{\"reason\":1}}", "reason");
    refuses("{\"disconnect\":1}", "disconnect");
    refuses("{\"error\":1}", "error");
}

static void a_reason_is_cut_between_characters(void **state)
{
    char text[400] = "";
    (void)state;
    for (size_t i = 0; i < 120; i++)
        text[i] = i % 2 == 0 ? '\xc3' : '\xa4';
    hook_answer_refuse(&answer, 1, text);
    assert_int_equal(strlen(answer.reason), HOOK_REASON_MAX);
    memmove(text + 1, text, strlen(text) + 1);
    text[0] = 'a';
    hook_answer_refuse(&answer, 1, text);
    assert_int_equal(strlen(answer.reason), HOOK_REASON_MAX - 1);
}

static void what_is_wrong_is_said(void **state)
{
    (void)state;
    refuses("", "not JSON");
    refuses("[]", "no JSON object");
    refuses("{\"uid\":1,\"uid\":2}", "not JSON");
    refuses("{}", "uid is missing");
    refuses("{\"uid\":null}", "uid is missing");
    refuses("{\"uid\":1.0}", "uid is no integer");
    refuses("{\"uid\":\"01\"}", "uid is no integer");
    refuses("{\"uid\":\"1 \"}", "uid is no integer");
    refuses("{\"uid\":\"9223372036854775808\"}", "uid is no integer");
    refuses("{\"uid\":9223372036854775808}", "not JSON");
    refuses("{\"uid\":true}", "uid is no integer");
    refuses("{\"uid\":1,\"key\":1}", "key");
    refuses("{\"uid\":1,\"room\":\"a\\nb\"}", "room");
    refuses("{\"uid\":1,\"rooms\":{}}", "rooms is not a list");
    refuses("{\"uid\":1,\"rooms\":[\"a\",\"\"]}", "rooms[1]");
    refuses("{\"uid\":1,\"rooms\":[\"a,b\"]}", "rooms[0]");
    refuses("{\"uid\":1,\"accepts\":\"5\"}", "accepts");
    refuses("{\"uid\":1,\"accepts\":[2147483648]}", "accepts[0]");
    refuses("{\"uid\":1,\"expire_at\":-1}", "expire_at");
    refuses("{\"uid\":1,\"expire_at\":1.5}", "expire_at");
    refuses("{\"uid\":1,\"cache\":\"1\"}", "cache");
}

/* An answer whose member NAME has LEN bytes. */
static void text_of(char *out, const char *name, size_t len, const char *before, const char *after)
{
    int at = snprintf(out, TEXT_MAX, "{\"uid\":1,\"%s\":%s", name, before);

    memset(out + at, 'x', len);
    (void)snprintf(out + at + len, 64, "%s", after);
}

static void limits(void **state)
{
    static char text[TEXT_MAX];
    (void)state;
    text_of(text, "key", HOOK_KEY_MAX, "\"", "\"}");
    takes(text);
    text_of(text, "key", HOOK_KEY_MAX + 1, "\"", "\"}");
    refuses(text, "key");
    text_of(text, "room", HOOK_ROOM_MAX, "\"", "\"}");
    takes(text);
    text_of(text, "room", HOOK_ROOM_MAX + 1, "\"", "\"}");
    refuses(text, "room");
    text_of(text, "rooms", HOOK_ROOM_MAX, "[\"", "\"]}");
    takes(text);
    text_of(text, "rooms", HOOK_ROOM_MAX + 1, "[\"", "\"]}");
    refuses(text, "rooms[0]");
}

static void rooms_have_a_limit_together(void **state)
{
    static char text[TEXT_MAX];
    size_t at = (size_t)snprintf(text, sizeof text, "{\"uid\":1,\"rooms\":[\"%0127d\"", 0);
    (void)state;
    for (int i = 0; i < 7; i++)
        at += (size_t)snprintf(text + at, sizeof text - at, ",\"%0127d\"", 0);
    (void)snprintf(text + at, sizeof text - at, "]}");
    takes(text); /* 8 * 127 + 7 bytes */
    assert_int_equal(strlen(answer.rooms), HOOK_ROOMS_MAX - 1);
    (void)snprintf(text + at, sizeof text - at, ",\"x\"]}");
    refuses(text, "together");
}

static void accepts_have_a_limit(void **state)
{
    static char text[TEXT_MAX];
    size_t at = (size_t)snprintf(text, sizeof text, "{\"uid\":1,\"accepts\":[-2147483648");
    (void)state;
    for (int i = 1; i < HOOK_ACCEPTS_MAX; i++)
        at += (size_t)snprintf(text + at, sizeof text - at, ",-2147483648");
    (void)snprintf(text + at, sizeof text - at, "]}");
    takes(text);
    assert_int_equal(strlen(answer.accepts), HOOK_ACCEPTS_MAX * 12 - 1);
    (void)snprintf(text + at, sizeof text - at, ",1]}");
    refuses(text, "accepts");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_user_with_all),
        cmocka_unit_test(centrifugos_form),
        cmocka_unit_test(refusals),
        cmocka_unit_test(a_reason_is_cut_between_characters),
        cmocka_unit_test(what_is_wrong_is_said),
        cmocka_unit_test(limits),
        cmocka_unit_test(rooms_have_a_limit_together),
        cmocka_unit_test(accepts_have_a_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
