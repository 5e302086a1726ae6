#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "common/containers/ring.h"

static int find_number(const struct ring *ring, int i)
{
    char key[16];
    int len = snprintf(key, sizeof key, "%d", i);
    return ring_find(ring, key, (size_t)len);
}

/* Computed by a program of its own, in another language, from libketama's description. */
static void places_keys_as_libketama(void **state)
{
    (void)state;
    static const struct ring_node nodes[] = {
        {"router-a", 0, 1}, {"router-b", 0, 2}, {"router-c", 0, 1}};
    static const char owners[] = "bcbabababccabccaabaabbcbbbaccbaacbbbccbbcbabacbcaccacabbcbbbbabc";
    struct ring *ring = ring_new(nodes, 3);
    for (int i = 0; i < 64; i++)
        assert_int_equal(find_number(ring, i), owners[i] - 'a');
    ring_free(ring);
}

static void empty_and_single(void **state)
{
    (void)state;
    struct ring *ring = ring_new(NULL, 0);
    assert_int_equal(ring_find(ring, "x", 1), -1);
    assert_int_equal(ring_find_uid(ring, 1), -1);
    assert_int_equal(ring_hash(ring), 0);
    ring_free(ring);
    ring_free(NULL);

    static const struct ring_node nodes[] = {{"a", 1, 0}, {"b", 1, 1}};
    ring = ring_new(nodes, 2);
    for (int i = 0; i < 100; i++) {
        assert_int_equal(find_number(ring, i), 1);
        assert_int_equal(ring_find_uid(ring, i), 1);
    }
    ring_free(ring);
    ring = ring_new(nodes, 1); /* there, but owns nothing */
    assert_int_equal(ring_find_uid(ring, 1), -1);
    assert_int_not_equal(ring_hash(ring), 0);
    ring_free(ring);
}

static void shares_follow_weights(void **state)
{
    (void)state;
    enum { N = 40000 };
    static const struct ring_node nodes[] = {{"one", 1, 10}, {"two", 1, 20}, {"three", 1, 10}};
    struct ring *ring = ring_new(nodes, 3);
    int by_name[3] = {0}, by_uid[3] = {0};
    for (int i = 0; i < N; i++) {
        by_name[find_number(ring, i)]++;
        by_uid[ring_find_uid(ring, i)]++;
    }
    for (int i = 0; i < 3; i++) {
        int share = N * (int)nodes[i].weight / 40;
        assert_in_range(by_name[i], share * 8 / 10, share * 12 / 10);
        assert_in_range(by_uid[i], share * 8 / 10, share * 12 / 10);
    }
    ring_free(ring);
}

static void a_node_that_leaves_moves_only_its_own(void **state)
{
    (void)state;
    static const struct ring_node nodes[] = {{"a", 1, 1}, {"b", 1, 1}, {"c", 1, 1}, {"d", 1, 1}};
    struct ring *four = ring_new(nodes, 4), *three = ring_new(nodes, 3);
    int moved = 0;
    for (int uid = 0; uid < 20000; uid++) {
        int before = ring_find_uid(four, uid), after = ring_find_uid(three, uid);
        if (before == 3)
            moved++;
        else
            assert_int_equal(before, after);
    }
    assert_in_range(moved, 20000 / 4 * 7 / 10, 20000 / 4 * 13 / 10);
    ring_free(four);
    ring_free(three);
}

static void order_does_not_matter_and_everything_else_does(void **state)
{
    (void)state;
    static const struct ring_node one[] = {{"a", 1, 1}, {"b", 2, 1}, {"c", 3, 2}};
    static const struct ring_node other[] = {{"c", 3, 2}, {"a", 1, 1}, {"b", 2, 1}};
    struct ring *x = ring_new(one, 3), *y = ring_new(other, 3);
    assert_int_equal(ring_hash(x), ring_hash(y));
    for (int uid = 0; uid < 1000; uid++)
        assert_string_equal(one[ring_find_uid(x, uid)].name, other[ring_find_uid(y, uid)].name);
    for (int change = 0; change < 3; change++) {
        struct ring_node changed[3];
        memcpy(changed, one, sizeof one);
        if (change == 0)
            changed[1].epoch++;
        else if (change == 1)
            changed[1].weight++;
        else
            changed[1].name = "bb";
        struct ring *z = ring_new(changed, 3);
        assert_int_not_equal(ring_hash(x), ring_hash(z));
        if (change == 0) { /* a restarted node keeps its share */
            for (int uid = 0; uid < 1000; uid++)
                assert_int_equal(ring_find_uid(x, uid), ring_find_uid(z, uid));
        }
        ring_free(z);
    }
    ring_free(x);
    ring_free(y);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(places_keys_as_libketama),
        cmocka_unit_test(empty_and_single),
        cmocka_unit_test(shares_follow_weights),
        cmocka_unit_test(a_node_that_leaves_moves_only_its_own),
        cmocka_unit_test(order_does_not_matter_and_everything_else_does),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
