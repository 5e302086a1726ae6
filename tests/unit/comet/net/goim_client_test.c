#include "comet/net/goim_client.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static int setup(void **state)
{
    *state = goim_client_new("phone");
    return 0;
}

static int teardown(void **state)
{
    goim_client_free(*state);
    return 0;
}

static int subscribe(struct goim_client *client, const char *list)
{
    return goim_client_subscribe(client, (const uint8_t *)list, strlen(list));
}

static int unsubscribe(struct goim_client *client, const char *list)
{
    return goim_client_unsubscribe(client, (const uint8_t *)list, strlen(list));
}

static void imgos_client_accepts_everything(void **state)
{
    (void)state;
    assert_true(goim_client_accepts(NULL, 5));
    assert_true(goim_client_accepts(NULL, INT32_MIN));
}

static void who_names_operations_gets_those(void **state)
{
    struct goim_client *client = *state;
    const int32_t ops[] = {1001, 5, 1001, -3};

    assert_string_equal(client->key, "phone");
    goim_client_accept_only(client, ops, 4);
    assert_int_equal(client->n_ops, 3);
    assert_true(goim_client_accepts(client, 5) && goim_client_accepts(client, -3));
    assert_true(goim_client_accepts(client, 1001));
    assert_false(goim_client_accepts(client, 1000));
    assert_int_equal(subscribe(client, "1000,6"), 0);
    assert_true(goim_client_accepts(client, 1000) && goim_client_accepts(client, 6));
    assert_int_equal(unsubscribe(client, "5,7"), 0);
    assert_false(goim_client_accepts(client, 5) || goim_client_accepts(client, 7));
}

static void an_empty_list_is_nothing(void **state)
{
    struct goim_client *client = *state;

    goim_client_accept_only(client, NULL, 0);
    assert_false(goim_client_accepts(client, 5));
}

static void who_names_none_gets_all_but_what_he_leaves_out(void **state)
{
    struct goim_client *client = *state;

    assert_true(goim_client_accepts(client, 5));
    assert_int_equal(unsubscribe(client, "5"), 0);
    assert_false(goim_client_accepts(client, 5));
    assert_true(goim_client_accepts(client, 6));
    assert_int_equal(subscribe(client, "5,6"), 0);
    assert_true(goim_client_accepts(client, 5) && goim_client_accepts(client, 6));
}

static void a_bad_list_changes_nothing(void **state)
{
    struct goim_client *client = *state;

    goim_client_accept_only(client, NULL, 0);
    assert_int_equal(subscribe(client, "1,2,x"), -EBADMSG);
    assert_int_equal(subscribe(client, "1,"), -EBADMSG);
    assert_int_equal(client->n_ops, 0);
    assert_int_equal(subscribe(client, ""), 0);
}

static void the_list_does_not_grow_for_ever(void **state)
{
    struct goim_client *client = *state;
    char op[16];

    goim_client_accept_only(client, NULL, 0);
    for (int i = 0; i < GOIM_CLIENT_OPS_MAX; i++) {
        (void)snprintf(op, sizeof op, "%d", 2 * i);
        assert_int_equal(subscribe(client, op), 0);
    }
    assert_int_equal(subscribe(client, "0"), 0);
    assert_int_equal(subscribe(client, "1"), -E2BIG);
    assert_int_equal(unsubscribe(client, "0"), 0);
    assert_int_equal(subscribe(client, "1"), 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(imgos_client_accepts_everything), TEST(who_names_operations_gets_those),
        TEST(an_empty_list_is_nothing),        TEST(who_names_none_gets_all_but_what_he_leaves_out),
        TEST(a_bad_list_changes_nothing),      TEST(the_list_does_not_grow_for_ever),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
