/* Messages that are put off while the mailbox takes too few, and read again from the bus. */
#include "tests/unit/job/core_fixture.h"

/* --- messages --- */

/* As job/kafka/reread.c does with the messages from FIRST to LAST, of a log that has none between
 * FROM and FIRST. */
static void read_again_from(int64_t from, int64_t first, int64_t last)
{
    for (int64_t offset = first; offset <= last; offset++) {
        dispatch_again(&bench.partition, from, offset, bus[offset].bytes, bus[offset].len);
        from = offset + 1;
    }
}

static void read_again(int64_t first, int64_t last)
{
    read_again_from(first, first, last);
}

/* --- put off --- */

/* A window for two that are away, and nothing can be stored. */
static void storing_stands_still(void)
{
    bench.config.settle_window = 3;
    fake_logic_tell(bench.logics[0], "FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF", "",
                    0);
}

static void who_is_online_is_served_while_nothing_can_be_stored(void **state)
{
    (void)state;
    bench.config.window = 4;
    storing_stands_still();
    for (int i = 0; i < 20; i++)
        push(100 + i, AWAY);
    assert_true(partition_wants(&bench.partition));
    assert_int_equal(bench.job.windows.parked, 18);
    assert_int_equal(bench.job.windows.storing.count, 2);
    push(7, "0:1");
    push_room(IMC__V1__PUSH_MSG__TYPE__ROOM, "lobby", 0);
    wait_for(comet_has_seen(0, "u7@20:1") && comet_has_seen(0, "lobby"));
    wait_for(bench.job.windows.delivering.count == 0);
    assert_int_equal(position(), 0);
    assert_int_equal(counter(JOB_PARKED_ALL), 18);
    assert_int_equal(counter(JOB_DELIVERED_UID), 1);
}

/* Whoever is put off stays behind his own messages, and finds his new sessions afterwards. */
static void parked_user_who_comes_online_gets_all_in_order(void **state)
{
    (void)state;
    storing_stands_still();
    push(1, AWAY);
    push(2, AWAY);
    push(7, AWAY);
    push(7, "0:1"); /* has come online: not before the former */
    push(8, "0:2");
    wait_for(comet_has_seen(0, "u8@4:2"));
    assert_int_equal(bench.job.windows.parked, 2);
    fake_logic_tell(bench.logics[0], "", "", 0);
    wait_for(windows_unresolved(&bench.job.windows) == 0);
    assert_int_equal(position(), 2);
    (void)logic_saw(0);
    fake_logic_tell(bench.logics[0], "", "comet-0", 100);
    read_again(0, 4);
    assert_int_equal(bench.job.windows.parked, 0);
    wait_for(position() == 5);
    assert_string_equal(comet_saw(0), "u8@4:2 p7#102:77 u7@3:1 ");
    /* Comets tell what repeats, and who may speak, by that. */
    assert_int_equal(bench.comets[0]->partitions, 1 << bench.partition.id);
}

static void messages_meant_for_sessions_keep_a_share(void **state)
{
    (void)state;
    storing_stands_still();
    fake_comet_tell(bench.comets[0], FAKE_GONE, false);
    for (int i = 0; i < 6; i++)
        push(100 + i, AWAY);  /* two of them fill what they may */
    push_epoch(1, "0:1", 99); /* its comet has restarted */
    assert_int_equal(bench.job.windows.storing.count, 3);
    push_epoch(2, "0:1", 99);
    assert_int_equal(bench.job.windows.storing.count, 3);
    push(3, "0:1"); /* what was sent and is gone is kept in any case */
    wait_for(bench.job.windows.storing.count == 4);
    assert_int_equal(bench.job.windows.parked, 5);
    assert_int_equal(bench.job.windows.delivering.count, 0);
}

/* No router had an answer in time: he is perhaps there, and does not wait behind those who are not.
 */
static void whereabouts_unknown_is_not_put_off_behind_those_who_are_away(void **state)
{
    (void)state;
    bench.config.settle_window = 8;
    fake_logic_tell(bench.logics[0], "FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF", "", 0);
    for (int i = 0; i < 20; i++)
        push(100 + i, AWAY); /* six of them fill what they may */
    assert_int_equal(bench.job.windows.parked, 14);
    push(7, "");
    assert_int_equal(bench.job.windows.storing.count, 7);
    push(8, ""); /* the last place is for those who are known to be there */
    assert_int_equal(bench.job.windows.parked, 15);
    push_epoch(9, "0:1", 99);
    assert_int_equal(bench.job.windows.storing.count, 8);
    fake_logic_tell(bench.logics[0], "", "comet-0", 100);
    wait_for(comet_has_seen(0, "p7#120"));
    wait_for(windows_unresolved(&bench.job.windows) == 0);
}

