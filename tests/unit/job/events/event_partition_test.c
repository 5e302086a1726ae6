/* A partition against a log and a topic that take messages when the test says so. */
#include "common/base/mem.h"
#include "common/containers/slab.h"
#include "common/membership/membership.h"
#include "common/protocol/json_scan.h"
#include "job/base/job.h"
#include "job/events/event_partition.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* needs the above */
#include <cmocka.h>

enum { MOST = 64 };

/* --- the producers --- */

struct ordered_producer {
    struct ordered_ticket *tickets[MOST];
    char said[MOST][600]; /* a topic: session and type; a log: "KEY", "KEY ended" */
    size_t n, taken;      /* said; of these reported */
    bool refuses;
};

static struct ordered_producer the_log, the_topic;
static struct job job;
static struct job_config config;
static _Atomic int64_t counters[JOB_METRIC_COUNT];
static struct loop loop;
static struct event_outlets outlets;
static struct event_partition *partition;
static struct member comet;
static bool lives, fresh;

static void say_event(const struct kafka_message *message, char *out, size_t size)
{
    json_t *event = json_loadb(message->value, message->value_len, 0, NULL);

    (void)snprintf(out, size, "%s", json_string_value(json_object_get(event, "id")));
    json_decref(event);
    rd_kafka_headers_destroy(message->headers);
    free(message->value);
}

static void say_record(const struct kafka_message *message, char *out, size_t size)
{
    struct arena arena;

    (void)snprintf(out, size, "%.*s", (int)message->key_len, (const char *)message->key);
    if (message->value == NULL)
        return;
    arena_init(&arena);
    const Imc__V1__SessionRecord *record =
        session_record_read(&arena, message->value, message->value_len);
    assert_int_equal(record->how, IMC__V1__SESSION_RECORD__HOW__LOST);
    strncat(out, " lost", size - strlen(out) - 1);
    arena_free(&arena);
    free(message->value);
}

int ordered_producer_send(struct ordered_producer *producer, struct kafka_message *message,
                          size_t bytes, int32_t to, struct ordered_ticket *ticket)
{
    assert_true(bytes > message->key_len + message->value_len);
    if (producer->refuses)
        return -EAGAIN;
    assert_int_equal(to, producer == &the_log ? 3 : -1);
    (producer == &the_log ? say_record : say_event)(message, producer->said[producer->n], 600);
    producer->tickets[producer->n++] = ticket;
    return 0;
}

int ordered_producer_open(const struct ordered_options *options, struct ordered_producer **out)
{
    (void)options, (void)out;
    fail();
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
    return 0;
}

size_t ordered_producer_waiting(const struct ordered_producer *producer)
{
    (void)producer;
    return 0;
}

void ordered_producer_close(struct ordered_producer *producer)
{
    (void)producer;
}

/* Reports what PRODUCER was sent and has not reported, all with ERR. */
static void report(struct ordered_producer *producer, int err)
{
    size_t n = producer->n;

    while (producer->taken < n) {
        struct ordered_ticket *ticket = producer->tickets[producer->taken++];
        ticket->done(ticket, err);
    }
    if (!partition->gone)
        event_partition_pump(partition);
}

/* --- who lives --- */

bool membership_ready(const struct membership *membership)
{
    (void)membership;
    return true;
}

bool membership_fresh(const struct membership *membership)
{
    (void)membership;
    return fresh;
}

const struct member *membership_find(const struct membership *membership, enum member_kind kind,
                                     const char *id)
{
    (void)membership;
    assert_int_equal(kind, MEMBER_COMET);
    return lives && strcmp(id, comet.id) == 0 ? &comet : NULL;
}

/* --- records --- */

static int64_t offset;

