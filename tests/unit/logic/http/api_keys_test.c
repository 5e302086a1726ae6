#include "common/http/http.h"
#include "logic/http/api_keys.h"

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

static bool let_in(const char *list, const char *auth, const char *key)
{
    struct api_keys *keys = api_keys_open(list);
    authorization = auth;
    x_api_key = key;
    bool in = api_keys_refusal(keys, NULL) == NULL;
    api_keys_close(keys);
    return in;
}

static void keys_are_asked_for(void **state)
{
    (void)state;
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

static void a_list_without_a_key_is_none(void **state)
{
    (void)state;
    assert_null(api_keys_open(""));
    assert_null(api_keys_open(" , "));
    api_keys_close(NULL);
}

static void another_scheme_leaves_the_other_header(void **state)
{
    (void)state;
    assert_true(let_in("k", "BEARER k", NULL));
    assert_false(let_in("azE6", "Basic azE6", NULL));
    assert_true(let_in("k1", "Basic azE6", "k1"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_are_asked_for),
        cmocka_unit_test(a_list_without_a_key_is_none),
        cmocka_unit_test(another_scheme_leaves_the_other_header),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
