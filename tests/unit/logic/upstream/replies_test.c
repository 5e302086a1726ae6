#include "logic/upstream/replies.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* needs the above */
#include <cmocka.h>

static struct replies replies;

static void read_text(const char *text)
{
    char why[REPLIES_WHY_MAX] = "";

    if (replies_read(text, strlen(text), &replies, why) != 0)
        fail_msg("%s: %s", text, why);
}

static void expect(const char *id, const char *body)
{
    const struct reply *reply = replies_find(&replies, id);

    if (body == NULL) {
        assert_null(reply);
        return;
    }
    assert_non_null(reply);
    assert_int_equal(reply->len, strlen(body));
    assert_memory_equal(reply->body, body, reply->len);
}

static void replies_of_each_kind(void **state)
{
    (void)state;
    read_text(
        " {\"more\":[1],\"replies\":[{\"id\":\"a\",\"reply\":\"t\\u00e9xt\\n\"},"
        "{\"reply\":{\"a\": [1, 2.50]},\"id\":\"b\",\"x\":{\"reply\":1}},"
        "{\"id\":\"c\",\"reply_base64\":\"AP8=\"},{\"id\":\"d\",\"reply\":null},{\"id\":\"e\"},"
        "{\"id\":\"\\u0066\",\"reply\":12345678901234567890123}]}\r\n");
    expect("b", "{\"a\": [1, 2.50]}");
    expect("a", "t\u00e9xt\n");
    expect("d", "");
    expect("e", "");
    expect("f", "12345678901234567890123");
    expect("g", NULL);
    expect("", NULL);
    const struct reply *binary = replies_find(&replies, "c");
    assert_int_equal(binary->len, 2);
    assert_memory_equal(binary->body, "\0\xff", 2);
    replies_free(&replies);
}

static void no_replies(void **state)
{
    (void)state;
    read_text("");
    read_text(" \r\n");
    expect("a", NULL);
    read_text("{}");
    expect("a", NULL);
    replies_free(&replies);
    read_text("{\"replies\":[]}");
    expect("a", NULL);
    replies_free(&replies);
}

static void refused(const char *text, size_t len, const char *words)
{
    char why[REPLIES_WHY_MAX] = "";

    assert_int_equal(replies_read(text, len, &replies, why), -EBADMSG);
    if (strstr(why, words) == NULL)
        fail_msg("\"%s\" has not \"%s\"", why, words);
    assert_int_equal(replies.n, 0);
    replies_free(&replies);
}

static void what_is_none(void **state)
{
    (void)state;
#define REFUSED(text, words) refused(text, sizeof(text) - 1, words)
    REFUSED("ok", "no JSON");
    REFUSED("{\"replies\":[{\"id\":\"a\"", "cut off");
    REFUSED("{}\0", "no JSON");
    REFUSED("[]", "object");
    REFUSED("null", "object");
    REFUSED("{\"replies\":{}}", "list");
    REFUSED("{\"replies\":[1]}", "replies[0] is not");
    REFUSED("{\"replies\":[{\"id\":\"a\"},{}]}", "replies[1] has no id");
    REFUSED("{\"replies\":[{\"id\":1}]}", "replies[0].id");
    REFUSED("{\"replies\":[{\"id\":\"a\",\"id\":\"b\"}]}", "twice");
    REFUSED("{\"replies\":[{\"id\":\"a\",\"reply\":1,\"reply_base64\":\"AA==\"}]}", "twice");
    REFUSED("{\"replies\":[{\"id\":\"a\",\"reply_base64\":\"A\"}]}", "base64");
    REFUSED("{\"replies\":[{\"id\":\"a\",\"reply_base64\":[]}]}", "base64");
}

static void at_the_limits(void **state)
{
    static char text[REPLIES_MOST * 16 + 100];
    char id[REPLIES_ID_MAX + 2];
    size_t len = 0;

    (void)state;
    len += (size_t)snprintf(text, sizeof text, "{\"replies\":[");
    for (int i = 0; i < REPLIES_MOST; i++)
        len += (size_t)snprintf(text + len, sizeof text - len, "%s{\"id\":\"%d\"}",
                                i > 0 ? "," : "", i);
    memcpy(text + len, "]}", 3);
    read_text(text);
    assert_int_equal(replies.n, REPLIES_MOST);
    expect("999", "");
    replies_free(&replies);
    memcpy(text + len, ",{}]}", 6);
    refused(text, len + 5, "more than");

    memset(id, 'x', sizeof id);
    id[REPLIES_ID_MAX] = '\0';
    (void)snprintf(text, sizeof text, "{\"replies\":[{\"id\":\"%s\"}]}", id);
    read_text(text);
    expect(id, "");
    replies_free(&replies);
    (void)snprintf(text, sizeof text, "{\"replies\":[{\"id\":\"x%s\"}]}", id);
    refused(text, strlen(text), "at most");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(replies_of_each_kind),
        cmocka_unit_test(no_replies),
        cmocka_unit_test(what_is_none),
        cmocka_unit_test(at_the_limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