static void take(const char *key, const Imc__V1__SessionRecord *record)
{
    uint8_t value[256];
    char copy[64];
    rd_kafka_message_t message = {.offset = offset++, .key = copy, .key_len = strlen(key)};

    memcpy(copy, key, strlen(key) + 1);
    if (record != NULL) {
        message.payload = value;
        message.len = imc__v1__session_record__pack(record, value);
    }
    event_partition_record(partition, &message);
    event_partition_pump(partition);
}

static void opened(const char *key)
{
    Imc__V1__SessionRecord record;
    imc__v1__session_record__init(&record);

    record.what = IMC__V1__SESSION_RECORD__WHAT__OPENED;
    record.uid = 7;
    record.opened_ms = 1000;
    take(key, &record);
}

static void ended(const char *key, bool anybody)
{
    Imc__V1__SessionRecord record;
    imc__v1__session_record__init(&record);

    record.what = IMC__V1__SESSION_RECORD__WHAT__ENDED;
    record.uid = anybody ? 0 : 7;
    record.ended_ms = 2000;
    record.anybody = anybody;
    take(key, &record);
}

static void deleted(const char *key)
{
    take(key, NULL);
}

#define SAID(producer, ...)                                                  \
    do {                                                                     \
        const char *const wanted_[] = {__VA_ARGS__};                         \
        assert_int_equal((producer)->n, sizeof wanted_ / sizeof wanted_[0]); \
        for (size_t i_ = 0; i_ < (producer)->n; i_++)                        \
            assert_string_equal((producer)->said[i_], wanted_[i_]);          \
    } while (0)

static uint64_t at_noon(void *arg)
{
    (void)arg;
    return 5000;
}

static void begin_at(int64_t emit_from)
{
    partition = event_partition_open(&outlets, 3);
    event_partition_known(partition, emit_from);
    offset = 0;
}

static void on_pump(struct loop *of, struct loop_task *task)
{
    (void)of, (void)task;
}

static int setup(void **state)
{
    (void)state;
    memset(&the_log, 0, sizeof the_log);
    memset(&the_topic, 0, sizeof the_topic);
    memset(counters, 0, sizeof counters);
    config = (struct job_config){.events_remember = 4, .events_topic = (char[]){"t"}};
    config.daemon.lease_ttl_ms = 0;
    assert_int_equal(loop_init(&loop, "test", 0), 0);
    job = (struct job){.loop = &loop, .config = &config, .counters = counters};
    outlets = (struct event_outlets){.job = &job,
                                     .membership = (struct membership *)(void *)&comet,
                                     .log = &the_log,
                                     .topic = &the_topic,
                                     .now_ms = at_noon,
                                     .types = 3};
    outlets.pump.run = on_pump;
    comet = (struct member){.id = "c", .epoch = 1};
    lives = fresh = true;
    begin_at(0);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    event_partition_close(partition);
    partition = &(struct event_partition){.gone = true};
    report(&the_log, -EAGAIN);
    report(&the_topic, -EAGAIN);
    assert_int_equal(outlets.waiting, 0);
    uv_run(&loop.uv, UV_RUN_NOWAIT);
    loop_close(&loop);
    return 0;
}

/* --- tests --- */

static void a_session_is_told_and_deleted(void **state)
{
    (void)state;
    opened("c.1.a");
    ended("c.1.a", false);
    SAID(&the_topic, "c.1.a.connected", "c.1.a.disconnected");
    assert_int_equal(the_log.n, 0);
    assert_int_equal(event_partition_position(partition), 0);
    report(&the_topic, 0);
    assert_int_equal(event_partition_position(partition), 2);
    SAID(&the_log, "c.1.a");
}

static void what_comes_twice_is_told_once(void **state)
{
    (void)state;
    opened("c.1.a");
    opened("c.1.a");
    ended("c.1.a", false);
    ended("c.1.a", false);
    SAID(&the_topic, "c.1.a.connected", "c.1.a.disconnected");
    report(&the_topic, 0);
    SAID(&the_log, "c.1.a"); /* once, behind all of them */
    deleted("c.1.a");
    ended("c.1.a", false);
    SAID(&the_topic, "c.1.a.connected", "c.1.a.disconnected");
    SAID(&the_log, "c.1.a", "c.1.a");
}

