/* Messages that no session takes: they go to the mailbox, by way of a logic. */
#include "tests/unit/job/core_fixture.h"

static void gone_message_is_settled_and_its_new_session_poked(void **state)
{
    (void)state;
    fake_comet_tell(bench.comets[0], FAKE_GONE, false);
    fake_logic_tell(bench.logics[0], "", "comet-1", 100);
    push(7, "0:1");
    wait_for(position() == 1);
    assert_string_equal(logic_saw(0), "7/100 ");
    assert_string_equal(comet_saw(1), "p7#100:77 ");
    assert_int_equal(counter(JOB_GONE), 1);
    assert_int_equal(counter(JOB_SETTLED), 1);
    assert_int_equal(counter(JOB_POKED), 1);
}

/* Of several sessions one acknowledges: each is owed the message, and none is pushed it. */
static void what_is_to_be_stored_first_is_settled_in_spite_of_its_hints(void **state)
{
    (void)state;
    fake_logic_tell(bench.logics[0], "", "comet-1", 100);
    push(7, "0:1");
    bench.store_first = true;
    push(7, "0:1,0:2");
    wait_for(position() == 2);
    assert_string_equal(logic_saw(0), "7/101 ");
    assert_string_equal(comet_saw(0), "u7@0:1 ");
    assert_string_equal(comet_saw(1), "p7#101:77 ");
}

static void logic_is_told_that_the_first_ends_it_for_all(void **state)
{
    (void)state;
    bench.any = true;
    push(7, "");
    wait_for(position() == 1);
    assert_string_equal(logic_saw(0), "7/100any ");
}

static void logic_is_told_which_devices_are_owed_it(void **state)
{
    (void)state;
    fake_comet_tell(bench.comets[0], FAKE_GONE, false);
    bench.device = "phone";
    push(7, "0:1"); /* nobody has acknowledged it */
    wait_for(position() == 1);
    assert_string_equal(logic_saw(0), "7/100/phone ");
    bench.any = true;
    push(7, "0:1");
    wait_for(position() == 2);
    assert_string_equal(logic_saw(0), "7/101any ");
    bench.any = false;
    bench.device = NULL;
    push(7, "0:1"); /* a plain session */
    wait_for(position() == 3);
    assert_string_equal(logic_saw(0), "7/102 ");
}

static void logic_is_told_what_it_replaces(void **state)
{
    (void)state;
    bench.collapse = "score";
    bench.store_first = true;
    push(7, "0:1");
    wait_for(position() == 1);
    assert_string_equal(logic_saw(0), "7/100=score ");
    assert_string_equal(comet_saw(0), "");
}

/* And if it cannot be stored, it is pushed. */
static void what_cannot_be_stored_first_is_diverted(void **state)
{
    (void)state;
    fake_logic_tell(bench.logics[0], "D", "comet-0", 100);
    bench.store_first = true;
    push(7, "0:77");
    wait_for(position() == 1);
    assert_string_equal(comet_saw(0), "u7@0:77 ");
    assert_int_equal(counter(JOB_DIVERTED), 1);
}

static void message_without_usable_hint_is_settled(void **state)
{
    (void)state;
    push(7, "");
    push_epoch(8, "0:1", 99); /* a former life of comet-0 */
    push(9, "5:1");           /* a comet nobody knows */
    wait_for(position() == 3);
    assert_string_equal(logic_saw(0), "7/100 8/101 9/102 ");
    assert_string_equal(comet_saw(0), "");
}

static void unknown_is_settled_again_until_stored(void **state)
{
    (void)state;
    fake_logic_tell(bench.logics[0], "UFU", "comet-0", 100);
    push(7, "");
    wait_for(position() == 1);
    assert_string_equal(logic_saw(0), "7/100 7/100 7/100 7/100 ");
    assert_string_equal(comet_saw(0), "p7#100:77 ");
    assert_int_equal(counter(JOB_SETTLE_UNKNOWN), 2);
    assert_int_equal(counter(JOB_SETTLE_FAILED), 1);
}

