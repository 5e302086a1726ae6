#include "common/http/http.h"
#include "logic/http/api_keys.h"
#include "logic/http/local_callers.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

/* needs the above */
#include <cmocka.h>

/* In place of the HTTP server. */
static const char *authorization, *x_api_key;
static const char *peer;

const char *http_header(const struct http_request *request, const char *name)
{
    (void)request;
    return strcmp(name, "authorization") == 0 ? authorization
           : strcmp(name, "x-api-key") == 0   ? x_api_key
                                              : NULL;
}

const char *http_peer(const struct http_request *request)
{
    (void)request;
    return peer;
}

static bool let_in(const char *list, const char *auth, const char *key)
{
    struct api_keys *keys = api_keys_open(list);
    authorization = auth;
    x_api_key = key;
    struct local_callers *local = local_callers_open("", "");
    bool in = api_auth_refusal(keys, local, NULL) == NULL;
    api_keys_close(keys);
    local_callers_close(local);
    return in;
}

static void keys_are_asked_for(void **state)
{
    (void)state;
    peer = "127.0.0.1"; /* means nothing once there are keys */
    assert_true(let_in("k1, k2", "Bearer k1", NULL));
    assert_true(let_in("k1, k2", "bearer  k2", NULL));
    assert_true(let_in("k1, k2", NULL, "k2"));
    assert_false(let_in("k1, k2", NULL, NULL));
    assert_false(let_in("k1, k2", "Bearer k3", NULL));
    assert_false(let_in("k1, k2", "Bearer k1 ", NULL));
    assert_false(let_in("k1, k2", "Bearer ", NULL));
    assert_false(let_in("k1, k2", "Bearerk1", NULL));
    assert_false(let_in("k1, k2", "Bearer K1", NULL));
    assert_false(let_in("k1, k2", NULL, "k"));
    assert_false(let_in("k1, k2", NULL, "k1k2"));
    assert_false(let_in("k1, k2", NULL, "k1, k2"));
}

static void without_keys_only_local_ones(void **state)
{
    (void)state;
    peer = "127.0.0.1";
    assert_true(let_in("", NULL, NULL));
    assert_true(let_in(" , ", "Bearer whatever", NULL));
    peer = "10.0.0.1";
    assert_false(let_in("", NULL, NULL));
    assert_false(let_in("", "Bearer ", NULL));
}

static void another_scheme_leaves_the_other_header(void **state)
{
    (void)state;
    assert_null(api_bearer("Basic azE6"));
    assert_string_equal(api_bearer("BEARER k"), "k");
    assert_true(let_in("k1", "Basic azE6", "k1"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_are_asked_for),
        cmocka_unit_test(without_keys_only_local_ones),
        cmocka_unit_test(another_scheme_leaves_the_other_header),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
