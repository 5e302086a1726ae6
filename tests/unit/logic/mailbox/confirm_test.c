/* The mailbox's scripts on a real Redis: who is owed what, and what is left when. */
#include "tests/unit/logic/mailbox/mailbox_fixture.h"

/* --- --- */

static void without_sessions_nothing_is_beside_the_mailbox(void **state)
{
    (void)state;
    for (uint64_t number = 1; number <= 6; number++)
        store(MAILBOX_SETTLE, number, NULL);
    trim(6);
    assert_left(LIMIT, 0);
    assert_int_equal(counters[LOGIC_TRIMMED], 2);
    confirm("a/1", 3, 6);
    assert_int_equal(got.n, 0);
    assert_left(0, 0);
    assert_int_equal(counters[LOGIC_CONFIRMED], 4);
    assert_int_equal(counters[LOGIC_CONFIRMED_KEPT], 0);
}

static void each_session_confirms_for_itself(void **state)
{
    (void)state;
    store(MAILBOX_SPILL, 1, "a/1");
    store(MAILBOX_SPILL, 1, "b/2");
    store(MAILBOX_SPILL, 1, "a/1");
    assert_int_equal(counters[LOGIC_STORED_SPILL], 1);
    assert_int_equal(counters[LOGIC_STORED_AGAIN], 2);
    confirm("a/1", 1, 1);
    assert_int_equal(got.n, 0); /* it took nobody's place */
    assert_left(1, 1);
    assert_int_equal(counters[LOGIC_CONFIRMED], 0);
    assert_int_equal(counters[LOGIC_CONFIRMED_KEPT], 1);
    confirm("a/1", 1, 1); /* repeated by another logic */
    assert_left(1, 1);
    confirm("b/2", 1, 1);
    assert_left(0, 0);
    assert_int_equal(counters[LOGIC_CONFIRMED], 1);
}

static void what_was_taken_in_the_place_of_others_is_told(void **state)
{
    (void)state;
    store(MAILBOX_SPILL, 1, "a/1 b/2");
    store(MAILBOX_SPILL, 2, "b/2");
    store(MAILBOX_SETTLE, 3, NULL);
    store(MAILBOX_SPILL, 11, "b/2 c/3");
    confirm("c/3", 1, 11);
    assert_int_equal(got.n, 2);
    assert_true(got.ids[0] == 1 && got.ids[1] == 2);
    assert_string_equal(got.owed, "a/1 b/2");
    assert_left(3, 3);
    /* Those of them that are no more: */
    waive("b/2", 1, 2);
    assert_left(2, 2);
    waive("a/1 x/9", 1, 2);
    assert_left(1, 1);
    assert_int_equal(counters[LOGIC_CONFIRMED], 3);
    fetch(0, NULL);
    assert_true(got.n == 1 && got.ids[0] == 11);
}

static void what_nobody_has_had_survives_a_waiver(void **state)
{
    (void)state;
    store(MAILBOX_SPILL, 1, "a/1 b/2");
    waive("a/1", 1, 1);
    assert_left(1, 1);
    waive("b/2", 1, 1);
    assert_left(1, 0);
    assert_int_equal(counters[LOGIC_CONFIRMED], 0);
    waive("b/2", 1, 1); /* a message that nobody is owed is left alone */
    assert_left(1, 0);
    confirm("c/3", 1, 1);
    assert_left(0, 0);
}

static void a_token_is_matched_as_a_whole(void **state)
{
    (void)state;
    store(MAILBOX_SPILL, 1, "a/1");
    store(MAILBOX_SPILL, 1, "a/12");
    store(MAILBOX_SPILL, 1, "aa/1");
    confirm("/1", 1, 1);
    confirm("a/1", 1, 1);
    assert_left(1, 1);
    fetch(0, "a/1");
    assert_int_equal(got.n, 0);
    waive("12 a/ aa", 1, 1);
    confirm("aa/1", 1, 1);
    assert_left(1, 1);
    confirm("a/12", 1, 1);
    assert_left(0, 0);
}

