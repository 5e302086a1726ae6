/* With librdkafka's mock cluster in this process, which can be told to answer wrongly. */
#include "common/base/mem.h"
#include "common/kafka/shutdown.h"
#include "logic/push/kafka_producer.h"
#include "logic/push/partition_count.h"

#include <errno.h>
#include <librdkafka/rdkafka.h>
/* needs rdkafka.h before it */
#include <librdkafka/rdkafka_mock.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

/* needs the above */
#include <cmocka.h>

enum { PRODUCE = 0 /* Kafka's number of the request */, MOST = 64 };

static _Atomic int64_t counters[LOGIC_METRIC_COUNT];
static struct logic_config config;
static struct loop loop;
static struct logic the_logic = {.config = &config, .counters = counters, .loop = &loop};
static rd_kafka_t *host;
static rd_kafka_mock_cluster_t *cluster;
static struct kafka_producer *producer;
static bool ready, was_unready;
static char why_unready[256];

void daemon_ready(struct daemon *daemon, const char *name, bool holds, const char *why_not)
{
    (void)daemon;
    assert_string_equal(name, "bus");
    ready = holds;
    was_unready |= !holds;
    if (!holds)
        snprintf(why_unready, sizeof why_unready, "%s", why_not);
}

/* --- in place of the agreement: it can be held up --- */

static long opaque;
static struct partition_count *const an_agreement = (struct partition_count *)(void *)&opaque;
static struct partition_permit agreed;
static const struct partition_count_events *agree_events;
static void *agree_arg;

static void agree_to(int partitions)
{
    agreed =
        (struct partition_permit){.n = partitions, .until_ms = partitions > 0 ? UINT64_MAX : 0};
}

struct partition_count *partition_count_open(struct logic *logic,
                                             const struct partition_count_events *events, void *arg)
{
    (void)logic;
    agree_events = events;
    agree_arg = arg;
    agree_to(1);
    return an_agreement;
}

void partition_count_saw(struct partition_count *agree, int partitions, uint64_t seen_ms)
{
    assert_ptr_equal(agree, an_agreement);
    assert_true(partitions == 1 && seen_ms > 0);
}

const struct partition_permit *partition_count_permit(const struct partition_count *agree)
{
    assert_ptr_equal(agree, an_agreement);
    return &agreed;
}

const char *partition_count_refusal(const struct partition_count *agree)
{
    assert_ptr_equal(agree, an_agreement);
    return agreed.until_ms == 0 ? "held" : NULL;
}

void partition_count_close(struct partition_count *agree)
{
    assert_ptr_equal(agree, an_agreement);
}

/* --- messages --- */

struct sent {
    struct kafka_ticket ticket;
    bool done;
    int err;
    char why[128];
};

static struct sent sent[MOST];

static void on_done(struct kafka_ticket *ticket, int err, const char *why)
{
    struct sent *message = container_of(ticket, struct sent, ticket);

    assert_false(message->done);
    message->done = true;
    message->err = err;
    snprintf(message->why, sizeof message->why, "%s", why);
}

/* Its value is the character 'a' + N, its key the same for all. */
static int produce(int n)
{
    const char *why;
    char *value = mem_alloc(4);
    struct kafka_message message = {.value = value, .value_len = 1, .key = value + 1, .key_len = 3};

    memcpy(value, (char[]){(char)('a' + n), 'k', 'e', 'y'}, 4);
    sent[n] = (struct sent){.ticket.done = on_done};
    int err = kafka_produce(producer, &message, &sent[n].ticket, &why);
    if (err != 0)
        free(value);
    return err;
}

/* --- the loop --- */

static void on_deadline(uv_timer_t *timer)
{
    (void)timer;
    fail_msg("took too long; bus: %s %s", ready ? "ready" : "not ready", why_unready);
}

