/* Facts on their way from a real Redis to a log that takes them when the test says so. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* needs the above */
#include <cmocka.h>

/* needs cmocka.h */
#include "logic/base/config.h"

static struct logic_config config;

/* needs config */
#include "common/events/event_types.h"
#include "common/events/session_record.h"
#include "logic/events/facts.h"
#include "logic/mailbox/mailbox.h"
#include "tests/unit/lib/logic_redis.h"
#include "tests/unit/lib/ordered_producer_stub.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define ID     "ABCDEFGH" /* 4702394921427289928 */
#define NUMBER "4702394921427289928"

enum { MOST = 16, LOOK_MS = 100, LEASE_MS = 15000 };

static struct ordered_ticket *tickets[MOST];
static char said[MOST][160]; /* "KEY time" */
static int n_said;
static int n_reported;
static bool refuses;
static int64_t swept[4];
static int n_swept;

/* --- what is around it --- */

int ordered_producer_send(struct ordered_producer *producer, struct kafka_message *message,
                          size_t bytes, int32_t to, struct ordered_ticket *ticket)
{
    struct arena arena;

    (void)producer, (void)bytes;
    assert_int_equal(to, 3);
    if (refuses)
        return -EAGAIN;
    arena_init(&arena);
    const Imc__V1__SessionRecord *record =
        session_record_read(&arena, message->value, message->value_len);
    snprintf(said[n_said], sizeof said[0], "%.*s %d", (int)message->key_len,
             (const char *)message->key, (int)record->at_ms);
    arena_free(&arena);
    free(message->value);
    tickets[n_said++] = ticket;
    return 0;
}

int ordered_producer_partitions(const struct ordered_producer *producer)
{
    (void)producer;
    return 4;
}

int32_t ordered_producer_partition(const struct ordered_producer *producer, const void *key,
                                   size_t len)
{
    (void)producer, (void)key, (void)len;
    return 3;
}

void mailbox_sweep(struct logic *of, int64_t whose)
{
    (void)of;
    if (n_swept < 4)
        swept[n_swept] = whose;
    n_swept++;
}

/* --- what the test does --- */

static struct facts *facts;

static void report(int err)
{
    int n = n_said;

    while (n_reported < n) {
        struct ordered_ticket *ticket = tickets[n_reported++];
        ticket->done(ticket, err);
    }
}

static long long redis_do(const char *command)
{
    return redis_server_do(&server, command);
}

static void push(const char *fact)
{
    redisContext *c = redisConnect("127.0.0.1", server.port);

    freeReplyObject(redisCommand(c, "RPUSH imc:facts %s", fact));
    redisFree(c);
}

static int begin(void **state)
{
    (void)state;
    n_said = n_reported = n_swept = 0;
    refuses = false;
    redis_do("DEL imc:facts imc:facts:owner imc:facts:lost imc:ends");
    logic.session_log = (struct ordered_producer *)(void *)&logic; /* not looked into */
    logic.event_types = ~0U;
    facts = facts_open(&logic);
    assert_non_null(facts);
    return 0;
}

static int end(void **state)
{
    (void)state;
    facts_close(facts);
    report(-EAGAIN);
    logic.session_log = NULL;
    turn_for(&f, 2);
    return 0;
}

static void wait_said(int n)
{
    assert_true(turn_until(&f, &n_said, n, SOON));
}

/* --- tests --- */

static void they_come_in_order_and_leave_when_the_log_has_them(void **state)
{
    (void)state;
    push("d" ID "7 1 c/1");
    push("e" ID "7 2 ");
    wait_said(2);
    assert_string_equal(said[0], "7." NUMBER ".c/1.delivered 1");
    assert_string_equal(said[1], "7." NUMBER ".expired 2");
    push("a" ID "7 3 c/2");
    turn_for(&f, 3 * LOOK_MS);
    assert_int_equal(n_said, 2); /* one list at a time */
    assert_int_equal(redis_do("LLEN imc:facts"), 3);
    report(0);
    wait_said(3);
    assert_string_equal(said[2], "7." NUMBER ".c/2.acknowledged 3");
    assert_int_equal(redis_do("LLEN imc:facts"), 1);
    report(0);
    turn_for(&f, LOOK_MS);
    assert_int_equal(redis_do("EXISTS imc:facts"), 0);
}

