#include "job/base/user_order.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <assert.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A message as the tests see it; what job/base/user_order.h did with it is noted in a line of text.
 */
struct message {
    struct user_order_entry entry;
    uint64_t target; /* 0: nowhere */
    char name;
    int stalls;
};

static char done[256];

static void note(char what, const struct message *message)
{
    size_t len = strlen(done);

    snprintf(done + len, sizeof done - len, "%c%c ", what, message->name);
}

static uint64_t test_aim(const struct user_order_entry *entry, void *arg)
{
    (void)arg;
    return ((const struct message *)(const void *)entry)->target;
}

static void test_send(struct user_order_entry *entry, void *arg)
{
    (void)arg;
    note('>', (struct message *)(void *)entry);
}

static void test_settle(struct user_order_entry *entry, void *arg)
{
    (void)arg;
    note('s', (struct message *)(void *)entry);
}

static bool room;

static bool test_room(const struct user_order_entry *entry, void *arg)
{
    (void)entry;
    (void)arg;
    return room;
}

static void test_stall(struct user_order_entry *entry, void *arg)
{
    (void)arg;
    ((struct message *)(void *)entry)->stalls++;
}

static const struct user_order_ops test_ops = {test_aim, test_send, test_settle, test_room,
                                               test_stall};

enum { A = 1, B = 2, NOWHERE = 0 };

#define did(text)                        \
    do {                                 \
        assert_string_equal(done, text); \
        done[0] = '\0';                  \
    } while (0)

static struct user_order *hold;
static struct message m[8];

static int setup(void **state)
{
    (void)state;
    hold = user_order_open(&test_ops, NULL);
    memset(m, 0, sizeof m);
    for (int i = 0; i < 8; i++)
        m[i].name = (char)('0' + i);
    done[0] = '\0';
    room = true;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    assert_int_equal(user_order_users(hold), 0);
    user_order_close(hold);
    return 0;
}

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

enum { MESSAGES = 400, USERS = 3, ROUNDS = 300, TARGETS = 3 };

struct life {
    struct user_order_entry entry;
    int user, order;
    uint64_t target, sent_to;
    bool stalled;
    enum { NEW, PARKED, SENT, GONE, SETTLED, OVER } stage;
};

static struct life lives[MESSAGES];
static int n_lives;

/* Message LATER is about to be sent: every earlier one of its user that is not over was sent to the
 * same sessions. */
static void check_send(const struct life *later)
{
    for (int i = 0; i < n_lives; i++) {
        const struct life *l = &lives[i];
        if (l->user != later->user || l->order >= later->order || l->stage == OVER)
            continue;
        assert_int_equal(l->stage, SENT);
        assert_int_equal(l->sent_to, later->target);
    }
    /* Nothing newer has gone before it. */
    for (int i = 0; i < n_lives; i++) {
        const struct life *l = &lives[i];
        if (l->user == later->user && l->order > later->order)
            assert_true(l->stage == NEW || l->stage == PARKED);
    }
}

static void check_settle(const struct life *later)
{
    for (int i = 0; i < n_lives; i++) {
        const struct life *l = &lives[i];
        if (l->user == later->user && l->order < later->order && l->stage != OVER)
            assert_int_equal(l->stage, SETTLED);
    }
}

static uint64_t random_aim(const struct user_order_entry *entry, void *arg)
{
    (void)arg;
    return ((const struct life *)(const void *)entry)->target;
}

static void random_send(struct user_order_entry *entry, void *arg)
{
    struct life *life = (struct life *)(void *)entry;

    (void)arg;
    assert_true(life->target != 0 && life->stage == NEW);
    check_send(life);
    life->stage = SENT;
    life->sent_to = life->target;
}

static void random_settle(struct user_order_entry *entry, void *arg)
{
    struct life *life = (struct life *)(void *)entry;

    (void)arg;
    assert_true(life->stage == GONE || (life->stage == NEW && life->target == 0));
    check_settle(life);
    life->stage = SETTLED;
}

/* Room comes and goes. A message that needs none is not parked unless one of its user is. */
static bool random_room(const struct user_order_entry *entry, void *arg)
{
    (void)entry;
    (void)arg;
    return rand() % 2 == 0;
}

static void random_stall(struct user_order_entry *entry, void *arg)
{
    struct life *life = (struct life *)(void *)entry;

    (void)arg;
    assert_false(life->stalled);
    life->stalled = true;
}

static struct life *first_parked(int user)
{
    for (int i = 0; i < n_lives; i++) {
        if (lives[i].user == user && lives[i].stage == PARKED)
            return &lives[i];
    }
    return NULL;
}