static void run_until(const bool *flag)
{
    uv_timer_t deadline;

    uv_timer_init(&loop.uv, &deadline);
    uv_timer_start(&deadline, on_deadline, 60000, 0);
    while (!*flag)
        uv_run(&loop.uv, UV_RUN_ONCE);
    uv_close((uv_handle_t *)&deadline, NULL);
    uv_run(&loop.uv, UV_RUN_NOWAIT);
}

/* All values of the topic's only partition, in their order, without probes. */
static void read_all(char *values, size_t size)
{
    char err[256];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    size_t n = 0;

    rd_kafka_conf_set(conf, "bootstrap.servers", config.bus_brokers, err, sizeof err);
    rd_kafka_conf_set(conf, "group.id", "test", err, sizeof err);
    rd_kafka_conf_set(conf, "enable.partition.eof", "true", err, sizeof err);
    rd_kafka_t *reader = rd_kafka_new(RD_KAFKA_CONSUMER, conf, err, sizeof err);
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(list, "t", 0)->offset = 0;
    rd_kafka_assign(reader, list);
    rd_kafka_topic_partition_list_destroy(list);
    for (bool end = false; !end;) {
        rd_kafka_message_t *message = rd_kafka_consumer_poll(reader, 60000);
        assert_non_null(message);
        end = message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF;
        if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR && message->len == 1 && n + 1 < size)
            values[n++] = *(char *)message->payload;
        rd_kafka_message_destroy(message);
    }
    values[n] = '\0';
    rd_kafka_destroy(reader);
}

static int setup(void **state)
{
    char err[256];

    (void)state;
    memset(counters, 0, sizeof counters);
    host = rd_kafka_new(RD_KAFKA_PRODUCER, rd_kafka_conf_new(), err, sizeof err);
    cluster = rd_kafka_mock_cluster_new(host, 1);
    rd_kafka_mock_topic_create(cluster, "t", 1, 1);
    config = (struct logic_config){
        .bus_brokers = mem_strdup(rd_kafka_mock_cluster_bootstraps(cluster)),
        .bus_topic = mem_strdup("t"),
        .bus_options = mem_strdup(""),
        .bus_partitions = 1,
        .bus_replication = 1,
        .bus_linger_ms = 1,
        .bus_timeout_ms = 20000,
    };
    assert_int_equal(loop_init(&loop, "test", 0), 0);
    assert_int_equal(kafka_producer_open(&the_logic, &producer), 0);
    run_until(&ready);
    was_unready = false;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    kafka_producer_close(producer);
    assert_int_equal(kafka_shutdowns_wait(), 0);
    loop_close(&loop);
    rd_kafka_mock_cluster_destroy(cluster);
    rd_kafka_destroy(host);
    free(config.bus_brokers);
    free(config.bus_topic);
    free(config.bus_options);
    return 0;
}

/* --- */

static void messages_arrive_in_order(void **state)
{
    char values[MOST];

    (void)state;
    for (int i = 0; i < 20; i++)
        assert_int_equal(produce(i), 0);
    run_until(&sent[19].done);
    for (int i = 0; i < 20; i++)
        assert_true(sent[i].done && sent[i].err == 0);
    read_all(values, sizeof values);
    assert_string_equal(values, "abcdefghijklmnopqrst");
    assert_false(was_unready);
}

static void messages_wait_while_partitions_change(void **state)
{
    char values[MOST];

    (void)state;
    assert_int_equal(produce(0), 0);
    run_until(&sent[0].done);
    assert_true(agree_events->idle(agree_arg));
    agree_to(0);
    for (int i = 1; i < 5; i++)
        assert_int_equal(produce(i), 0);
    uv_run(&loop.uv, UV_RUN_NOWAIT);
    assert_true(agree_events->idle(agree_arg)); /* nothing has left */
    agree_to(1);
    agree_events->opened(agree_arg);
    run_until(&sent[4].done);
    read_all(values, sizeof values);
    assert_string_equal(values, "abcde");

    /* For ever? They are refused with the reason. */
    agree_to(0);
    config.bus_timeout_ms = 200;
    assert_int_equal(produce(5), 0);
    run_until(&sent[5].done);
    assert_int_equal(sent[5].err, -EIO);
    assert_string_equal(sent[5].why, "held");
}

