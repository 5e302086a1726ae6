#include "logic/http/key_groups.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

/* needs the above */
#include <cmocka.h>

static bool everybody(const void *arg, int64_t uid)
{
    (void)arg;
    (void)uid;
    return true;
}

static bool not_seven(const void *arg, int64_t uid)
{
    (void)arg;
    return uid != 7;
}

static const char *const keys[] = {"b", "x", "a", "lost", "b", "c", "lost", ""};
static const struct device_key_owner owners[] = {{true, 7}, {true, -9}, {true, 7},  {false, 0},
                                                 {true, 7}, {true, 0},  {false, 0}, {true, 0}};
static const struct key_set set = {keys, owners, 8};

static void each_user_has_his_keys_once_and_in_order(void **state)
{
    (void)state;
    struct key_groups *groups = key_groups_new(&set, everybody, NULL);
    assert_int_equal(groups->n, 3);
    assert_int_equal(groups->unknown, 2);
    assert_true(groups->uids[0] == -9 && groups->uids[1] == 0 && groups->uids[2] == 7);
    assert_int_equal(groups->keys[0].n, 1);
    assert_string_equal(groups->keys[0].list[0], "x");
    assert_int_equal(groups->keys[1].n, 2);
    assert_string_equal(groups->keys[1].list[0], "");
    assert_string_equal(groups->keys[1].list[1], "c");
    assert_int_equal(groups->keys[2].n, 2);
    assert_string_equal(groups->keys[2].list[0], "a");
    assert_string_equal(groups->keys[2].list[1], "b");
    assert_int_equal(groups->longest, 2 * (1 + 3));
    key_groups_free(groups);
}

static void who_is_not_wanted_is_left_out(void **state)
{
    (void)state;
    struct key_groups *groups = key_groups_new(&set, not_seven, NULL);
    assert_int_equal(groups->n, 2);
    assert_true(groups->uids[0] == -9 && groups->uids[1] == 0);
    key_groups_free(groups);
}

static void nobody_is_nobody(void **state)
{
    (void)state;
    struct key_groups *groups = key_groups_new(&(struct key_set){NULL, NULL, 0}, everybody, NULL);
    assert_int_equal(groups->n, 0);
    assert_int_equal(groups->longest, 0);
    key_groups_free(groups);
    key_groups_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_user_has_his_keys_once_and_in_order),
        cmocka_unit_test(who_is_not_wanted_is_left_out),
        cmocka_unit_test(nobody_is_nobody),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
