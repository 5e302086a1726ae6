/* The last words on messages, on their way into a log that takes them when the test says so. */
#include "common/base/mem.h"
#include "common/events/session_record.h"
#include "job/base/job.h"
#include "job/base/message.h"
#include "job/events/event_partition.h"
#include "job/events/message_facts.h"
#include "job/partition/partition.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* needs the above */
#include <cmocka.h>

/* needs cmocka.h */
#include "tests/unit/lib/ordered_producer_stub.h"

enum { MOST = 16, NOON_MS = 5000 };

static struct loop loop;
static struct job job;
static struct event_outlets outlets;
static struct message_facts facts;
static struct partition partition;
static struct ordered_ticket *tickets[MOST];
static char said[MOST][120]; /* "KEY time why" */
static size_t n_said, n_reported;
static bool refuses;
static int partitions;
static int resolved;

/* --- what is around it --- */

int ordered_producer_send(struct ordered_producer *producer, struct kafka_message *message,
                          size_t bytes, int32_t to, struct ordered_ticket *ticket)
{
    struct arena arena;

    (void)producer;
    assert_true(bytes > message->key_len + message->value_len);
    assert_int_equal(to, 3);
    if (refuses)
        return -EAGAIN;
    arena_init(&arena);
    const Imc__V1__SessionRecord *record =
        session_record_read(&arena, message->value, message->value_len);
    (void)snprintf(said[n_said], sizeof said[0], "%.*s %d%s%s", (int)message->key_len,
                   (const char *)message->key, (int)record->at_ms,
                   record->why[0] != '\0' ? " " : "", record->why);
    arena_free(&arena);
    free(message->value);
    tickets[n_said++] = ticket;
    return 0;
}

int ordered_producer_partitions(const struct ordered_producer *producer)
{
    (void)producer;
    return partitions;
}

int32_t ordered_producer_partition(const struct ordered_producer *producer, const void *key,
                                   size_t len)
{
    (void)producer;
    assert_int_equal(len, 1);
    assert_memory_equal(key, "7", 1);
    return 3;
}

void partition_resolve(struct message *message)
{
    assert_non_null(message->partition);
    message->partition = NULL;
    message_unref(message);
    resolved++;
}

static uint64_t at_noon(void *arg)
{
    (void)arg;
    return NOON_MS;
}

static void on_pump(struct loop *of, struct loop_task *task)
{
    (void)of, (void)task;
    message_facts_pump(&facts);
}

/* --- what the test does --- */

static struct message *message_of_id(uint64_t id)
{
    Imc__V1__PushMsg envelope;

    imc__v1__push_msg__init(&envelope);
    envelope.uid = 7;
    envelope.id = id;
    struct message *message = message_new(MESSAGE_UID, &envelope);
    message->partition = &partition;
    return message;
}

static struct message *tell(uint64_t id, enum message_fact fact, uint64_t expires_ms)
{
    struct message *message = message_of_id(id);

    message->fact = (uint8_t)fact;
    message->expires_ms = expires_ms;
    job.tell_fact(message, job.tell_arg);
    return message;
}

static void turn(void)
{
    for (int i = 0; i < 2; i++)
        uv_run(&loop.uv, UV_RUN_NOWAIT);
}

static void report(int err)
{
    size_t n = n_said;

    while (n_reported < n) {
        struct ordered_ticket *ticket = tickets[n_reported++];
        ticket->done(ticket, err);
    }
}

#define SAID(...) check_said((const char *const[]){__VA_ARGS__, NULL})

static void check_said(const char *const *wanted)
{
    size_t n = 0;

    turn();
    for (; wanted[n] != NULL; n++) {
        assert_true(n < n_said);
        assert_string_equal(said[n], wanted[n]);
    }
    assert_int_equal(n_said, n);
}

static int setup_with(unsigned types)
{
    n_said = n_reported = 0;
    resolved = 0;
    refuses = false;
    partitions = 4;
    assert_int_equal(loop_init(&loop, "test", 0), 0);
    job = (struct job){.loop = &loop};
    outlets = (struct event_outlets){.job = &job, .now_ms = at_noon, .types = types};
    outlets.pump.run = on_pump;
    message_facts_init(&facts, &outlets);
    return 0;
}

