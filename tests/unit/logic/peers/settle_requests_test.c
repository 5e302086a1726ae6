/* Settling: what is stored, owed to whom, and answered. */
#include "tests/unit/logic/peers/settle_requests_fixture.h"

/* Owed to nobody, it leaves with the first confirmation. All sessions are poked. */
static void any_is_owed_to_nobody(void **state)
{
    (void)state;
    any = true;
    settle(1);
    stores[0].fn(stores[0].arg, 0);
    router_says(0, ROUTER_OK, true, 2);
    assert_int_equal(n_stores, 1);
    assert_string_equal(stores[0].owed, "");
    assert_int_equal(reply->results[0]->status, IMC__V1__SETTLE_RESULT__STATUS__STORED);
    assert_int_equal(reply->results[0]->n_sessions, 2);
}

static void the_device_of_an_acknowledged_session_is_owed_it(void **state)
{
    (void)state;
    acked = true;
    device_then = "then";
    keys_there[0] = "now"; /* the second has none, the third's was made up for it */
    keys_there[2] = "~7~0123456789abcdef0123456789abcdef";
    settle(1);
    assert_string_equal(stores[0].devices, "/then");
    stores[0].fn(stores[0].arg, 0);
    router_says(0, ROUTER_OK, true, 3);
    assert_int_equal(stores[1].by, MAILBOX_OWE);
    assert_string_equal(stores[1].devices, "/now");
    assert_string_equal(stores[1].owed, "comet-1/11 comet-1/12");
    stores[1].fn(stores[1].arg, 0);
    assert_int_equal(reply->results[0]->status, IMC__V1__SETTLE_RESULT__STATUS__STORED);
}

static void any_is_owed_to_no_device(void **state)
{
    (void)state;
    any = acked = true;
    device_then = keys_there[0] = "a";
    settle(1);
    assert_string_equal(stores[0].devices, "");
    stores[0].fn(stores[0].arg, 0);
    router_says(0, ROUTER_OK, true, 1);
    assert_int_equal(n_stores, 1);
}

/* What is for one device must not take the place of what is for another. */
static void a_collapse_key_is_one_for_each_choice_of_devices(void **state)
{
    (void)state;
    collapse = "score";
    settle(1);
    assert_string_equal(stores[0].collapse, "score");
    stores[0].fn(stores[0].arg, -EAGAIN);
    router_says(0, ROUTER_AWAY, false, 0);
    imc__v1__settle_reply__free_unpacked(reply, NULL);
    reply = NULL;
    for (int i = 0; i < 3; i++) {
        key_wanted = i < 2 ? "a" : "b";
        settle(1);
        size_t at = n_stores - 1;
        assert_memory_equal(stores[at].collapse, "score\n", 6);
        stores[at].fn(stores[at].arg, -EAGAIN);
        router_says(n_lookups - 1, ROUTER_AWAY, false, 0);
        imc__v1__settle_reply__free_unpacked(reply, NULL);
        reply = NULL;
    }
    assert_string_equal(stores[1].collapse, stores[2].collapse);
    assert_string_not_equal(stores[2].collapse, stores[3].collapse);
}

static void stored_first_then_asked(void **state)
{
    (void)state;
    settle(1);
    assert_int_equal(n_stores, 1);
    assert_int_equal(n_lookups, 0);
    stores[0].fn(stores[0].arg, 0);
    assert_int_equal(n_lookups, 1);
    assert_int_equal(stores[0].by, MAILBOX_SETTLE);
    assert_string_equal(stores[0].owed, "");
    router_says(0, ROUTER_OK, true, 1);
    assert_null(reply); /* it is the session's now, but that must be in the mailbox first */
    assert_int_equal(n_stores, 2);
    assert_int_equal(stores[1].by, MAILBOX_OWE_IF_THERE);
    assert_true(stores[1].uid == stores[0].uid && stores[1].id == stores[0].id);
    assert_string_equal(stores[1].owed, "comet-1/10");
    stores[1].fn(stores[1].arg, 0);
    assert_true(reply->seq == 3);
    assert_int_equal(reply->results[0]->status, IMC__V1__SETTLE_RESULT__STATUS__STORED);
    assert_string_equal(reply->results[0]->sessions[0]->comet, "comet-1");
}

