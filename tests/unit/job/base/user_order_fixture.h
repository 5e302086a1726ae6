/* user_order_fixture.h - messages of users, and a line of text that says what became of each. */
#ifndef IMC_TESTS_UNIT_JOB_BASE_USER_ORDER_FIXTURE_H
#define IMC_TESTS_UNIT_JOB_BASE_USER_ORDER_FIXTURE_H

#include "job/base/user_order.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* A message as the tests see it; what job/base/user_order.h did with it is noted in a line of text.
 */
struct message {
    struct user_order_entry entry;
    uint64_t target; /* 0: nowhere */
    char name;
    int stalls;
};

static char done[256];

static inline void note(char what, const struct message *message)
{
    size_t len = strlen(done);

    snprintf(done + len, sizeof done - len, "%c%c ", what, message->name);
}

static inline uint64_t test_aim(const struct user_order_entry *entry, void *arg)
{
    (void)arg;
    return ((const struct message *)(const void *)entry)->target;
}

static inline void test_send(struct user_order_entry *entry, void *arg)
{
    (void)arg;
    note('>', (struct message *)(void *)entry);
}

static inline void test_settle(struct user_order_entry *entry, void *arg)
{
    (void)arg;
    note('s', (struct message *)(void *)entry);
}

static bool room;

static inline bool test_room(struct user_order_entry *entry, void *arg)
{
    (void)entry;
    (void)arg;
    return room;
}

static inline void test_stall(struct user_order_entry *entry, void *arg)
{
    (void)arg;
    ((struct message *)(void *)entry)->stalls++;
}

static const struct user_order_ops test_ops = {test_aim, test_send, test_settle, test_room,
                                               test_stall};

enum { A = 1, B = 2, NOWHERE = 0 };

static struct user_order *hold;
static struct message m[8];

static inline int setup(void **state)
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

static inline int teardown(void **state)
{
    (void)state;
    assert_int_equal(user_order_users(hold), 0);
    user_order_close(hold);
    return 0;
}

/* --- at random: the invariants of docs/job.md on every step --- */

#define hold_test(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

#endif
