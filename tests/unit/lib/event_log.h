/* event_log.h - a partition of the log of sessions, between a log and a business that take
 * messages when the test says so. Included once, by a test. */
#ifndef IMC_TESTS_UNIT_LIB_EVENT_LOG_H
#define IMC_TESTS_UNIT_LIB_EVENT_LOG_H

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

/* needs cmocka.h */
#include "tests/unit/lib/ordered_producer_stub.h"

enum { MOST = 64 };

/* --- the producers --- */

struct ordered_producer {
    struct ordered_ticket *tickets[MOST]; /* of the log */
    struct event_parcel *parcels[MOST];   /* of the topic; NULL: cancelled */
    char said[MOST][600]; /* a topic: session and type; a log: "KEY", "KEY due", "KEY lost" */
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

static void say_event(const struct event_parcel *parcel, char *out, size_t size)
{
    json_t *event = json_loadb(parcel->json, parcel->len, 0, NULL);

    (void)snprintf(out, size, "%s", json_string_value(json_object_get(event, "id")));
    json_decref(event);
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
    assert_true(record->due || record->how == IMC__V1__SESSION_RECORD__HOW__LOST);
    strncat(out, record->due ? " due" : " lost", size - strlen(out) - 1);
    arena_free(&arena);
    free(message->value);
}

int ordered_producer_send(struct ordered_producer *producer, struct kafka_message *message,
                          size_t bytes, int32_t to, struct ordered_ticket *ticket)
{
    assert_true(bytes > message->key_len + message->value_len);
    if (producer->refuses)
        return -EAGAIN;
    assert_int_equal(to, 3);
    say_record(message, producer->said[producer->n], 600);
    producer->tickets[producer->n++] = ticket;
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

/* --- the business --- */

static bool cancels;

int event_outlet_send(struct event_outlet *outlet, struct event_parcel *parcel)
{
    (void)outlet;
    if (the_topic.refuses)
        return -EAGAIN;
    say_event(parcel, the_topic.said[the_topic.n], 600);
    the_topic.parcels[the_topic.n++] = parcel;
    return 0;
}

bool event_outlet_cancel(struct event_outlet *outlet, struct event_parcel *parcel)
{
    (void)outlet;
    for (size_t i = the_topic.taken; cancels && i < the_topic.n; i++) {
        if (the_topic.parcels[i] == parcel)
            the_topic.parcels[i] = NULL;
    }
    return cancels;
}

const char *event_outlet_name(const struct event_outlet *outlet)
{
    (void)outlet;
    return "t";
}

static void report_one(struct ordered_producer *producer, size_t i, int err)
{
    if (producer == &the_log)
        producer->tickets[i]->done(producer->tickets[i], err);
    else if (producer->parcels[i] != NULL)
        producer->parcels[i]->done(producer->parcels[i], err);
}

/* Reports what PRODUCER was sent and has not reported, all with ERR. */
static void report(struct ordered_producer *producer, int err)
{
    size_t n = producer->n;

    while (producer->taken < n)
        report_one(producer, producer->taken++, err);
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
static int64_t opening_uid = 7;
static uint64_t opening_ms = 1000;

static void take(const char *key, const Imc__V1__SessionRecord *record)
{
    uint8_t value[256];
    char copy[128];
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
    record.uid = opening_uid;
    record.opened_ms = opening_ms;
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

/* What job has written itself. */
static void due(const char *key)
{
    Imc__V1__SessionRecord record;
    imc__v1__session_record__init(&record);

    record.what = IMC__V1__SESSION_RECORD__WHAT__ENDED;
    record.uid = 7;
    record.ended_ms = 2000;
    record.due = true;
    take(key, &record);
}

static void deleted(const char *key)
{
    take(key, NULL);
}

static void check_said(const struct ordered_producer *producer, const char *const *wanted)
{
    size_t n = 0;

    for (; wanted[n] != NULL; n++) {
        assert_true(n < producer->n);
        assert_string_equal(producer->said[n], wanted[n]);
    }
    assert_int_equal(producer->n, n);
}

#define SAID(producer, ...) check_said(producer, (const char *const[]){__VA_ARGS__, NULL})

static uint64_t noon_ms;

static uint64_t at_noon(void *arg)
{
    (void)arg;
    return noon_ms;
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
                                     .now_ms = at_noon,
                                     .types = ~0U};
    outlets.pump.run = on_pump;
    comet = (struct member){.id = "c", .epoch = 1};
    lives = fresh = true;
    cancels = false;
    opening_uid = 7;
    opening_ms = 1000;
    noon_ms = 5000;
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

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

#endif