static void what_is_opened_after_its_end_stays_closed(void **state)
{
    (void)state;
    opened("c.1.a");
    ended("c.1.a", false);
    report(&the_topic, 0);
    opened("c.1.a");
    assert_int_equal(counters[JOB_EVENTS_LATE], 1);
    assert_int_equal(partition->table.n_open, 0);
    SAID(&the_log, "c.1.a", "c.1.a"); /* the deletion is the last word again */
}

static void an_end_alone_tells_both(void **state)
{
    (void)state;
    ended("c.1.a", false);
    SAID(&the_topic, "c.1.a.connected", "c.1.a.disconnected");
}

static void an_end_of_anybody_ends_what_is_open(void **state)
{
    (void)state;
    ended("c.1.a", true);
    assert_int_equal(the_topic.n, 0);
    SAID(&the_log, "c.1.a");
    opened("c.1.a"); /* too late: written by a logic that stood still */
    opened("c.1.b");
    ended("c.1.b", true);
    SAID(&the_topic, "c.1.b.connected", "c.1.b.disconnected");
}

static void what_fails_is_sent_again_in_order(void **state)
{
    (void)state;
    opened("c.1.a");
    opened("c.1.b");
    the_topic.refuses = true;
    report(&the_topic, -EAGAIN);
    opened("c.1.c");
    assert_int_equal(event_partition_position(partition), 0);
    the_topic.refuses = false;
    event_partition_pump(partition);
    SAID(&the_topic, "c.1.a.connected", "c.1.b.connected", "c.1.a.connected", "c.1.b.connected",
         "c.1.c.connected");
    report(&the_topic, 0);
    assert_int_equal(event_partition_position(partition), 3);
}

/* One was confirmed before the other failed: only that one is sent again. */
static void what_was_confirmed_is_not_sent_again(void **state)
{
    (void)state;
    opened("c.1.a");
    opened("c.1.b");
    struct ordered_ticket *second = the_topic.tickets[1];
    second->done(second, 0);
    the_topic.tickets[0]->done(the_topic.tickets[0], -EAGAIN);
    the_topic.taken = 2;
    event_partition_pump(partition);
    SAID(&the_topic, "c.1.a.connected", "c.1.b.connected", "c.1.a.connected");
    report(&the_topic, 0);
    assert_int_equal(event_partition_position(partition), 2);
}

static void a_new_owner_tells_what_the_old_one_had_not(void **state)
{
    (void)state;
    event_partition_close(partition);
    begin_at(3);
    opened("c.1.a");
    opened("c.1.b");
    ended("c.1.b", false);
    assert_int_equal(the_topic.n, 0);
    assert_int_equal(event_partition_position(partition), 3);
    ended("c.1.a", false);
    SAID(&the_topic, "c.1.a.disconnected");
    assert_true(event_partition_end(partition, 4));
    event_partition_pump(partition);
    SAID(&the_log, "c.1.b"); /* the old one died before it deleted that */
    report(&the_topic, 0);
    SAID(&the_log, "c.1.b", "c.1.a");
}

static void sessions_of_a_dead_comet_end(void **state)
{
    (void)state;
    opened("c.1.a");
    opened("d.1.a");
    event_partition_look(partition);
    assert_int_equal(the_log.n, 0); /* there may be more to read */
    assert_true(event_partition_end(partition, 2));
    event_partition_look(partition);
    SAID(&the_log, "d.1.a lost");
    event_partition_look(partition);
    SAID(&the_log, "d.1.a lost"); /* is under way */
    report(&the_log, -EAGAIN);
    event_partition_look(partition);
    SAID(&the_log, "d.1.a lost", "d.1.a lost");
    report(&the_log, 0);
    SAID(&the_topic, "c.1.a.connected", "d.1.a.connected"); /* only what is read is told */
    ended("d.1.a", false);
    SAID(&the_topic, "c.1.a.connected", "d.1.a.connected", "d.1.a.disconnected");
    comet.epoch = 2;
    event_partition_look(partition);
    SAID(&the_log, "d.1.a lost", "d.1.a lost", "c.1.a lost");
}

