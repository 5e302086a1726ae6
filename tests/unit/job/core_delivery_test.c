/* What a comet takes, also when streams break, comets die and users move. */
#include "tests/unit/job/core_fixture.h"

/* --- comets take --- */

static void message_reaches_its_session(void **state)
{
    (void)state;
    push(7, "0:1");
    assert_int_equal(position(), 0);
    wait_for(position() == 1);
    assert_string_equal(comet_saw(0), "u7@0:1 ");
    assert_string_equal(comet_saw(1), "");
    assert_int_equal(counter(JOB_DELIVERED_UID), 1);
    assert_int_equal(windows_unresolved(&bench.job.windows), 0);
    assert_int_equal(bench.job.windows.delivering.bytes + bench.job.windows.storing.bytes, 0);
}

static void several_sessions_one_item_per_comet(void **state)
{
    (void)state;
    fake_comet_tell(bench.comets[1], FAKE_TAKEN, true);
    push(7, "1:4,0:2,0:1");
    wait_for(comet_has_seen(0, "u7@0:1,2 ") && comet_has_seen(1, "u7@0:4 "));
    turn_for(50);
    assert_int_equal(position(), 0); /* comet-1 has not answered */
    fake_comet_tell(bench.comets[1], FAKE_TAKEN, false);
    fake_comet_break(bench.comets[1]);
    wait_for(position() == 1);
    assert_int_equal(counter(JOB_RESENT), 1);
}

static void gone_on_one_comet_taken_on_the_other_is_done(void **state)
{
    (void)state;
    fake_comet_tell(bench.comets[0], FAKE_GONE, false);
    push(7, "0:1,1:2");
    wait_for(position() == 1);
    assert_string_equal(logic_saw(0), "");
    assert_int_equal(counter(JOB_DELIVERED_UID), 1);
}

static void rooms_and_broadcasts_go_to_every_comet_in_order(void **state)
{
    (void)state;
    push_room(IMC__V1__PUSH_MSG__TYPE__ROOM, "lobby", 0);
    push_room(IMC__V1__PUSH_MSG__TYPE__BROADCAST, "", 20);
    push_room(IMC__V1__PUSH_MSG__TYPE__ROOM, "lobby", 0);
    wait_for(position() == 3);
    assert_string_equal(comet_saw(0), "r:lobby@0 a@1/10 r:lobby@2 ");
    assert_string_equal(comet_saw(1), "r:lobby@0 a@1/10 r:lobby@2 ");
    assert_int_equal(counter(JOB_DELIVERED_ROOM), 2);
    assert_int_equal(counter(JOB_DELIVERED_ALL), 1);
    members_are(0, 1);
    push_room(IMC__V1__PUSH_MSG__TYPE__ROOM, "lobby", 0);
    assert_int_equal(position(), 4);
}

static void room_is_done_where_the_comet_died(void **state)
{
    (void)state;
    fake_comet_tell(bench.comets[1], FAKE_TAKEN, true);
    push_room(IMC__V1__PUSH_MSG__TYPE__ROOM, "lobby", 0);
    wait_for(comet_has_seen(1, "r:lobby@0"));
    turn_for(30);
    assert_int_equal(position(), 0);
    members_are(1, 1);
    assert_int_equal(position(), 1);
}

/* --- streams break, comets die --- */

static void broken_stream_is_resent_in_order_before_newer(void **state)
{
    (void)state;
    fake_comet_tell(bench.comets[0], FAKE_TAKEN, true);
    push(1, "0:1");
    wait_for(comet_has_seen(0, "u1@0:1"));
    push(2, "0:2");
    wait_for(comet_has_seen(0, "u2@1:2"));
    comet_saw(0);
    fake_comet_tell(bench.comets[0], FAKE_TAKEN, false);
    fake_comet_break(bench.comets[0]);
    wait_for(bench.comets[0]->streams >= 2 || counter(JOB_RESENT) == 2);
    push(3, "0:3");
    wait_for(position() == 3);
    assert_string_equal(comet_saw(0), "u1@0:1 u2@1:2 u3@2:3 ");
    assert_int_equal(counter(JOB_RESENT), 2);
    assert_string_equal(logic_saw(0), "");
}

static void dead_comet_leaves_its_messages_to_the_mailbox(void **state)
{
    (void)state;
    fake_comet_tell(bench.comets[0], FAKE_TAKEN, true);
    for (int i = 0; i < 40; i++)
        push(7, "0:1");
    wait_for(comet_has_seen(0, "u7@20:1"));
    members_are(2, 1);
    wait_for(position() == 40);
    logic_saw(0);
    assert_int_equal(strncmp(seen, "7/100 7/101 7/102 7/103 ", 24), 0);
    assert_int_equal(counter(JOB_SETTLED), 40);
}