static int setup(void **state)
{
    (void)state;
    return setup_with(~0U);
}

static int teardown(void **state)
{
    (void)state;
    message_facts_close(&facts);
    report(0);
    assert_int_equal(facts.n, 0);
    turn();
    loop_close(&loop);
    return 0;
}

/* --- tests --- */

static void a_message_is_over_when_the_log_has_it(void **state)
{
    (void)state;
    tell(1, FACT_DELIVERED, 0);
    tell(2, FACT_ACKNOWLEDGED, 0);
    SAID("7.1.delivered 5000", "7.2.acknowledged 5000");
    assert_int_equal(resolved, 0);
    assert_int_equal(facts.n, 2);
    report(0);
    assert_int_equal(resolved, 2);
    assert_int_equal(facts.n, 0);
}

/* That is known, so whoever tells it again tells the same. */
static void an_expired_has_the_time_of_its_end(void **state)
{
    (void)state;
    tell(1, FACT_EXPIRED, 4321);
    tell(2, FACT_EXPIRED, 0);
    SAID("7.1.expired 4321 ttl", "7.2.expired 5000 ttl");
    report(0);
}

static void what_failed_is_said_again_at_the_same_time(void **state)
{
    (void)state;
    tell(1, FACT_DELIVERED, 0);
    SAID("7.1.delivered 5000");
    report(-EAGAIN);
    assert_int_equal(resolved, 0);
    message_facts_pump(&facts);
    SAID("7.1.delivered 5000", "7.1.delivered 5000");
    report(0);
    assert_int_equal(resolved, 1);
}

static void they_wait_in_order_while_the_log_takes_nothing(void **state)
{
    (void)state;
    partitions = 0;
    tell(1, FACT_DELIVERED, 0);
    turn();
    partitions = 4;
    refuses = true;
    tell(2, FACT_DELIVERED, 0);
    turn();
    assert_int_equal(n_said, 0);
    refuses = false;
    message_facts_pump(&facts);
    SAID("7.1.delivered 5000", "7.2.delivered 5000");
    report(0);
    assert_int_equal(resolved, 2);
}

/* Its partition went to another job, which tells it again. */
static void what_is_another_jobs_by_now_is_not_said(void **state)
{
    (void)state;
    refuses = true;
    struct message *message = tell(1, FACT_DELIVERED, 0);
    turn();
    message->partition = NULL;
    message_unref(message);
    refuses = false;
    message_facts_pump(&facts);
    assert_int_equal(n_said, 0);
    assert_int_equal(facts.n, 0);
    message = tell(2, FACT_DELIVERED, 0);
    SAID("7.2.delivered 5000");
    message->partition = NULL;
    message_unref(message);
    report(-EAGAIN);
    assert_int_equal(facts.n, 0);
    assert_int_equal(resolved, 0);
}

static void what_waits_is_forgotten_at_the_end(void **state)
{
    (void)state;
    refuses = true;
    struct message *message = tell(1, FACT_DELIVERED, 0);
    turn();
    message->partition = NULL;
    message_unref(message);
}

static void types_that_are_not_wanted_are_over_at_once(void **state)
{
    (void)state;
    setup_with(1U << EVENT_DELIVERED);
    tell(1, FACT_ACKNOWLEDGED, 0);
    assert_int_equal(resolved, 1);
    tell(2, FACT_DELIVERED, 0);
    SAID("7.2.delivered 5000");
    report(0);
    teardown(state);
    setup_with(1U << EVENT_CONNECTED);
    assert_null(job.tell_fact);
    teardown(state);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_message_is_over_when_the_log_has_it),
        TEST(an_expired_has_the_time_of_its_end),
        TEST(what_failed_is_said_again_at_the_same_time),
        TEST(they_wait_in_order_while_the_log_takes_nothing),
        TEST(what_is_another_jobs_by_now_is_not_said),
        TEST(what_waits_is_forgotten_at_the_end),
        cmocka_unit_test(types_that_are_not_wanted_are_over_at_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
