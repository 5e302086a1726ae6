/* Messages for later, in a real Redis: each is delivered when it is due, by one logic at a time,
 * and again until it is over. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* needs the above */
#include <cmocka.h>

/* needs cmocka.h */
#include "logic/base/config.h"

static struct logic_config config = {.later_max = 4};

/* needs config */
#include "logic/later/later.h"
#include "tests/unit/lib/logic_redis.h"

#include <errno.h>
#include <stdio.h>

enum { LEASE_MS = 60000, LOOK_MS = 200 };

/* What was delivered, in order: "a=record-a b=…". */
static char delivered[400];
static int n_delivered;
/* later_end() within the delivery. */
static bool ends;
static uint64_t again_ms;

static void on_due(struct logic *of, const struct later_item *item)
{
    size_t len = strlen(delivered);

    assert_ptr_equal(of, &logic);
    assert_int_equal(strlen(item->record), item->len);
    snprintf(delivered + len, sizeof delivered - len, "%s=%s ", item->id, item->record);
    n_delivered++;
    if (ends)
        later_end(of, item->id, again_ms);
}

static int begin(void **state)
{
    (void)state;
    delivered[0] = '\0';
    n_delivered = 0;
    ends = true;
    again_ms = 0;
    logic.has_node = true;
    logic.draining = false;
    logic.later = later_open(&logic, on_due);
    return 0;
}

static int end(void **state)
{
    (void)state;
    later_close(logic.later);
    logic.later = NULL;
    turn_for(&f, 1);
    return 0;
}

static int result, results;

static void on_result(void *arg, int err)
{
    (void)arg;
    result = err;
    results++;
}

static void wait_result(void)
{
    assert_true(turn_until(&f, &results, results + 1, SOON));
}

static int add(const char *id, uint64_t due_ms)
{
    char record[64];
    int n = snprintf(record, sizeof record, "record-%s", id);

    later_add(&logic, &(struct later_item){id, due_ms, record, (size_t)n}, on_result, NULL);
    wait_result();
    return result;
}

static int cancel(const char *id)
{
    later_cancel(&logic, id, on_result, NULL);
    wait_result();
    return result;
}

static char listed[400];

static void on_list(void *arg, int err, const struct later_item *items, size_t n)
{
    (void)arg;
    result = err;
    listed[0] = '\0';
    for (size_t i = 0; i < n; i++) {
        size_t len = strlen(listed);
        snprintf(listed + len, sizeof listed - len, "%s=%s ", items[i].id, items[i].record);
    }
    results++;
}

static const char *list(uint64_t due_ms, const char *after, size_t limit)
{
    later_list(&logic, &(struct later_from){.due_ms = due_ms, .after = after, .limit = limit},
               on_list, NULL);
    wait_result();
    assert_int_equal(result, 0);
    return listed;
}

static uint64_t now(void)
{
    return logic_now_ms(&logic);
}

static void it_is_delivered_when_it_is_due_and_once(void **state)
{
    (void)state;
    assert_int_equal(add("b", now() + 3000), 0);
    assert_int_equal(add("a", now() + 1000), 0);
    turn_for(&f, 900);
    assert_string_equal(delivered, "");
    turn_for(&f, 100 + 3 * LOOK_MS);
    assert_string_equal(delivered, "a=record-a ");
    turn_for(&f, 2000 + 3 * LOOK_MS);
    assert_string_equal(delivered, "a=record-a b=record-b ");
    turn_for(&f, 2 * LEASE_MS);
    assert_int_equal(n_delivered, 2);
    assert_string_equal(list(0, "", 100), "");
}

static void what_is_not_over_is_due_again(void **state)
{
    (void)state;
    again_ms = now() + 5000;
    assert_int_equal(add("a", now()), 0);
    assert_true(turn_until(&f, &n_delivered, 1, SOON));
    again_ms = 0;
    turn_for(&f, 4000);
    assert_int_equal(n_delivered, 1);
    turn_for(&f, 1000 + 3 * LOOK_MS);
    assert_int_equal(n_delivered, 2);
    turn_for(&f, 2 * LEASE_MS);
    assert_int_equal(n_delivered, 2);
}