/* Nobody tells it how much the topic takes. */
static void a_limit_is_learned_from_refusals(void **state)
{
    static const rd_kafka_resp_err_t errors[] = {RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE};
    size_t most = kafka_producer_most(producer);

    (void)state;
    for (int i = 0; i < 2; i++) {
        rd_kafka_mock_push_request_errors_array(cluster, PRODUCE, 1, errors);
        assert_int_equal(produce(2 * i), 0);
        run_until(&sent[2 * i].done);
        assert_int_equal(sent[2 * i].err, -EIO);
        assert_in_range(kafka_producer_most(producer), most / 2 - 1000, most / 2);
        most = kafka_producer_most(producer);
        assert_int_equal(produce(2 * i + 1), 0);
        run_until(&sent[2 * i + 1].done);
        assert_int_equal(sent[2 * i + 1].err, 0);
    }
    assert_false(was_unready); /* one message's fault is not the bus's */
    assert_int_equal(counters[LOGIC_PRODUCER_RESTARTS], 0);
}

/* A request's connection breaks, the next is answered "out of order sequence number": nothing can
 * be produced any more with this producer. */
static void fail_for_good(int n)
{
    static const rd_kafka_resp_err_t errors[] = {RD_KAFKA_RESP_ERR__TRANSPORT,
                                                 RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER};

    rd_kafka_mock_push_request_errors_array(cluster, PRODUCE, 2, errors);
    assert_int_equal(produce(n), 0);
    run_until(&sent[n].done);
    assert_int_equal(sent[n].err, -EIO);
}

static void a_producer_that_failed_for_good_is_replaced(void **state)
{
    char values[MOST];

    (void)state;
    assert_int_equal(produce(0), 0);
    run_until(&sent[0].done);
    fail_for_good(1);
    for (int i = 2; i < 12; i++)
        assert_int_equal(produce(i), 0); /* waits for the new one */
    run_until(&sent[11].done);
    for (int i = 2; i < 12; i++)
        assert_int_equal(sent[i].err, 0);
    assert_int_equal(counters[LOGIC_PRODUCER_RESTARTS], 1);
    assert_true(was_unready);
    run_until(&ready);
    read_all(values, sizeof values);
    assert_string_equal(values, "acdefghijkl"); /* b was refused, and none came twice */
}

static void it_fails_again_and_is_replaced_again(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++) {
        fail_for_good(2 * i);
        assert_int_equal(produce(2 * i + 1), 0);
        run_until(&sent[2 * i + 1].done);
        assert_int_equal(sent[2 * i + 1].err, 0);
    }
    assert_int_equal(counters[LOGIC_PRODUCER_RESTARTS], 3);
    for (int i = 0; i < 6; i++)
        assert_true(sent[i].done);
}

static void closing_while_it_is_replaced_ends_every_message(void **state)
{
    (void)state;
    fail_for_good(0);
    assert_int_equal(produce(1), 0);
    kafka_producer_close(producer);
    assert_true(sent[1].done);
    assert_int_equal(sent[1].err, -ECANCELED);
    uv_run(&loop.uv, UV_RUN_NOWAIT);
    ready = false;
    assert_int_equal(kafka_producer_open(&the_logic, &producer), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(messages_arrive_in_order, setup, teardown),
        cmocka_unit_test_setup_teardown(messages_wait_while_partitions_change, setup, teardown),
        cmocka_unit_test_setup_teardown(a_limit_is_learned_from_refusals, setup, teardown),
        cmocka_unit_test_setup_teardown(a_producer_that_failed_for_good_is_replaced, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(it_fails_again_and_is_replaced_again, setup, teardown),
        cmocka_unit_test_setup_teardown(closing_while_it_is_replaced_ends_every_message, setup,
                                        teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