/* Only those parked are left to their owner, and whatever waits behind one that is settled is known
 * to wait. */
static void check_parked(void)
{
    for (int user = 0; user < USERS; user++) {
        const struct life *parked = first_parked(user);
        bool settling = false;
        for (int i = 0; i < n_lives; i++) {
            const struct life *l = &lives[i];
            if (l->user != user || l->stage == OVER)
                continue;
            settling |= l->stage == SETTLED;
            if (parked != NULL && l->order > parked->order)
                assert_int_equal(l->stage, PARKED);
            if (l->stage == SETTLED || l->stage == GONE || (settling && l->stage == NEW))
                assert_true(l->stalled);
        }
    }
}

/* What may always move on is not left waiting: the oldest unresolved message of each user is on its
 * way, unless it is parked. */
static void check_oldest_moves(void)
{
    for (int user = 0; user < USERS; user++) {
        const struct life *oldest = NULL;
        for (int i = 0; i < n_lives; i++) {
            if (lives[i].user == user && lives[i].stage != OVER &&
                (oldest == NULL || lives[i].order < oldest->order))
                oldest = &lives[i];
        }
        assert_true(oldest == NULL || oldest->stage == SENT || oldest->stage == SETTLED ||
                    oldest->stage == PARKED);
    }
}

static const struct life *last_of(int user)
{
    const struct life *last = NULL;

    for (int i = 0; i < n_lives; i++) {
        if (lives[i].user == user)
            last = &lives[i];
    }
    return last;
}

static void random_step(struct user_order *random_hold)
{
    int pick = rand() % n_lives;
    struct life *life = &lives[pick];

    switch (life->stage) {
    case SENT:
        if (rand() % 2 == 0) {
            life->stage = GONE;
            user_order_settle(random_hold, &life->entry);
            break;
        }
        life->stage = OVER;
        user_order_remove(random_hold, &life->entry);
        break;
    case SETTLED:
        if (!life->entry.stored && rand() % 2 == 0) {
            user_order_stored(random_hold, &life->entry);
            break;
        }
        life->stage = OVER;
        user_order_remove(random_hold, &life->entry);
        break;
    case PARKED: /* in order, or forgotten newest first */
        if (rand() % 4 > 0) {
            life = first_parked(life->user);
            assert(life != NULL);
            life->stage = NEW;
            user_order_return(random_hold, &life->entry, life->user);
        } else if (life == last_of(life->user)) {
            user_order_unpark(random_hold, life->user);
            life->stage = OVER;
            life->user = USERS; /* as if it had never come */
        }
        break;
    case NEW: /* comets come and go; now and then it is forgotten */
        life->target = (uint64_t)(rand() % (TARGETS + 1));
        break;
    case GONE:
    case OVER:
        break;
    }
}

static void order_holds_whatever_happens(void **state)
{
    (void)state;
    static const struct user_order_ops ops = {random_aim, random_send, random_settle, random_room,
                                              random_stall};

    for (int round = 0; round < ROUNDS; round++) {
        struct user_order *random_hold = user_order_open(&ops, NULL);
        size_t over = 0;
        srand((unsigned)round);
        n_lives = 0;
        memset(lives, 0, sizeof lives);
        while (over < MESSAGES / 8) {
            if (n_lives < MESSAGES / 8 && rand() % 3 == 0) {
                struct life *life = &lives[n_lives];
                life->user = rand() % USERS;
                life->order = n_lives++;
                life->target = rand() % 3 == 0 ? (uint64_t)(rand() % (TARGETS + 1)) : 1;
                if (!user_order_add(random_hold, &life->entry, life->user))
                    life->stage = PARKED;
            } else if (n_lives > 0) {
                random_step(random_hold);
            }
            check_oldest_moves();
            check_parked();
            over = 0;
            for (int i = 0; i < n_lives; i++)
                over += lives[i].stage == OVER;
        }
        assert_int_equal(user_order_users(random_hold), 0);
        user_order_close(random_hold);
    }
}

/* A user with a long queue costs no more per message than one with a short one. */
static void long_queue_of_one_user_is_not_quadratic(void **state)
{
    (void)state;
    enum { N = 200000 };
    static struct message many[N];

    for (int i = 0; i < N; i++) {
        many[i].target = A;
        user_order_add(hold, &many[i].entry, 1);
    }
    for (int i = 0; i < N; i++)
        user_order_settle(hold, &many[i].entry);
    for (int i = 0; i < N; i++)
        user_order_remove(hold, &many[i].entry);
    done[0] = '\0';
}

#define hold_test(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

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
        cmocka_unit_test(order_holds_whatever_happens),
        hold_test(long_queue_of_one_user_is_not_quadratic),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
