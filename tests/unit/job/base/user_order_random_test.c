/* At random: the invariants of docs/job.md on every step. */
#include "tests/unit/job/base/user_order_fixture.h"

#include <assert.h>
#include <stdlib.h>

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
static bool random_room(struct user_order_entry *entry, void *arg)
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(order_holds_whatever_happens),
        hold_test(long_queue_of_one_user_is_not_quadratic),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