static void many_for_an_absent_user_go_in_few_batches_in_order(void **state)
{
    (void)state;
    for (int i = 0; i < 30; i++)
        push(7, "");
    wait_for(position() == 30);
    assert_true(bench.logics[0]->batches <= 4);
    logic_saw(0);
    for (int i = 0; i < 30; i++) {
        char word[16];
        snprintf(word, sizeof word, "7/%d ", 100 + i);
        assert_int_equal(strncmp(seen + 6 * (size_t)i, word, 6), 0);
    }
    assert_int_equal(counter(JOB_HELD), 29); /* until the first is stored, then all together */
}

static void failed_settle_holds_back_the_later_messages(void **state)
{
    (void)state;
    fake_logic_tell(bench.logics[0], "F", "comet-0", 100);
    push(7, "");
    push(7, "");
    wait_for(position() == 2);
    assert_string_equal(logic_saw(0), "7/100 7/100 7/101 ");
    assert_string_equal(comet_saw(0), "p7#100:77 p7#101:77 ");
}

/* The mailbox takes nothing, but the user is online again. */
static void what_cannot_be_stored_goes_to_who_is_there_now(void **state)
{
    (void)state;
    fake_logic_tell(bench.logics[0], "FDD", "comet-0", 100);
    push(7, "");
    push(7, "0:77");
    wait_for(position() == 2);
    assert_string_equal(logic_saw(0), "7/100 7/100 ");
    assert_string_equal(comet_saw(0), "u7@0:77 u7@1:77 ");
    assert_int_equal(counter(JOB_DIVERTED), 1);
    assert_int_equal(counter(JOB_DELIVERED_UID), 2);
    assert_int_equal(counter(JOB_SETTLED), 0);
}

static void a_whole_run_that_cannot_be_stored_is_given_in_order(void **state)
{
    (void)state;
    fake_logic_tell(bench.logics[0], "FDDEFDD", "comet-0", 100);
    for (int i = 0; i < 4; i++)
        push(7, "");
    push(7, "0:77");
    wait_for(position() == 5);
    assert_string_equal(comet_saw(0), "u7@0:77 u7@1:77 u7@2:77 u7@3:77 u7@4:77 ");
    assert_int_equal(counter(JOB_SETTLED), 0);
}

/* The session that is found is gone already: then storing is tried again, and works. */
static void what_nobody_takes_in_the_end_is_stored(void **state)
{
    (void)state;
    fake_logic_tell(bench.logics[0], "DD", "comet-0", 100);
    fake_comet_tell(bench.comets[0], FAKE_GONE, false);
    push(7, "");
    push(7, "");
    wait_for(position() == 2);
    assert_int_equal(counter(JOB_SETTLED), 2);
    assert_int_equal(counter(JOB_DELIVERED_UID), 0);
}

static void failure_within_a_run_keeps_the_order_of_pokes(void **state)
{
    (void)state;
    fake_logic_tell(bench.logics[0], "SFS", "comet-0", 100);
    push(7, "");
    push(7, "");
    push(7, ""); /* stored at once, but settled again after the second */
    wait_for(position() == 3);
    assert_string_equal(comet_saw(0), "p7#100:77 p7#101:77 p7#102:77 ");
    assert_true(counter(JOB_SETTLE_ORDER) >= 1);
}

/* Of a run, that is: what is to be stored while the one before it is not. Logic then stores none of
 * it alone. */
static void each_of_a_run_is_behind_the_one_before_it(void **state)
{
    (void)state;
    char behind[FAKE_TEXT];

    fake_logic_tell(bench.logics[0], "SFE", "", 0);
    push(7, "");
    push(8, "");
    push(7, ""); /* these two wait for the first one */
    push(7, "");
    wait_for(position() == 4);
    assert_string_equal(logic_saw(0), "7/100 8/101 7/102 7/103 8/101 7/102 7/103 ");
    fake_read(&bench.logics[0]->lock, bench.logics[0]->behind, behind, true);
    assert_string_equal(behind, "103<102 103<102 ");
    assert_int_equal(counter(JOB_SETTLE_ORDER), 2);
}