static void new_life_of_a_comet_does_not_get_the_old_ones_messages(void **state)
{
    (void)state;
    fake_comet_tell(bench.comets[0], FAKE_TAKEN, true);
    push(7, "0:1");
    wait_for(comet_has_seen(0, "u7@0:1"));
    fake_comet_tell(bench.comets[0], FAKE_TAKEN, false);
    bench.comet_members[0].epoch = 101;
    members_are(3, 1);
    push_epoch(8, "0:1", 101);
    wait_for(position() == 2);
    assert_string_equal(logic_saw(0), "7/100 ");
    assert_string_equal(comet_saw(0), "u7@0:1 u8@1:1 ");
}

static void late_results_end_pending_items(void **state)
{
    (void)state;
    fake_comet_tell(bench.comets[0], FAKE_PENDING, false);
    push(7, "0:1");
    push(8, "0:2");
    wait_for(comet_has_seen(0, "u8@1:2"));
    turn_for(50);
    assert_int_equal(position(), 0);
    uint64_t seq = fake_comet_seq(bench.comets[0]);
    fake_comet_late(bench.comets[0], seq, 1, FAKE_GONE);
    wait_for(logic_has_seen(0, "8/101"));
    assert_int_equal(position(), 0);
    fake_comet_late(bench.comets[0], seq, 0, FAKE_TAKEN);
    wait_for(position() == 2);
    assert_int_equal(counter(JOB_LATE), 2);
    fake_comet_late(bench.comets[0], seq, 0, FAKE_TAKEN); /* again: of nothing */
    fake_comet_late(bench.comets[0], 12345, 0, FAKE_TAKEN);
    wait_for(counter(JOB_MALFORMED_ANSWER) == 2);
}

static void pending_items_of_a_broken_stream_are_resent_first(void **state)
{
    (void)state;
    fake_comet_tell(bench.comets[0], FAKE_PENDING, false);
    push(1, "0:1");
    wait_for(comet_has_seen(0, "u1@0:1"));
    turn_for(20); /* the answer is in: only its result is owed */
    fake_comet_tell(bench.comets[0], FAKE_TAKEN, true);
    push(2, "0:2");
    wait_for(comet_has_seen(0, "u2@1:2"));
    comet_saw(0);
    fake_comet_tell(bench.comets[0], FAKE_TAKEN, false);
    fake_comet_break(bench.comets[0]);
    wait_for(position() == 2);
    assert_string_equal(comet_saw(0), "u1@0:1 u2@1:2 ");
}

/* --- order --- */

static void moved_user_gets_the_new_message_after_the_old(void **state)
{
    (void)state;
    fake_comet_tell(bench.comets[0], FAKE_GONE, true);
    fake_logic_tell(bench.logics[0], "", "comet-1", 100);
    push(7, "0:1");
    push(7, "1:2");
    push(8, "1:3"); /* another user does not wait */
    wait_for(comet_has_seen(1, "u8@2:3"));
    wait_for(comet_has_seen(0, "u7@0:1"));
    assert_false(comet_has_seen(1, "u7"));
    fake_comet_tell(bench.comets[0], FAKE_GONE, false);
    fake_comet_break(bench.comets[0]);
    wait_for(position() == 3);
    assert_string_equal(comet_saw(1), "u8@2:3 p7#100:77 u7@1:2 ");
    assert_int_equal(counter(JOB_HELD), 1);
}

static void gone_session_sends_the_whole_run_to_settle(void **state)
{
    (void)state;
    bench.comets[0]->gone_from = 2;
    for (int i = 0; i < 6; i++)
        push(7, "0:1");
    wait_for(position() == 6);
    assert_string_equal(logic_saw(0), "7/102 7/103 7/104 7/105 ");
    assert_int_equal(counter(JOB_DELIVERED_UID), 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        core_test(message_reaches_its_session),
        core_test(several_sessions_one_item_per_comet),
        core_test(gone_on_one_comet_taken_on_the_other_is_done),
        core_test(rooms_and_broadcasts_go_to_every_comet_in_order),
        core_test(room_is_done_where_the_comet_died),
        core_test(broken_stream_is_resent_in_order_before_newer),
        core_test(dead_comet_leaves_its_messages_to_the_mailbox),
        core_test(new_life_of_a_comet_does_not_get_the_old_ones_messages),
        core_test(late_results_end_pending_items),
        core_test(pending_items_of_a_broken_stream_are_resent_first),
        core_test(moved_user_gets_the_new_message_after_the_old),
        core_test(gone_session_sends_the_whole_run_to_settle),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
