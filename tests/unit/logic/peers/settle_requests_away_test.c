/* Settling for a user who is away: what the business is told, and what is trimmed. */
#include "tests/unit/logic/peers/settle_requests_fixture.h"

/* mailbox.limit is for users who are away. */
static void trimmed_only_if_nobody_is_there(void **state)
{
    (void)state;
    there_now.n = 21;
    settle(4);
    for (size_t i = 0; i < 4; i++)
        stores[i].fn(stores[i].arg, 0);
    router_says(0, ROUTER_OK, true, 1);
    stores[4].fn(stores[4].arg, 0);
    router_says(1, ROUTER_OK, false, 0);
    router_says(2, ROUTER_AWAY, false, 0);
    assert_int_equal(n_trims, 0);
    router_says(3, ROUTER_OK, true, 0);
    assert_int_equal(n_trims, 1);
    assert_true(trims[0].uid == 3 && trims[0].id == 1003);
    assert_null(reply);
    trims[0].fn(trims[0].arg, -EAGAIN); /* job asks again, or it would stay beyond the limit */
    assert_int_equal(reply->results[3]->status, IMC__V1__SETTLE_RESULT__STATUS__FAILED);
}

/* What had been stored before by whomever waits for the same user. */
static void trimmed_up_to_the_newest_that_was_there(void **state)
{
    (void)state;
    there_now = (struct mailbox_there){.n = 21, .newest = 2000};
    settle(1);
    stores[0].fn(stores[0].arg, 0);
    router_says(0, ROUTER_OK, true, 0);
    assert_int_equal(n_trims, 1);
    assert_true(trims[0].id == 2000);
    trims[0].fn(trims[0].arg, 0);
    assert_int_equal(reply->results[0]->status, IMC__V1__SETTLE_RESULT__STATUS__STORED);
    there_now.newest = 0;
}

static void not_trimmed_up_to_the_limit(void **state)
{
    (void)state;
    there_now.n = 20;
    settle(1);
    stores[0].fn(stores[0].arg, 0);
    router_says(0, ROUTER_OK, true, 0);
    assert_int_equal(n_trims, 0);
    assert_int_equal(reply->results[0]->status, IMC__V1__SETTLE_RESULT__STATUS__STORED);
}

/* Before it may leave by the trim. */
static void who_is_away_is_told_of_before_the_trim(void **state)
{
    (void)state;
    tells = true;
    there_now.n = 21;
    settle(3);
    for (size_t i = 0; i < 3; i++)
        stores[i].fn(stores[i].arg, 0);
    router_says(0, ROUTER_OK, true, 1);
    router_says(1, ROUTER_OK, false, 0);
    assert_int_equal(n_told, 0);
    stores[3].fn(stores[3].arg, 0);
    router_says(2, ROUTER_OK, true, 0);
    assert_int_equal(n_told, 1);
    assert_true(told[0].uid == 2 && told[0].id == 1002);
    assert_int_equal(n_trims, 0);
    told[0].fn(told[0].arg, 0);
    assert_int_equal(n_trims, 1);
    trims[0].fn(trims[0].arg, 0);
    assert_int_equal(reply->results[2]->status, IMC__V1__SETTLE_RESULT__STATUS__STORED);
}

/* Job asks again. */
static void what_was_not_told_is_not_settled(void **state)
{
    (void)state;
    tells = true;
    there_now.n = 21;
    settle(1);
    stores[0].fn(stores[0].arg, 0);
    router_says(0, ROUTER_OK, true, 0);
    told[0].fn(told[0].arg, -EAGAIN);
    assert_int_equal(n_trims, 0);
    assert_int_equal(reply->results[0]->status, IMC__V1__SETTLE_RESULT__STATUS__FAILED);
}

/* As it is where only other devices of the user are there. */
static void what_no_device_that_is_meant_took_is_told_of(void **state)
{
    (void)state;
    tells = true;
    key_wanted = "tablet";
    keys_there[0] = "phone";
    there_now.n = 21;
    settle(1);
    stores[0].fn(stores[0].arg, 0);
    router_says(0, ROUTER_OK, true, 1);
    assert_int_equal(n_told, 1);
    told[0].fn(told[0].arg, 0);
    assert_int_equal(n_trims, 0);
    assert_int_equal(reply->results[0]->status, IMC__V1__SETTLE_RESULT__STATUS__STORED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(trimmed_only_if_nobody_is_there, setup, teardown),
        cmocka_unit_test_setup_teardown(trimmed_up_to_the_newest_that_was_there, setup, teardown),
        cmocka_unit_test_setup_teardown(not_trimmed_up_to_the_limit, setup, teardown),
        cmocka_unit_test_setup_teardown(who_is_away_is_told_of_before_the_trim, setup, teardown),
        cmocka_unit_test_setup_teardown(what_was_not_told_is_not_settled, setup, teardown),
        cmocka_unit_test_setup_teardown(what_no_device_that_is_meant_took_is_told_of, setup,
                                        teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