static void stored_for_a_comet_not_known_yet_is_asked_again(void **state)
{
    (void)state;
    members_are(1, 1);
    fake_logic_tell(bench.logics[0], "", "comet-1", 100);
    push(7, "");
    turn_for(100);
    assert_int_equal(position(), 0);
    members_are(3, 1);
    wait_for(position() == 1);
    assert_string_equal(comet_saw(1), "p7#100:77 ");
    assert_int_equal(counter(JOB_UNPOKED), 0);
}

static void stored_for_a_comet_that_never_comes_is_left_in_the_mailbox(void **state)
{
    (void)state;
    fake_logic_tell(bench.logics[0], "", "comet-9", 100);
    push(7, "");
    wait_for(position() == 1);
    assert_int_equal(counter(JOB_UNPOKED), 1);
}

static void former_life_of_a_comet_is_not_poked(void **state)
{
    (void)state;
    fake_logic_tell(bench.logics[0], "", "comet-0", 50);
    push(7, "");
    wait_for(position() == 1);
    assert_string_equal(comet_saw(0), "");
    assert_int_equal(counter(JOB_POKED), 0);
}

static void without_logic_messages_wait_for_one(void **state)
{
    (void)state;
    members_are(3, 0);
    push(7, "");
    turn_for(50);
    assert_int_equal(position(), 0);
    members_are(3, 2);
    wait_for(position() == 1);
    assert_string_equal(logic_saw(1), "7/100 ");
}

static void silent_logic_loses_its_settles_to_another(void **state)
{
    (void)state;
    bench.logics[0]->mute = true;
    push(7, "");
    wait_for(logic_has_seen(0, "7/100"));
    members_are(3, 3);
    wait_for(position() == 1);
    assert_true(logic_has_seen(1, "7/100"));
}

/* Readiness stands on this: a logic's lease outlives it by some seconds. */
static void a_logic_answers_as_long_as_it_takes_reports(void **state)
{
    (void)state;
    members_are(3, 3);
    assert_int_equal(handover_logics_answering(bench.job.handover), 0); /* not asked yet */
    handover_tell(bench.job.handover);
    wait_for(handover_logics_answering(bench.job.handover) == 2);
    bench.logics[0]->mute = true; /* as one that stands still */
    handover_tell(bench.job.handover);
    wait_for(handover_logics_answering(bench.job.handover) == 1);
    bench.logics[0]->mute = false;
    handover_tell(bench.job.handover);
    wait_for(handover_logics_answering(bench.job.handover) == 2);
    members_are(3, 2);
    assert_int_equal(handover_logics_answering(bench.job.handover), 1);
    members_are(3, 0);
    assert_int_equal(handover_logics_answering(bench.job.handover), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        core_test(gone_message_is_settled_and_its_new_session_poked),
        core_test(what_is_to_be_stored_first_is_settled_in_spite_of_its_hints),
        core_test(logic_is_told_which_devices_are_owed_it),
        core_test(logic_is_told_what_it_replaces),
        core_test(logic_is_told_that_the_first_ends_it_for_all),
        core_test(what_cannot_be_stored_first_is_diverted),
        core_test(message_without_usable_hint_is_settled),
        core_test(unknown_is_settled_again_until_stored),
        core_test(many_for_an_absent_user_go_in_few_batches_in_order),
        core_test(failed_settle_holds_back_the_later_messages),
        core_test(what_cannot_be_stored_goes_to_who_is_there_now),
        core_test(a_whole_run_that_cannot_be_stored_is_given_in_order),
        core_test(what_nobody_takes_in_the_end_is_stored),
        core_test(failure_within_a_run_keeps_the_order_of_pokes),
        core_test(each_of_a_run_is_behind_the_one_before_it),
        core_test(stored_for_a_comet_not_known_yet_is_asked_again),
        core_test(stored_for_a_comet_that_never_comes_is_left_in_the_mailbox),
        core_test(former_life_of_a_comet_is_not_poked),
        core_test(without_logic_messages_wait_for_one),
        core_test(silent_logic_loses_its_settles_to_another),
        core_test(a_logic_answers_as_long_as_it_takes_reports),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