static void each_of_several_is_owed_it(void **state)
{
    (void)state;
    settle(1);
    stores[0].fn(stores[0].arg, 0);
    router_says(0, ROUTER_OK, true, 2);
    assert_int_equal(stores[1].by, MAILBOX_OWE);
    assert_string_equal(stores[1].owed, "comet-1/10 comet-1/11");
    stores[1].fn(stores[1].arg, 0);
    assert_int_equal(reply->results[0]->status, IMC__V1__SETTLE_RESULT__STATUS__STORED);
    assert_int_equal(reply->results[0]->n_sessions, 2);
}

/* Poked, each would fetch it; but one of them might find it gone. */
static void not_poked_before_it_is_owed(void **state)
{
    (void)state;
    settle(1);
    stores[0].fn(stores[0].arg, 0);
    router_says(0, ROUTER_OK, true, 2);
    stores[1].fn(stores[1].arg, -EAGAIN);
    assert_int_equal(reply->results[0]->status, IMC__V1__SETTLE_RESULT__STATUS__FAILED);
    assert_int_equal(reply->results[0]->n_sessions, 0);
    assert_int_equal(counters[LOGIC_SETTLED_FAILED], 1);
}

static void every_outcome(void **state)
{
    (void)state;
    settle(5);
    for (size_t i = 0; i < 5; i++)
        assert_true(stores[i].id == 1000 + i); /* the order of the batch */
    stores[4].fn(stores[4].arg, -EAGAIN);
    for (size_t i = 0; i < 4; i++)
        stores[i].fn(stores[i].arg, 0);
    router_says(4, ROUTER_AWAY, false, 0);
    router_says(3, ROUTER_MISMATCH, false, 1);
    router_says(2, ROUTER_OK, false, 0);
    router_says(0, ROUTER_OK, true, 0); /* the one that is not stored */
    assert_null(reply);
    router_says(1, ROUTER_OK, true, 0);
    assert_int_equal(reply->n_results, 5);
    assert_int_equal(reply->results[0]->status, IMC__V1__SETTLE_RESULT__STATUS__STORED);
    assert_int_equal(reply->results[0]->n_sessions, 0);
    assert_int_equal(reply->results[1]->status, IMC__V1__SETTLE_RESULT__STATUS__UNKNOWN);
    assert_int_equal(reply->results[2]->status, IMC__V1__SETTLE_RESULT__STATUS__UNKNOWN);
    assert_int_equal(reply->results[3]->status, IMC__V1__SETTLE_RESULT__STATUS__UNKNOWN);
    assert_int_equal(reply->results[4]->status, IMC__V1__SETTLE_RESULT__STATUS__FAILED);
    assert_int_equal(counters[LOGIC_SETTLED_STORED], 1);
    assert_int_equal(counters[LOGIC_SETTLED_UNKNOWN], 3);
    assert_int_equal(counters[LOGIC_SETTLED_FAILED], 1);
}

static void only_sessions_with_the_key_are_owed_and_told(void **state)
{
    (void)state;
    key_wanted = "b";
    keys_there[0] = "a";
    keys_there[2] = "b";
    settle(1);
    stores[0].fn(stores[0].arg, 0);
    router_says(0, ROUTER_OK, true, 3);
    assert_int_equal(n_stores, 2);
    assert_string_equal(stores[1].owed, "comet-1/12");
    stores[1].fn(stores[1].arg, 0);
    assert_int_equal(reply->results[0]->status, IMC__V1__SETTLE_RESULT__STATUS__STORED);
    assert_int_equal(reply->results[0]->n_sessions, 1);
    assert_true(reply->results[0]->sessions[0]->handle == 18);
}

static void with_only_other_devices_there_it_waits_untrimmed(void **state)
{
    (void)state;
    key_wanted = "b";
    keys_there[0] = "a";
    there_now.n = 21;
    settle(2);
    stores[0].fn(stores[0].arg, 0);
    stores[1].fn(stores[1].arg, 0);
    router_says(0, ROUTER_OK, true, 2);
    assert_int_equal(n_trims, 0);
    router_says(1, ROUTER_OK, true, 0); /* nobody at all */
    assert_int_equal(n_trims, 1);
    trims[0].fn(trims[0].arg, 0);
    assert_int_equal(n_stores, 2);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(reply->results[i]->status, IMC__V1__SETTLE_RESULT__STATUS__STORED);
        assert_int_equal(reply->results[i]->n_sessions, 0);
    }
}

