/* Messages that were parked are read again from the log in which they stand now, whatever was read
 * in advance of a former one. What librdkafka would have fetched is this test's: the log as it was
 * when reading began. */
#include "common/base/mem.h"
#include "job/base/job.h"
#include "job/delivery/dispatch.h"
#include "job/kafka/reread.h"
#include "job/partition/partition.h"

#include <librdkafka/rdkafka.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { MESSAGES = 10, UID = 42 };

static struct {
    struct loop loop;
    struct job_config config;
    _Atomic int64_t counters[JOB_METRIC_COUNT];
    struct job job;
    struct partition partition;
    struct reread *again;
    struct reread_partition *reader;
    int log;     /* which one Kafka has now */
    int fetched; /* of which the reader has something in advance; 0: nothing */
    int64_t at;  /* the next message of that */
    int starts;
    int64_t got; /* the offset that was read again last, */
    int got_of;  /* and of which log; 0: none was */
    int taken;   /* how many were */
} w;

/* --- instead of librdkafka's --- */

int rd_kafka_consume_start_queue(rd_kafka_topic_t *topic, int32_t partition, int64_t offset,
                                 rd_kafka_queue_t *queue)
{
    (void)topic, (void)partition, (void)queue;
    assert_int_equal(w.fetched, 0);
    w.fetched = w.log;
    w.at = offset;
    w.starts++;
    return 0;
}

int rd_kafka_consume_stop(rd_kafka_topic_t *topic, int32_t partition)
{
    (void)topic, (void)partition;
    w.fetched = 0;
    return 0;
}

ssize_t rd_kafka_consume_batch_queue(rd_kafka_queue_t *queue, int timeout_ms,
                                     rd_kafka_message_t **messages, size_t most)
{
    size_t n = 0;

    (void)queue, (void)timeout_ms;
    for (; w.fetched != 0 && n < most && w.at < MESSAGES; n++) {
        messages[n] = mem_zalloc(sizeof *messages[n]);
        messages[n]->offset = w.at++;
        messages[n]->payload = &w.fetched;
        messages[n]->len = sizeof w.fetched;
    }
    return (ssize_t)n;
}

void rd_kafka_message_destroy(rd_kafka_message_t *message)
{
    free(message);
}

/* --- instead of job's --- */

void dispatch_again(struct partition *partition, int64_t from, int64_t offset, const void *payload,
                    size_t len)
{
    struct offset_parked parked;

    assert_int_equal(len, sizeof w.got_of);
    assert_true(from <= offset);
    if (!partition_parked(partition, &parked) || parked.offset != offset)
        return;
    w.got = offset;
    w.taken++;
    memcpy(&w.got_of, payload, len);
    offset_tracker_resolve(&partition->tracker, parked.ticket);
}

bool windows_may_return(const struct windows *windows, size_t shard)
{
    return !windows->full && (windows->passed >> shard & 1) == 0;
}

void windows_discharge(struct windows *windows, const struct message *message)
{
    (void)windows, (void)message;
}

void windows_charge(struct windows *windows, const struct message *message)
{
    (void)windows, (void)message;
}

void windows_park(struct windows *windows, size_t shard, int n)
{
    (void)windows, (void)shard, (void)n;
}

void user_order_remove(struct user_order *order, struct user_order_entry *entry)
{
    (void)order, (void)entry;
}

void user_order_unpark(struct user_order *order, int64_t uid)
{
    (void)order;
    assert_int_equal(uid, UID);
}

/* --- */

static void turn(void)
{
    for (int i = 0; i < 3; i++)
        uv_run(&w.loop.uv, UV_RUN_NOWAIT);
}

static void park_on(int64_t offset, size_t shard)
{
    offset_tracker_park(&w.partition.tracker, offset_tracker_add(&w.partition.tracker, offset, &w),
                        shard, UID);
}

static void park(int64_t offset)
{
    park_on(offset, 0);
}

