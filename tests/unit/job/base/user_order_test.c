/* The messages of one user, one situation each. */
#include "tests/unit/job/base/user_order_fixture.h"

#define did(text)                        \
    do {                                 \
        assert_string_equal(done, text); \
        done[0] = '\0';                  \
    } while (0)

static void add(int i, uint64_t target)
{
    m[i].target = target;
    assert_true(user_order_add(hold, &m[i].entry, 4711));
}

static void park(int i, uint64_t target)
{
    m[i].target = target;
    assert_false(user_order_add(hold, &m[i].entry, 4711));
    assert_int_equal(m[i].entry.state, ORDER_NONE);
}

static void back(int i)
{
    user_order_return(hold, &m[i].entry, 4711);
}

static void finish(int i)
{
    user_order_remove(hold, &m[i].entry);
}

static void gone(int i)
{
    user_order_settle(hold, &m[i].entry);
}

static void stored(int i)
{
    user_order_stored(hold, &m[i].entry);
}

static void same_sessions_need_no_waiting(void **state)
{
    (void)state;
    add(0, A);
    add(1, A);
    add(2, A);
    did(">0 >1 >2 ");
    finish(1);
    finish(0);
    finish(2);
    did("");
}

static void moved_user_waits_for_the_former_messages(void **state)
{
    (void)state;
    add(0, A);
    add(1, A);
    add(2, B);
    add(3, A); /* not past 2 */
    did(">0 >1 ");
    finish(1);
    did("");
    finish(0);
    did(">2 ");
    finish(2);
    did(">3 ");
    finish(3);
}

static void nowhere_messages_settle_together_in_order(void **state)
{
    (void)state;
    add(0, NOWHERE);
    did("s0 ");
    add(1, NOWHERE);
    add(2, NOWHERE);
    did("");
    stored(0);
    did("s1 s2 ");
    add(3, A);
    did("");
    finish(0);
    finish(2);
    did("");
    finish(1);
    did(">3 ");
    add(4, NOWHERE);
    did("");
    finish(3);
    did("s4 ");
    finish(4);
}

static void gone_messages_settle_together_in_order(void **state)
{
    (void)state;
    add(0, A);
    add(1, A);
    add(2, A);
    add(3, B);
    did(">0 >1 >2 ");
    gone(0);
    did("s0 ");
    gone(1);
    gone(2);
    did("");
    finish(0);
    did("s1 s2 ");
    finish(1);
    did("");
    finish(2);
    did(">3 ");
    finish(3);
}

static void later_message_gone_first_waits_for_the_earlier(void **state)
{
    (void)state;
    add(0, A);
    add(1, A);
    add(2, A);
    gone(2);
    gone(1);
    did(">0 >1 >2 ");
    add(3, A); /* would overtake 1 and 2 */
    did("");
    finish(0);
    did("s1 s2 ");
    finish(1);
    finish(2);
    did(">3 ");
    finish(3);
}

static void earlier_message_gone_while_a_later_one_is_out(void **state)
{
    (void)state;
    add(0, A);
    add(1, A);
    add(2, A);
    gone(1);
    did(">0 >1 >2 ");
    gone(0);
    did("s0 s1 ");
    finish(2); /* taken after all */
    add(3, A);
    finish(0);
    did("");
    finish(1);
    did(">3 ");
    finish(3);
}

static void nothing_is_settled_past_one_that_is_tried_again(void **state)
{
    (void)state;
    add(0, A);
    add(1, A);
    add(2, A);
    gone(2);
    gone(1);
    gone(0);
    did(">0 >1 >2 s0 s1 s2 ");
    add(3, NOWHERE);
    stored(0);
    finish(0);
    stored(2); /* of the same run, which is in order by itself */
    did("");
    finish(2);
    did("");
    stored(1);
    did("s3 ");
    finish(1);
    finish(3);
}

static void held_message_aims_anew_when_its_turn_comes(void **state)
{
    (void)state;
    add(0, A);
    add(1, B);
    add(2, B);
    m[1].target = m[2].target = NOWHERE; /* their comet died meanwhile */
    did(">0 ");
    finish(0);
    did("s1 s2 ");
    finish(1);
    finish(2);
}

static void nowhere_behind_sent_may_yet_find_its_comet(void **state)
{
    (void)state;
    add(0, A);
    add(1, NOWHERE);
    did(">0 ");
    m[1].target = B; /* a comet that the list did not have yet */
    finish(0);
    did(">1 ");
    finish(1);
}