static void a_comet_is_not_dead_because_our_list_is_old(void **state)
{
    (void)state;
    config.daemon.lease_ttl_ms = 60000;
    opened("d.1.a");
    opened("c.2.a"); /* younger than the list */
    assert_true(event_partition_end(partition, 2));
    event_partition_look(partition);
    event_partition_look(partition);
    assert_int_equal(the_log.n, 0);
    config.daemon.lease_ttl_ms = 1;
    fresh = false;
    for (int i = 0; i < 3; i++) {
        uv_sleep(3);
        uv_update_time(&loop.uv);
        event_partition_look(partition);
    }
    assert_int_equal(the_log.n, 0);
    fresh = true;
    uv_sleep(3);
    uv_update_time(&loop.uv);
    event_partition_look(partition);
    assert_int_equal(the_log.n, 2);
}

static void only_so_many_are_remembered(void **state)
{
    char key[16];

    (void)state;
    for (int i = 0; i < 10; i++) {
        (void)snprintf(key, sizeof key, "c.1.%d", i);
        opened(key);
        ended(key, false);
    }
    assert_int_equal(partition->table.n_closed, 4);
    assert_int_equal(partition->table.n_open, 0);
    report(&the_topic, 0);
    assert_int_equal(the_log.n, 10);
    report(&the_log, 0);
}

static void another_log_is_noticed(void **state)
{
    (void)state;
    event_partition_close(partition);
    begin_at(5);
    opened("c.1.a");
    assert_false(event_partition_end(partition, 1));
}

static void what_is_no_record_is_counted(void **state)
{
    Imc__V1__SessionRecord record;
    imc__v1__session_record__init(&record);

    (void)state;
    opened("nobody");
    take("c.1.a", &record);
    assert_int_equal(counters[JOB_EVENTS_MALFORMED], 2);
    assert_int_equal(event_partition_position(partition), 2);
}

static void types_that_are_not_wanted_are_not_told(void **state)
{
    (void)state;
    outlets.types = 0;
    opened("c.1.a");
    ended("c.1.a", false);
    assert_int_equal(the_topic.n, 0);
    SAID(&the_log, "c.1.a");
    assert_int_equal(event_partition_position(partition), 2);
}

/* What docs/events.md says of memory. */
static void a_session_takes_little(void **state)
{
    enum { N = 100000 };
    struct session_table table;
    struct session_name name = {"c", 1, 0};

    (void)state;
    session_table_init(&table);
    for (name.handle = 1; name.handle <= N; name.handle++)
        session_table_open(&table, &name, 7, 1000);
    size_t bytes = slab_reserved(table.slab) + session_table_map_bytes(&table);
    print_message("%zu bytes a session\n", bytes / N);
    assert_true(bytes / N <= SESSION_TABLE_BYTES);
    session_table_free(&table);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_session_is_told_and_deleted),
        TEST(what_comes_twice_is_told_once),
        TEST(what_is_opened_after_its_end_stays_closed),
        TEST(an_end_alone_tells_both),
        TEST(an_end_of_anybody_ends_what_is_open),
        TEST(what_fails_is_sent_again_in_order),
        TEST(what_was_confirmed_is_not_sent_again),
        TEST(a_new_owner_tells_what_the_old_one_had_not),
        TEST(sessions_of_a_dead_comet_end),
        TEST(a_comet_is_not_dead_because_our_list_is_old),
        TEST(only_so_many_are_remembered),
        TEST(another_log_is_noticed),
        TEST(what_is_no_record_is_counted),
        TEST(types_that_are_not_wanted_are_not_told),
        cmocka_unit_test(a_session_takes_little),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