static void telling_to_whom_a_settled_one_is_owed(void **state)
{
    (void)state;
    store(MAILBOX_SETTLE, 1, NULL);
    store(MAILBOX_OWE, 1, "a/1 b/2");
    assert_left(1, 1);
    assert_int_equal(counters[LOGIC_STORED_AGAIN], 0);
    confirm("a/1", 1, 1);
    confirm("b/2", 1, 1);
    assert_left(0, 0);
    /* The session that was connecting has had it meanwhile. */
    store(MAILBOX_OWE_IF_THERE, 1, "a/1");
    assert_left(0, 0);
    assert_int_equal(counters[LOGIC_STORED_SETTLE], 1);
    store(MAILBOX_OWE, 1, "a/1 b/2");
    assert_left(1, 1);
    assert_int_equal(counters[LOGIC_STORED_SETTLE], 2);
    store(MAILBOX_OWE_IF_THERE, 1, "c/3");
    waive("a/1 b/2", 1, 1);
    fetch(0, "c/3");
    assert_int_equal(got.n, 1);
}

static void others_messages_are_left_out(void **state)
{
    (void)state;
    for (uint64_t number = 1; number <= 4; number++)
        store(MAILBOX_SPILL, number, "b/2");
    store(MAILBOX_SPILL, 5, "b/2 a/1");
    store(MAILBOX_SETTLE, 10, NULL);
    fetch(0, "a/1");
    assert_int_equal(got.n, 0);
    assert_true(got.more &&
                got.last == 4); /* a page of no more than the limit, and where it ends */
    fetch(4, "a/1");
    assert_int_equal(got.n, 2);
    assert_true(got.ids[0] == 5 && got.ids[1] == 10 && !got.more);
    fetch(0, NULL);
    assert_int_equal(got.n, PAGE);
    assert_true(got.more && got.last == 0);
}

static void fields_leave_with_their_messages(void **state)
{
    (void)state;
    for (uint64_t number = 1; number <= LIMIT_SPILLED + 3; number++)
        store(MAILBOX_SPILL, number, "a/1");
    assert_left(LIMIT_SPILLED, LIMIT_SPILLED); /* trimmed */
    assert_int_equal(counters[LOGIC_TRIMMED], 3);
    memset(&got, 0, sizeof got);
    mailbox_confirm_upto(&logic, UID, id_of(9), on_done, NULL);
    wait_for(1);
    assert_left(2, 2);
    memset(&got, 0, sizeof got);
    mailbox_confirm_upto(&logic, UID, id_of(10), on_done, NULL);
    wait_for(1);
    assert_left(1, 1);
    base -= (uint64_t)config.mailbox_ttl_ms << 22; /* of long ago */
    store(MAILBOX_SPILL, 1, "a/1");
    assert_left(2, 2);
    fetch(0, NULL);
    assert_int_equal(got.n, 1);
    while (counters[LOGIC_EXPIRED] == 0)
        uv_run(&loop.uv, UV_RUN_ONCE);
    assert_left(1, 1);
    assert_true(redis_server_do(&server, "PTTL imc:mb:42:owed") > 0);
}

/* mailbox.limit is for those who are away: whoever stores does not know yet. */
static void storing_keeps_what_a_user_who_is_there_may_have(void **state)
{
    (void)state;
    for (uint64_t number = 1; number <= LIMIT_SPILLED; number++)
        store(MAILBOX_SETTLE, number, NULL);
    assert_left(LIMIT_SPILLED, 0);
    assert_int_equal(counters[LOGIC_TRIMMED], 0);
    store(MAILBOX_SETTLE, 10, NULL);
    assert_left(LIMIT_SPILLED, 0);
    assert_int_equal(counters[LOGIC_TRIMMED], 1);
}

/* What is newer may have come when the user was back; also if it is of the same millisecond. */
static void trimming_counts_the_message_and_what_is_older(void **state)
{
    (void)state;
    for (uint64_t number = 1; number <= LIMIT + 3; number++)
        store(MAILBOX_SETTLE, number, NULL);
    trim(LIMIT);
    assert_left(LIMIT + 3, 0);
    trim(LIMIT + 1);
    assert_left(LIMIT + 2, 0);
    trim(1); /* has left */
    assert_left(LIMIT + 2, 0);
    trim(LIMIT + 3);
    assert_left(LIMIT, 0);
    assert_int_equal(counters[LOGIC_TRIMMED], 3);
    fetch(0, NULL);
    assert_true(got.ids[0] == 4);
}

static uint64_t kept_upto;

static void on_kept(struct logic *told, int64_t uid, uint64_t upto)
{
    assert_ptr_equal(told, &logic);
    assert_int_equal(uid, UID);
    kept_upto = upto;
}