static void without_room_only_what_needs_the_mailbox_is_parked(void **state)
{
    (void)state;
    room = false;
    add(0, A);
    add(1, NOWHERE); /* waits for a comet first */
    did(">0 ");
    gone(0); /* has been out: not parked any more */
    did("s0 s1 ");
    assert_int_equal(m[0].stalls, 1);
    assert_int_equal(m[1].stalls, 1);
    park(2, A);
    finish(0);
    finish(1);
    did("");
    park(3, A); /* nothing passes those that are parked */
    room = true;
    park(4, A);
    back(2);
    back(3);
    did(">2 >3 ");
    park(5, A);
    back(4);
    did(">4 ");
    user_order_unpark(hold, 4711);
    add(6, A);
    did(">6 ");
    for (int i = 2; i < 7; i++) {
        if (i != 5)
            finish(i);
    }
    assert_int_equal(m[6].stalls, 0);
}

static void parked_ones_settle_behind_each_other(void **state)
{
    (void)state;
    room = false;
    for (int i = 0; i < 4; i++)
        park(i, NOWHERE);
    room = true;
    back(0);
    back(1);
    did("s0 ");
    assert_int_equal(m[1].stalls, 1);
    stored(0);
    did("s1 ");
    m[2].target = A; /* its session is there again */
    back(2);
    did("");
    finish(0);
    stored(1);
    finish(1);
    did(">2 ");
    back(3);
    did("");
    finish(2);
    did("s3 ");
    finish(3);
}

static void what_waits_behind_a_sent_message_stalls_when_that_is_gone(void **state)
{
    (void)state;
    add(0, A);
    add(1, B);
    add(2, B);
    assert_int_equal(m[1].stalls + m[2].stalls, 0);
    gone(0);
    did(">0 s0 ");
    for (int i = 0; i < 3; i++)
        assert_int_equal(m[i].stalls, 1);
    add(3, B);
    assert_int_equal(m[3].stalls, 1);
    finish(0);
    did(">1 >2 >3 ");
    finish(1);
    finish(2);
    finish(3);
}

static void forgetting_newest_first_moves_nothing(void **state)
{
    (void)state;
    add(0, A);
    add(1, B);
    add(2, NOWHERE);
    add(3, A);
    did(">0 ");
    finish(3);
    finish(2);
    finish(1);
    finish(0);
    did("");
}

static void users_do_not_wait_for_each_other(void **state)
{
    (void)state;
    m[0].target = A;
    m[1].target = B;
    user_order_add(hold, &m[0].entry, 1);
    user_order_add(hold, &m[1].entry, -1);
    did(">0 >1 ");
    assert_int_equal(user_order_users(hold), 2);
    finish(0);
    finish(1);
}

/* --- at random: the invariants of docs/job.md on every step --- */

static void divert(int i, uint64_t target)
{
    m[i].target = target;
    user_order_divert(hold, &m[i].entry, target == NOWHERE);
}

static void what_cannot_be_stored_is_diverted_in_order(void **state)
{
    (void)state;
    add(0, NOWHERE);
    add(1, NOWHERE);
    add(2, NOWHERE);
    stored(0);
    finish(0);
    add(3, A);
    did("s0 s1 s2 ");
    divert(1, A);
    did(">1 "); /* 2 is still being settled, and 3 is behind it */
    divert(2, A);
    did(">2 >3 ");
    finish(1);
    finish(2);
    finish(3);
}

static void a_diverted_one_that_nobody_takes_is_settled_before_the_rest(void **state)
{
    (void)state;
    add(0, NOWHERE);
    add(1, NOWHERE);
    add(2, NOWHERE);
    stored(0);
    finish(0);
    divert(1, A);
    did("s0 s1 s2 >1 ");
    gone(1);
    did(""); /* 2 is not known to be out of the mailbox yet */
    divert(2, NOWHERE);
    did("s1 s2 ");
    divert(1, NOWHERE);
    did("");
    divert(2, B);
    did("s1 ");
    m[1].target = NOWHERE;
    stored(1);
    did("");
    finish(1);
    did(">2 ");
    finish(2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        hold_test(same_sessions_need_no_waiting),
        hold_test(moved_user_waits_for_the_former_messages),
        hold_test(nowhere_messages_settle_together_in_order),
        hold_test(gone_messages_settle_together_in_order),
        hold_test(what_cannot_be_stored_is_diverted_in_order),
        hold_test(a_diverted_one_that_nobody_takes_is_settled_before_the_rest),
        hold_test(later_message_gone_first_waits_for_the_earlier),
        hold_test(earlier_message_gone_while_a_later_one_is_out),
        hold_test(nothing_is_settled_past_one_that_is_tried_again),
        hold_test(held_message_aims_anew_when_its_turn_comes),
        hold_test(nowhere_behind_sent_may_yet_find_its_comet),
        hold_test(without_room_only_what_needs_the_mailbox_is_parked),
        hold_test(parked_ones_settle_behind_each_other),
        hold_test(what_waits_behind_a_sent_message_stalls_when_that_is_gone),
        hold_test(forgetting_newest_first_moves_nothing),
        hold_test(users_do_not_wait_for_each_other),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