/* The logic that took it says nothing: it is dead, and another one delivers. */
static void a_lease_ends(void **state)
{
    (void)state;
    ends = false;
    assert_int_equal(add("a", now()), 0);
    assert_true(turn_until(&f, &n_delivered, 1, SOON));
    turn_for(&f, LEASE_MS - 5000);
    assert_int_equal(n_delivered, 1);
    ends = true;
    turn_for(&f, 5000 + 3 * LOOK_MS);
    assert_string_equal(delivered, "a=record-a a=record-a ");
    turn_for(&f, 2 * LEASE_MS);
    assert_int_equal(n_delivered, 2);
}

static void it_is_taken_back_until_it_is_delivered(void **state)
{
    (void)state;
    ends = false;
    assert_int_equal(add("a", now() + 1000), 0);
    assert_int_equal(cancel("a"), 0);
    assert_int_equal(cancel("a"), -ENOENT);
    turn_for(&f, 2000);
    assert_int_equal(n_delivered, 0);
    assert_int_equal(add("b", now()), 0);
    assert_true(turn_until(&f, &n_delivered, 1, SOON));
    assert_int_equal(cancel("b"), -ENOENT);
    later_end(&logic, "b", 0);
    assert_int_equal(add("b", now() + 1000), 0);
    assert_int_equal(cancel("b"), 0);
}

static void an_id_waits_once_and_so_many_wait(void **state)
{
    char id[2] = "a";

    (void)state;
    for (; id[0] < 'e'; id[0]++) /* later_max */
        assert_int_equal(add(id, now() + 5000), 0);
    assert_int_equal(add("a", now()), -EEXIST);
    later_add(&logic, &(struct later_item){"a", now(), "other", 5}, on_result, NULL);
    wait_result();
    assert_int_equal(result, -EBUSY);
    assert_int_equal(add("e", now()), -E2BIG);
    assert_int_equal(cancel("b"), 0);
    assert_int_equal(add("e", now() + 5000), 0);
    turn_for(&f, 5000 + 5 * LOOK_MS);
    assert_int_equal(n_delivered, 4);
    assert_int_equal(add("a", now() + 5000), 0);
    assert_int_equal(cancel("a"), 0);
}

static void a_list_has_pages(void **state)
{
    uint64_t at = now() + 5000;

    (void)state;
    assert_int_equal(add("c", at), 0);
    assert_int_equal(add("a", at), 0);
    assert_int_equal(add("b", at), 0);
    assert_int_equal(add("z", at - 1000), 0);
    assert_string_equal(list(0, "", 2), "z=record-z a=record-a ");
    assert_string_equal(list(at, "a", 2), "b=record-b c=record-c ");
    assert_string_equal(list(at, "c", 2), "");
    assert_string_equal(list(at + 1, "", 2), "");
    for (const char *id = "cabz"; *id != '\0'; id++)
        assert_int_equal(cancel((char[]){*id, '\0'}), 0);
}

/* A logic that drains, or may make no ids yet, leaves it to others. */
static void who_cannot_deliver_takes_nothing(void **state)
{
    (void)state;
    logic.draining = true;
    assert_int_equal(add("a", now()), 0);
    turn_for(&f, 2000);
    logic.draining = false;
    logic.has_node = false;
    turn_for(&f, 2000);
    assert_int_equal(n_delivered, 0);
    logic.has_node = true;
    assert_true(turn_until(&f, &n_delivered, 1, SOON));
}

static void without_redis_nothing_is_accepted(void **state)
{
    (void)state;
    redis_server_stop(&server);
    assert_true(turn_until(&f, &f.downs, 1, SOON));
    assert_int_equal(add("a", now()), -EAGAIN);
    assert_int_equal(cancel("a"), -EAGAIN);
    later_list(&logic, &(struct later_from){.after = "", .limit = 1}, on_list, NULL);
    wait_result();
    assert_int_equal(result, -EAGAIN);
    turn_for(&f, 2000);
    assert_int_equal(n_delivered, 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        TEST(it_is_delivered_when_it_is_due_and_once),
        TEST(what_is_not_over_is_due_again),
        TEST(a_lease_ends),
        TEST(it_is_taken_back_until_it_is_delivered),
        TEST(an_id_waits_once_and_so_many_wait),
        TEST(a_list_has_pages),
        TEST(who_cannot_deliver_takes_nothing),
        TEST(without_redis_nothing_is_accepted), /* the last: Redis is gone then */
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