static void with_a_key_what_is_not_known_is_asked_again(void **state)
{
    (void)state;
    key_wanted = "b";
    keys_there[0] = "a";
    keys_there[1] = "b";
    settle(2);
    stores[0].fn(stores[0].arg, 0);
    stores[1].fn(stores[1].arg, -EAGAIN);
    router_says(0, ROUTER_OK, false, 1);
    router_says(1, ROUTER_OK, true, 2);
    assert_int_equal(reply->results[0]->status, IMC__V1__SETTLE_RESULT__STATUS__UNKNOWN);
    assert_int_equal(reply->results[0]->n_sessions, 0);
    assert_int_equal(reply->results[1]->status, IMC__V1__SETTLE_RESULT__STATUS__FAILED);
    assert_int_equal(reply->results[1]->n_sessions, 1); /* job gives it to that one */
    assert_string_equal(reply->results[1]->sessions[0]->key, "b");
}

static void what_is_behind_another_says_so(void **state)
{
    (void)state;
    of_one_user = true;
    refused_id = 1001;
    settle(4);
    of_one_user = false;
    refused_id = 0;
    assert_int_equal(n_stores, 3);
    assert_true(stores[0].id == 1000 && stores[0].behind == 999);
    assert_true(stores[1].id == 1002 && stores[1].behind == 1000); /* 1001 has ended */
    assert_true(stores[2].id == 1003 && stores[2].behind == 1002);
    stores[0].fn(stores[0].arg, 0);
    stores[1].fn(stores[1].arg, -EAGAIN);
    stores[2].fn(stores[2].arg, -ENOENT);
    router_says(1, ROUTER_AWAY, false, 0);
    router_says(0, ROUTER_OK, true, 1);
    assert_int_equal(n_stores, 4);
    assert_true(stores[3].behind == 0); /* it is there, whatever has become of the other */
    stores[3].fn(stores[3].arg, 0);
    assert_int_equal(reply->results[2]->status, IMC__V1__SETTLE_RESULT__STATUS__FAILED);
    assert_int_equal(reply->results[3]->status, IMC__V1__SETTLE_RESULT__STATUS__TOO_EARLY);
    assert_int_equal(counters[LOGIC_SETTLED_EARLY], 1);
}

/* They get it from job, if they are really there. */
static void who_is_there_is_told_of_what_is_not_stored(void **state)
{
    (void)state;
    settle(3);
    for (size_t i = 0; i < 3; i++)
        stores[i].fn(stores[i].arg, -EAGAIN);
    router_says(0, ROUTER_OK, true, 1);
    router_says(1, ROUTER_OK, false, 1);
    router_says(2, ROUTER_MISMATCH, true, 1);
    assert_int_equal(n_stores, 3);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(reply->results[i]->status, IMC__V1__SETTLE_RESULT__STATUS__FAILED);
        assert_int_equal(reply->results[i]->n_sessions, i == 0 ? 1 : 0);
    }
    assert_string_equal(reply->results[0]->sessions[0]->comet, "comet-1");
}

static void what_has_ended_is_settled_without_anybody(void **state)
{
    (void)state;
    refused_id = 1001;
    settle(2);
    refused_id = 0;
    assert_int_equal(n_stores, 1);
    there_now.n = 1;
    stores[0].fn(stores[0].arg, 0);
    router_says(0, ROUTER_OK, true, 0);
    assert_int_equal(reply->results[1]->status, IMC__V1__SETTLE_RESULT__STATUS__STORED);
    assert_int_equal(n_lookups, 1);
}

static void empty_batch_is_answered(void **state)
{
    (void)state;
    settle(0);
    assert_non_null(reply);
    assert_int_equal(reply->n_results, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(any_is_owed_to_nobody, setup, teardown),
        cmocka_unit_test_setup_teardown(the_device_of_an_acknowledged_session_is_owed_it, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(any_is_owed_to_no_device, setup, teardown),
        cmocka_unit_test_setup_teardown(a_collapse_key_is_one_for_each_choice_of_devices, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(stored_first_then_asked, setup, teardown),
        cmocka_unit_test_setup_teardown(each_of_several_is_owed_it, setup, teardown),
        cmocka_unit_test_setup_teardown(not_poked_before_it_is_owed, setup, teardown),
        cmocka_unit_test_setup_teardown(every_outcome, setup, teardown),
        cmocka_unit_test_setup_teardown(only_sessions_with_the_key_are_owed_and_told, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(with_only_other_devices_there_it_waits_untrimmed, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(with_a_key_what_is_not_known_is_asked_again, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(what_is_behind_another_says_so, setup, teardown),
        cmocka_unit_test_setup_teardown(who_is_there_is_told_of_what_is_not_stored, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(what_has_ended_is_settled_without_anybody, setup, teardown),
        cmocka_unit_test_setup_teardown(empty_batch_is_answered, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