static void what_the_log_does_not_take_stays(void **state)
{
    (void)state;
    push("d" ID "7 1 c/1");
    wait_said(1);
    report(-EAGAIN);
    assert_int_equal(redis_do("LLEN imc:facts"), 1);
    wait_said(2);
    assert_string_equal(said[1], said[0]);
    report(-EAGAIN);
    refuses = true;
    turn_for(&f, 3 * LOOK_MS);
    assert_int_equal(n_said, 2);
    refuses = false;
    wait_said(3);
    report(0);
    turn_for(&f, LOOK_MS);
    assert_int_equal(redis_do("EXISTS imc:facts"), 0);
}

static void what_is_no_fact_is_passed_over(void **state)
{
    (void)state;
    push("nonsense");
    push("d" ID "7 1 c/1");
    push("d" ID "7 x c/1");
    wait_said(1);
    report(0);
    turn_for(&f, 2 * LOOK_MS);
    assert_int_equal(n_said, 1);
    assert_int_equal(redis_do("EXISTS imc:facts"), 0);
}

static void users_whose_messages_end_are_swept(void **state)
{
    (void)state;
    redis_do("ZADD imc:ends 1 42 99999999999999 43");
    assert_true(turn_until(&f, &n_swept, 1, SOON));
    assert_int_equal(swept[0], 42);
}

static void another_logic_has_them_for_its_time(void **state)
{
    (void)state;
    redis_do("SET imc:facts:owner another PX 5000");
    push("d" ID "7 1 c/1");
    turn_for(&f, 2 * LOOK_MS);
    redis_do("DEL imc:facts:owner");
    turn_for(&f, 3000);
    assert_int_equal(n_said, 0); /* it asks no more often than it may have changed */
    wait_said(1);
    report(0);
}

/* An owner that has nothing to do writes seldom. */
static void it_stays_ours_without_a_write_each_time(void **state)
{
    (void)state;
    turn_for(&f, 2 * LOOK_MS);
    long long first = redis_do("PTTL imc:facts:owner");
    assert_in_range(first, LEASE_MS - 1000, LEASE_MS);
    turn_for(&f, 4000);
    assert_in_range(redis_do("PTTL imc:facts:owner"), 1, first - 3000);
    turn_for(&f, 6000);
    assert_in_range(redis_do("PTTL imc:facts:owner"), LEASE_MS / 2 - 1000, LEASE_MS);
    push("d" ID "7 1 c/1");
    wait_said(1); /* it has all its time for the log */
    assert_in_range(redis_do("PTTL imc:facts:owner"), LEASE_MS - 1000, LEASE_MS);
    report(0);
}

static void a_logic_that_drains_takes_nothing(void **state)
{
    (void)state;
    logic.draining = true;
    push("d" ID "7 1 c/1");
    turn_for(&f, 3 * LOOK_MS);
    assert_int_equal(n_said, 0);
    logic.draining = false;
}

static void it_closes_while_the_log_has_not_answered(void **state)
{
    (void)state;
    push("d" ID "7 1 c/1");
    wait_said(1);
    facts_close(facts);
    report(0);
    assert_int_equal(redis_do("LLEN imc:facts"), 1); /* another one tells it again */
    facts = facts_open(&logic);
}

static void nobody_is_told_of_messages(void **state)
{
    (void)state;
    logic.event_types = EVENTS_OF_ROOMS;
    assert_null(facts_open(&logic));
    facts_close(NULL);
    facts_scrape(NULL);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(they_come_in_order_and_leave_when_the_log_has_them),
        TEST(what_the_log_does_not_take_stays),
        TEST(what_is_no_fact_is_passed_over),
        TEST(users_whose_messages_end_are_swept),
        TEST(another_logic_has_them_for_its_time),
        TEST(it_stays_ours_without_a_write_each_time),
        TEST(a_logic_that_drains_takes_nothing),
        TEST(it_closes_while_the_log_has_not_answered),
        TEST(nobody_is_told_of_messages),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
