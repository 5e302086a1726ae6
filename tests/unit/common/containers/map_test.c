#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sys/random.h>

#include "common/containers/map.h"

static uint64_t next_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

/* What maps take their seeds from. Stands before libc's, so that the maps of every run are the
 * same: with one seed in 300, one of 200,000 keys in a row comes so far from its place that the map
 * grows early. */
ssize_t getrandom(void *buf, size_t len, unsigned flags)
{
    static uint64_t state = 1;
    uint8_t *bytes = buf;
    (void)flags;
    for (size_t i = 0; i < len; i++)
        bytes[i] = (uint8_t)(next_random(&state) >> 32);
    return (ssize_t)len;
}

static void set_get_del(void **state)
{
    (void)state;
    struct map64 *map = map64_new();
    assert_null(map64_get(map, 0));
    assert_false(map64_del(map, 0));
    map64_set(map, 0, 7);
    map64_set(map, UINT64_MAX, 8);
    map64_set(map, 0, 9);
    assert_int_equal(map64_count(map), 2);
    assert_int_equal(*map64_get(map, 0), 9);
    *map64_get(map, 0) = 10;
    assert_int_equal(*map64_get(map, 0), 10);
    assert_true(map64_del(map, 0));
    assert_false(map64_del(map, 0));
    assert_null(map64_get(map, 0));
    assert_int_equal(*map64_get(map, UINT64_MAX), 8);
    map64_free(map);
    map64_free(NULL);
}

/* Against a plain array that says what should be there; keys from a small range so that they come
 * and go. */
static void agrees_with_an_array_under_churn(void **state)
{
    (void)state;
    enum { KEYS = 3000 };
    static uint64_t model[KEYS]; /* value + 1; 0 = absent */
    memset(model, 0, sizeof model);
    struct map64 *map = map64_new();
    uint64_t random = 42;
    size_t count = 0;
    for (int round = 0; round < 400000; round++) {
        uint64_t key = next_random(&random) % KEYS;
        /* Waves: mostly filling, then mostly emptying. */
        bool set = next_random(&random) % 16 < (round / 50000 % 2 == 0 ? 13 : 2);
        uint64_t *value = map64_get(map, key << 40);
        assert_int_equal(value == NULL ? 0 : *value, model[key]);
        if (set) {
            count += model[key] == 0;
            model[key] = (uint64_t)round + 1;
            map64_set(map, key << 40, model[key]);
        } else {
            assert_int_equal(map64_del(map, key << 40), model[key] != 0);
            count -= model[key] != 0;
            model[key] = 0;
        }
        assert_int_equal(map64_count(map), count);
    }
    map64_free(map);
}

static void grows_and_gives_back(void **state)
{
    (void)state;
    enum { N = 200000 };
    struct map64 *map = map64_new();
    for (uint64_t i = 0; i < N; i++)
        map64_set(map, i, i);
    assert_true(map64_bytes(map) <= 17 * 262144 + 256);
    for (uint64_t i = 0; i < N; i++)
        assert_int_equal(*map64_get(map, i), i);
    for (uint64_t i = 0; i < N; i++)
        assert_true(map64_del(map, i));
    assert_int_equal(map64_count(map), 0);
    assert_true(map64_bytes(map) < 1024);
    map64_free(map);
}

struct named {
    char name[24];
    int value;
};

static void strings_agree_with_an_array_under_churn(void **state)
{
    (void)state;
    enum { KEYS = 2000 };
    static struct named named[KEYS];
    static bool present[KEYS];
    memset(present, 0, sizeof present);
    for (int i = 0; i < KEYS; i++)
        (void)snprintf(named[i].name, sizeof named[i].name, "room://%0*d", i % 13, i);
    struct strmap *map = strmap_new();
    uint64_t random = 7;
    size_t count = 0;
    for (int round = 0; round < 200000; round++) {
        struct named *it = &named[next_random(&random) % KEYS];
        bool *there = &present[it - named];
        size_t len = strlen(it->name);
        assert_ptr_equal(strmap_get(map, it->name, len), *there ? it : NULL);
        if (next_random(&random) % 16 < (round / 25000 % 2 == 0 ? 13U : 2U)) {
            strmap_set(map, it->name, len, it);
            count += !*there;
            *there = true;
        } else {
            assert_ptr_equal(strmap_del(map, it->name, len), *there ? it : NULL);
            count -= *there;
            *there = false;
        }
        assert_int_equal(strmap_count(map), count);
    }
    size_t pos = 0, seen = 0;
    void *value;
    for (; strmap_next(map, &pos, &value); seen++)
        assert_true(present[(struct named *)value - named]);
    assert_int_equal(seen, count);
    strmap_free(map);
}

static void string_keys_are_bytes_of_a_length(void **state)
{
    (void)state;
    struct strmap *map = strmap_new();
    int a, b, c, d;
    assert_null(strmap_get(map, "x", 1));
    assert_null(strmap_del(map, "x", 1));
    strmap_set(map, "", 0, &a);
    strmap_set(map, "x\0y", 3, &b);
    strmap_set(map, "x", 1, &c);
    strmap_set(map, "x\0", 2, &d);
    assert_ptr_equal(strmap_get(map, "", 0), &a);
    assert_ptr_equal(strmap_get(map, "x\0y", 3), &b);
    assert_ptr_equal(strmap_get(map, "xyz", 1), &c);
    assert_ptr_equal(strmap_get(map, "x\0", 2), &d);
    assert_null(strmap_get(map, "x\0z", 3));
    /* The key moves with the value that replaces another. */
    char *key = strdup("moving");
    assert_non_null(key);
    strmap_set(map, key, 6, &a);
    strmap_set(map, "moving", 6, &b);
    memset(key, '?', 6);
    free(key);
    assert_ptr_equal(strmap_del(map, "moving", 6), &b);
    assert_int_equal(strmap_count(map), 4);
    strmap_free(map);
    strmap_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(set_get_del),
        cmocka_unit_test(agrees_with_an_array_under_churn),
        cmocka_unit_test(grows_and_gives_back),
        cmocka_unit_test(strings_agree_with_an_array_under_churn),
        cmocka_unit_test(string_keys_are_bytes_of_a_length),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
