#include "common/base/mem.h"
#include "logic/hook/question.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct hook_question question(void)
{
    return (struct hook_question){
        .client = 0x1f0000003, .address = "10.0.0.7", .comet = "1", .region = ""};
}

static void writes(const struct hook_question *asked, const char *text)
{
    size_t len, own;
    char *got = hook_question_write(asked, &len, &own);

    assert_int_equal(len, strlen(text));
    assert_memory_equal(got, text, len);
    assert_int_equal(strncmp(got + own, ",\"transport\"", 12), 0);
    mem_wiped_free(got, len);
}

static void a_token(void **state)
{
    struct hook_question asked = question();
    (void)state;
    asked.token = "a\"b";
    asked.token_len = 3;
    writes(&asked,
           "{\"client\":\"1f0000003\",\"transport\":\"tcp\",\"protocol\":\"imgo\",\"address\":"
           "\"10.0.0.7\",\"comet\":\"1\",\"token\":\"a\\\"b\"}");
    asked.token = "\xff\x00\x01\x02";
    asked.token_len = 4;
    asked.renew = true;
    writes(&asked,
           "{\"client\":\"1f0000003\",\"transport\":\"tcp\",\"protocol\":\"imgo\",\"renew\":true,"
           "\"address\":\"10.0.0.7\",\"comet\":\"1\",\"token_base64\":\"/wABAg==\"}");
    asked.renew = false;
    asked.region = "sh";
    asked.websocket = true;
    writes(&asked, "{\"client\":\"1f0000003\",\"transport\":\"websocket\",\"protocol\":\"imgo\","
                   "\"address\":\"10.0.0.7\",\"comet\":\"1\",\"region\":\"sh\",\"token_base64\":"
                   "\"/wABAg==\"}");
}

static void goims_object_is_passed_on_without_its_token(void **state)
{
    static const char auth[] = "{\"mid\":1, \"token\":\"t\", \"own\":[1.5,\"\\u0000\"]}";
    struct hook_question asked = question();
    (void)state;
    asked.goim = true;
    asked.auth = auth;
    asked.auth_len = strlen(auth);
    writes(&asked,
           "{\"client\":\"1f0000003\",\"transport\":\"tcp\",\"protocol\":\"goim\",\"address\":"
           "\"10.0.0.7\",\"comet\":\"1\",\"token\":\"t\",\"auth\":{\"mid\":1,\"own\":[1.5,"
           "\"\\u0000\"]}}");
    asked.auth = "{}";
    asked.auth_len = 2;
    writes(&asked,
           "{\"client\":\"1f0000003\",\"transport\":\"tcp\",\"protocol\":\"goim\",\"address\":"
           "\"10.0.0.7\",\"comet\":\"1\",\"auth\":{}}");
}

static void headers_of_one_name_become_one(void **state)
{
    static const char headers[] = "cookie: a=1\nx-list: 1\ncookie: b=\"2\"\nx-list: \nx-list: 3\n";
    struct hook_question asked = question();
    (void)state;
    asked.token = "t";
    asked.token_len = 1;
    asked.headers = headers;
    asked.headers_len = strlen(headers);
    writes(&asked,
           "{\"client\":\"1f0000003\",\"transport\":\"tcp\",\"protocol\":\"imgo\",\"address\":"
           "\"10.0.0.7\",\"comet\":\"1\",\"token\":\"t\",\"headers\":{\"cookie\":\"a=1; "
           "b=\\\"2\\\"\",\"x-list\":\"1, , 3\"}}");
    asked.headers = "no colon\n";
    asked.headers_len = 9;
    writes(&asked,
           "{\"client\":\"1f0000003\",\"transport\":\"tcp\",\"protocol\":\"imgo\",\"address\":"
           "\"10.0.0.7\",\"comet\":\"1\",\"token\":\"t\"}");
}

/* However many lines come before it. */
static void no_header_is_lost(void **state)
{
    static const char end[] = "a; a\",\"x-user\":\"anna\"}}";
    static char lines[8192];
    struct hook_question asked = question();
    size_t at = 0, len, own;

    (void)state;
    for (int i = 0; i < 500; i++)
        at += (size_t)snprintf(lines + at, sizeof lines - at, "cookie: a\n");
    at += (size_t)snprintf(lines + at, sizeof lines - at, "x-user: anna\n");
    asked.headers = lines;
    asked.headers_len = at;
    char *text = hook_question_write(&asked, &len, &own);
    assert_memory_equal(text + len - strlen(end), end, strlen(end));
    mem_wiped_free(text, len);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_token),
        cmocka_unit_test(goims_object_is_passed_on_without_its_token),
        cmocka_unit_test(headers_of_one_name_become_one),
        cmocka_unit_test(no_header_is_lost),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
