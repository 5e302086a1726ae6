#include "common/auth/presented.h"
#include "common/http/http.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

/* needs the above */
#include <cmocka.h>

/* In place of the HTTP server. */
static const char *authorization, *x_api_key;

const char *http_header(const struct http_request *request, const char *name)
{
    (void)request;
    return strcmp(name, "authorization") == 0 ? authorization
           : strcmp(name, "x-api-key") == 0   ? x_api_key
                                              : NULL;
}

static const char *key(const char *auth, const char *api_key)
{
    authorization = auth;
    x_api_key = api_key;
    return presented_key(NULL);
}

static void a_key_comes_by_either_header(void **state)
{
    (void)state;
    assert_string_equal(key("Bearer k1", NULL), "k1");
    assert_string_equal(key("bearer  k2", NULL), "k2");
    assert_string_equal(key("BEARER k", "other"), "k");
    assert_string_equal(key(NULL, "k2"), "k2");
    assert_string_equal(key("Bearer k1 ", NULL), "k1 ");
    assert_string_equal(key("Bearer ", NULL), "");
}

static void another_scheme_leaves_the_other_header(void **state)
{
    (void)state;
    assert_null(key(NULL, NULL));
    assert_null(key("Bearerk1", NULL));
    assert_null(key("Basic azE6", NULL));
    assert_string_equal(key("Basic azE6", "k1"), "k1");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_key_comes_by_either_header),
        cmocka_unit_test(another_scheme_leaves_the_other_header),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
