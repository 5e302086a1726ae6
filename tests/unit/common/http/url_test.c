#include "common/http/url.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void is(const char *text, const char *host, int port, const char *path, const char *said)
{
    struct http_url url;
    const char *why = "";

    if (http_url_parse(text, &url, &why) != 0)
        fail_msg("%s: %s", text, why);
    assert_string_equal(url.address.host, host);
    assert_int_equal(url.address.port, port);
    assert_string_equal(url.path, path);
    assert_string_equal(url.host, said);
}

static void is_refused(const char *text, const char *part)
{
    struct http_url url;
    const char *why = "";

    assert_int_equal(http_url_parse(text, &url, &why), -EINVAL);
    if (strstr(why, part) == NULL)
        fail_msg("%s: %s", text, why);
}

static void parts(void **state)
{
    (void)state;
    is("http://a.example", "a.example", 80, "/", "a.example");
    is("HTTP://a.example:8000/who?v=1&w", "a.example", 8000, "/who?v=1&w", "a.example:8000");
    is("http://[::1]:81/x", "::1", 81, "/x", "[::1]:81");
    is("http://[::1]", "::1", 80, "/", "[::1]");
    is("https://a.example/x", "a.example", 443, "/x", "a.example");
    is("HTTPS://a.example:8443", "a.example", 8443, "/", "a.example:8443");
    is("http://10.0.0.1?a/b", "10.0.0.1", 80, "/?a/b", "10.0.0.1");
}

static void refusals(void **state)
{
    char text[HTTP_PATH_MAX + 64] = "http://a/";

    (void)state;
    is_refused("a:80/", "http://");
    is_refused("http://", "host:port");
    is_refused("http://:80/", "host:port");
    is_refused("http://a:0/", "host:port");
    is_refused("http://a:/", "host:port");
    is_refused("http://a:65536/", "host:port");
    is_refused("http://::1/", "host:port");
    is_refused("http://u:p@a/", "password");
    is_refused("http://a/b c", "percent-encoded");
    is_refused("http://a/b\r\nX: y", "percent-encoded");
    is_refused("http://a/#b", "fragment");
    memset(text + 9, 'x', HTTP_PATH_MAX);
    is_refused(text, "path");
    text[9 + HTTP_PATH_MAX - 2] = '\0';
    is(text, "a", 80, text + 8, "a");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parts),
        cmocka_unit_test(refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
