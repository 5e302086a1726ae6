#include "logic/hook/cache.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void put(struct hook_cache *cache, const char *asked, uint64_t until_ms, const char *body)
{
    uint8_t digest[HOOK_DIGEST];

    hook_cache_digest(cache, asked, strlen(asked), digest);
    hook_cache_put(cache, digest, until_ms, body, strlen(body));
}

static void has(struct hook_cache *cache, const char *asked, uint64_t now_ms, const char *body)
{
    uint8_t digest[HOOK_DIGEST];
    size_t len = 0;

    hook_cache_digest(cache, asked, strlen(asked), digest);
    const char *got = hook_cache_get(cache, digest, now_ms, &len);
    if (body == NULL) {
        assert_null(got);
        return;
    }
    assert_non_null(got);
    assert_int_equal(len, strlen(body));
    assert_memory_equal(got, body, len);
}

static void answers_last_as_long_as_they_may(void **state)
{
    struct hook_cache *cache = hook_cache_open(10);
    (void)state;
    has(cache, "a", 0, NULL);
    put(cache, "a", 100, "one");
    put(cache, "b", 100, "");
    has(cache, "a", 99, "one");
    has(cache, "b", 99, "");
    has(cache, "a", 100, NULL);
    assert_int_equal(hook_cache_count(cache), 1);
    put(cache, "b", 200, "two");
    has(cache, "b", 199, "two");
    assert_int_equal(hook_cache_count(cache), 1);
    hook_cache_close(cache);
    hook_cache_close(NULL);
}

static void the_oldest_goes_first(void **state)
{
    struct hook_cache *cache = hook_cache_open(2);
    (void)state;
    put(cache, "a", 100, "1");
    put(cache, "b", 100, "2");
    put(cache, "c", 100, "3");
    assert_int_equal(hook_cache_count(cache), 2);
    has(cache, "a", 0, NULL);
    has(cache, "b", 0, "2");
    has(cache, "c", 0, "3");
    hook_cache_close(cache);
}

static void another_process_has_another_key(void **state)
{
    struct hook_cache *one = hook_cache_open(2), *two = hook_cache_open(2);
    uint8_t a[HOOK_DIGEST], b[HOOK_DIGEST];
    (void)state;
    hook_cache_digest(one, "x", 1, a);
    hook_cache_digest(two, "x", 1, b);
    assert_memory_not_equal(a, b, HOOK_DIGEST);
    hook_cache_digest(one, "x", 1, b);
    assert_memory_equal(a, b, HOOK_DIGEST);
    hook_cache_close(one);
    hook_cache_close(two);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_last_as_long_as_they_may),
        cmocka_unit_test(the_oldest_goes_first),
        cmocka_unit_test(another_process_has_another_key),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