static void trimming_leaves_what_sessions_are_owed(void **state)
{
    (void)state;
    kept_upto = 0;
    logic.mailbox_kept = on_kept;
    store(MAILBOX_SPILL, 1, "a/1");
    for (uint64_t number = 2; number <= LIMIT; number++)
        store(MAILBOX_SETTLE, number, NULL);
    trim(LIMIT);
    assert_int_equal(kept_upto, 0); /* they are not more than the limit */
    for (uint64_t number = LIMIT + 1; number <= LIMIT_SPILLED; number++)
        store(MAILBOX_SETTLE, number, NULL);
    trim(LIMIT_SPILLED);
    assert_int_equal(kept_upto, id_of(LIMIT_SPILLED));
    logic.mailbox_kept = NULL;
    assert_left(LIMIT_SPILLED, 1);
    store(MAILBOX_SETTLE, 10, NULL); /* takes the oldest, and its field */
    assert_left(LIMIT_SPILLED, 0);
    trim(10);
    assert_left(LIMIT, 0);
}

static void what_is_owed_to_nobody_any_more_can_be_trimmed(void **state)
{
    (void)state;
    for (uint64_t number = 1; number <= LIMIT_SPILLED; number++)
        store(MAILBOX_SPILL, number, "a/1 b/2");
    memset(&got, 0, sizeof got);
    mailbox_forget(&logic, UID, id_of(LIMIT_SPILLED - 1), on_done, NULL);
    wait_for(1);
    assert_int_equal(got.err, 0);
    assert_left(LIMIT_SPILLED, 1); /* the newest is owed yet */
    memset(&got, 0, sizeof got);
    mailbox_forget(&logic, UID, id_of(LIMIT_SPILLED), on_done, NULL);
    wait_for(1);
    assert_left(LIMIT_SPILLED, 0);
    trim(LIMIT_SPILLED);
    assert_left(LIMIT, 0);
}

static void a_hash_without_its_mailbox_is_swept(void **state)
{
    (void)state;
    store(MAILBOX_SPILL, 1, "a/1");
    store(MAILBOX_SPILL, 2, "a/1");
    redis_server_do(&server, "DEL imc:mb:42");
    store(MAILBOX_SPILL, 3, "a/1");
    assert_left(1, 1);
}

static void a_refusal_is_an_error(void **state)
{
    struct mailbox_debts debts = debts_of("a/1", 1, 1);
    struct mailbox_put put = {
        .by = MAILBOX_OWE, .uid = UID, .message = {.id = id_of(1), .op = 5}, .owed = "a/1"};

    (void)state;
    store(MAILBOX_SETTLE, 1, NULL);
    redis_server_do(&server, "SET imc:mb:42:owed x");
    memset(&got, 0, sizeof got);
    mailbox_store(&logic, &put, on_done, NULL);
    wait_for(1);
    assert_int_equal(got.err, -EAGAIN);
    mailbox_confirm(&logic, &debts, on_confirmed, NULL);
    wait_for(2);
    assert_int_equal(got.err, -EAGAIN);
    mailbox_waive(&logic, &debts, on_done, NULL);
    wait_for(3);
    assert_int_equal(got.err, -EAGAIN);
    assert_int_equal(waiting(), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(without_sessions_nothing_is_beside_the_mailbox, clear),
        cmocka_unit_test_setup(each_session_confirms_for_itself, clear),
        cmocka_unit_test_setup(what_was_taken_in_the_place_of_others_is_told, clear),
        cmocka_unit_test_setup(what_nobody_has_had_survives_a_waiver, clear),
        cmocka_unit_test_setup(a_token_is_matched_as_a_whole, clear),
        cmocka_unit_test_setup(telling_to_whom_a_settled_one_is_owed, clear),
        cmocka_unit_test_setup(others_messages_are_left_out, clear),
        cmocka_unit_test_setup(fields_leave_with_their_messages, clear),
        cmocka_unit_test_setup(storing_keeps_what_a_user_who_is_there_may_have, clear),
        cmocka_unit_test_setup(trimming_counts_the_message_and_what_is_older, clear),
        cmocka_unit_test_setup(trimming_leaves_what_sessions_are_owed, clear),
        cmocka_unit_test_setup(what_is_owed_to_nobody_any_more_can_be_trimmed, clear),
        cmocka_unit_test_setup(a_hash_without_its_mailbox_is_swept, clear),
        cmocka_unit_test_setup(a_refusal_is_an_error, clear),
    };
    return cmocka_run_group_tests(tests, open_all, close_all);
}