static int setup(void **state)
{
    char brokers[] = "127.0.0.1:1", topic[] = "test", options[] = "";

    (void)state;
    memset(&w, 0, sizeof w);
    w.config = (struct job_config){.bus_brokers = mem_strdup(brokers),
                                   .bus_topic = mem_strdup(topic),
                                   .bus_options = mem_strdup(options),
                                   .fetch_wait_ms = 10};
    assert_int_equal(loop_init(&w.loop, "test", 0), 0);
    w.job = (struct job){.loop = &w.loop, .config = &w.config, .counters = w.counters};
    w.log = 1;
    partition_init(&w.partition, &w.job, 0);
    w.again = reread_open(&w.job);
    w.reader = reread_partition_open(w.again, &w.partition);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    reread_partition_close(w.reader);
    reread_close(w.again);
    partition_free(&w.partition);
    loop_close(&w.loop);
    free(w.config.bus_brokers);
    free(w.config.bus_topic);
    free(w.config.bus_options);
    return 0;
}

static void what_is_parked_is_read_when_there_is_room(void **state)
{
    (void)state;
    park(3);
    w.job.windows.full = true;
    reread_wake(w.reader);
    turn();
    assert_int_equal(w.fetched, 0);
    w.job.windows.full = false;
    reread_wake(w.reader);
    turn();
    assert_int_equal(w.got, 3);
    assert_int_equal(w.got_of, 1);
    assert_int_equal(w.fetched, 0); /* nothing else is parked */
}

/* Read in advance, no room any more, another log, and something of that parked at an offset that
 * the former one had, too. */
static void what_was_read_in_advance_goes_with_its_log(void **state)
{
    (void)state;
    park(3);
    reread_wake(w.reader);
    w.job.windows.full = true;
    turn();
    assert_int_equal(w.fetched, 1);
    assert_int_equal(w.got_of, 0);
    w.log = 2;
    partition_restart(&w.partition);
    reread_forget(w.reader);
    park(5);
    w.job.windows.full = false;
    reread_wake(w.reader);
    turn();
    assert_int_equal(w.got, 5);
    assert_int_equal(w.got_of, 2);
}

/* A shard takes no writes: what is parked for the other one is read all the same, and what was read
 * past is read when the shard is back. */
static void a_shard_that_is_passed_over_holds_up_no_other(void **state)
{
    (void)state;
    for (int64_t offset = 2; offset < 8; offset++)
        park_on(offset, (size_t)offset % 2);
    w.job.windows.passed = 1;
    reread_wake(w.reader);
    turn();
    assert_int_equal(w.taken, 3);
    assert_int_equal(w.got, 7);
    assert_int_equal(w.fetched, 0); /* nothing else may be read */
    reread_wake(w.reader);
    turn();
    assert_int_equal(w.starts, 1);
    w.job.windows.passed = 0;
    reread_wake(w.reader);
    turn();
    assert_int_equal(w.taken, 6);
    assert_int_equal(w.got, 6);
    assert_int_equal(w.starts, 2);
    assert_int_equal(w.partition.tracker.parked, 0);
}

/* It is back while the other one is read: reading begins anew from the lowest. */
static void a_shard_that_is_back_while_another_is_read_is_read_from_its_lowest(void **state)
{
    (void)state;
    park_on(2, 1);
    park_on(3, 0);
    park_on(MESSAGES + 1, 0); /* Kafka does not give it yet */
    w.job.windows.passed = 2;
    reread_wake(w.reader);
    turn();
    assert_int_equal(w.got, 3);
    assert_int_equal(w.fetched, 1);
    w.job.windows.passed = 0;
    reread_wake(w.reader);
    turn();
    assert_int_equal(w.got, 2);
    assert_int_equal(w.starts, 2);
    assert_int_equal(w.fetched, 1);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(what_is_parked_is_read_when_there_is_room),
        TEST(what_was_read_in_advance_goes_with_its_log),
        TEST(a_shard_that_is_passed_over_holds_up_no_other),
        TEST(a_shard_that_is_back_while_another_is_read_is_read_from_its_lowest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