static void who_may_be_there_is_settled_before_those_who_are_away(void **state)
{
    (void)state;
    bench.config.logic_items = 4;
    bench.config.logic_window = 1;
    for (int i = 0; i < 8; i++)
        push(100 + i, AWAY);
    push(103, ""); /* his first is among those who are away: after that one */
    push(7, "");
    push_epoch(8, "0:1", 99);
    push(9, "");
    push(10, "");
    wait_for(position() == 13);
    /* A quarter of each batch is left to those who are away. */
    assert_string_equal(logic_saw(0), "7/109 8/110 9/111 100/100 10/112 101/101 102/102 103/103 "
                                      "104/104 105/105 106/106 107/107 103/108 ");
}

static void parked_messages_are_wanted_again_when_half_the_window_is_free(void **state)
{
    (void)state;
    bench.config.settle_window = 8;
    bench.job.windows.events = &windows_events;
    agains = 0;
    fake_logic_tell(bench.logics[0], "FFFFFFFF", "", 0);
    for (int i = 0; i < 20; i++)
        push(100 + i, AWAY);
    assert_int_equal(bench.job.windows.parked, 14);
    assert_false(windows_may_return(&bench.job.windows, 0));
    assert_int_equal(agains, 0);
    wait_for(bench.job.windows.storing.count < 4);
    assert_int_equal(agains, 1);
    assert_true(windows_may_return(&bench.job.windows, 0));
    read_again(0, 19);
    wait_for(position() == 20);
    assert_int_equal(counter(JOB_SETTLED), 20);
}

static void too_many_parked_stop_reading(void **state)
{
    (void)state;
    bench.config.settle_parked = 10;
    storing_stands_still();
    for (int i = 0; i < 11; i++)
        push(100 + i, "");
    assert_true(partition_wants(&bench.partition));
    push(200, "");
    assert_int_equal(bench.job.windows.parked, 10);
    assert_false(partition_wants(&bench.partition));
    partition_forget(&bench.partition);
    assert_true(partition_wants(&bench.partition));
}

static void what_is_unread_counts_while_something_is_parked(void **state)
{
    (void)state;
    storing_stands_still();
    push(1, "");
    push(2, "");
    assert_int_equal(partition_span_permille(&bench.partition, 100000), 0);
    push(3, "");
    assert_int_equal(partition_span_permille(&bench.partition, 100000), 500);
    assert_int_equal(partition_span_permille(&bench.partition, 0), 0);
}

static void forgotten_partition_forgets_what_is_parked(void **state)
{
    (void)state;
    storing_stands_still();
    push(1, "");
    push(2, "");
    push(7, "");
    push(7, "0:1");
    assert_int_equal(bench.job.windows.parked, 2);
    partition_forget(&bench.partition);
    assert_int_equal(position(), 0);
    assert_int_equal(bench.job.windows.parked + windows_unresolved(&bench.job.windows), 0);
    push(7, "0:1"); /* nothing is before it any more */
    wait_for(comet_has_seen(0, "u7@4:1"));
}

static void what_the_bus_has_lost_is_counted_and_holds_nobody_up(void **state)
{
    (void)state;
    storing_stands_still();
    push(1, "");
    push(2, "");
    for (int i = 0; i < 4; i++)
        push(7, "");
    fake_logic_tell(bench.logics[0], "", "", 0);
    wait_for(position() == 2);
    bus[4] = bus[1];          /* another one in its place */
    read_again_from(2, 3, 4); /* 2 is not there any more */
    assert_int_equal(counter(JOB_PARKED_LOST), 2);
    assert_int_equal(bench.job.windows.parked, 1);
    read_again(5, 5);
    wait_for(position() == 6);
}

static void what_is_parked_in_a_log_that_is_no_more_is_lost(void **state)
{
    (void)state;
    storing_stands_still();
    push(1, "");
    push(2, "");
    push(7, "");
    push(8, "");
    partition_restart(&bench.partition);
    assert_int_equal(counter(JOB_PARKED_LOST), 2);
    assert_int_equal(bench.job.windows.parked, 0);
    bench.offset = 0;
    push(7, "0:1"); /* nothing is before it any more */
    wait_for(comet_has_seen(0, "u7@0:1"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        core_test(who_is_online_is_served_while_nothing_can_be_stored),
        core_test(parked_user_who_comes_online_gets_all_in_order),
        core_test(messages_meant_for_sessions_keep_a_share),
        core_test(whereabouts_unknown_is_not_put_off_behind_those_who_are_away),
        core_test(who_may_be_there_is_settled_before_those_who_are_away),
        core_test(parked_messages_are_wanted_again_when_half_the_window_is_free),
        core_test(too_many_parked_stop_reading),
        core_test(what_is_unread_counts_while_something_is_parked),
        core_test(forgotten_partition_forgets_what_is_parked),
        core_test(what_the_bus_has_lost_is_counted_and_holds_nobody_up),
        core_test(what_is_parked_in_a_log_that_is_no_more_is_lost),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
