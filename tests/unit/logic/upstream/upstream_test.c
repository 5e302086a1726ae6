/* With librdkafka's mock cluster in this process, which can be told to answer wrongly. */
#include "common/base/mem.h"
#include "common/kafka/shutdown.h"
#include "logic/upstream/upstream.h"

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
static struct logic logic;
static rd_kafka_t *host;
static rd_kafka_mock_cluster_t *cluster;
static bool ready, was_unready;
static char why_unready[512];

void daemon_ready(struct daemon *daemon, const char *name, bool holds, const char *why_not)
{
    (void)daemon;
    assert_string_equal(name, "upstream");
    ready = holds;
    was_unready |= !holds;
    if (!holds)
        snprintf(why_unready, sizeof why_unready, "%s", why_not);
}

/* --- messages --- */

struct sent {
    struct upstream_ticket ticket;
    bool done;
    int err;
};

static struct sent sent[MOST];
static int order[MOST], n_order; /* in which they were done */

static void on_done(struct upstream_ticket *ticket, int err, const void *body, size_t len)
{
    struct sent *one = container_of(ticket, struct sent, ticket);

    assert_false(one->done);
    assert_true(body == NULL && len == 0); /* Kafka replies nothing */
    one->done = true;
    one->err = err;
    order[n_order++] = (int)(one - sent);
}

/* Its body is the character 'a' + N. */
static int send_one(int n)
{
    char body = (char)('a' + n);
    const struct upstream_event event = {.comet = "comet-1",
                                         .epoch = 0x1f,
                                         .handle = 0x2f,
                                         .number = (uint64_t)n + 1,
                                         .uid = 42,
                                         .body = &body,
                                         .len = 1};

    sent[n] = (struct sent){.ticket.done = on_done};
    return upstream_send(&logic, &event, &sent[n].ticket);
}

/* --- the loop --- */

static void on_deadline(uv_timer_t *timer)
{
    (void)timer;
    fail_msg("took too long; upstream: %s %s", ready ? "ready" : "not ready", why_unready);
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

static void on_tick(uv_timer_t *timer)
{
    (void)timer;
}

/* Sends N again and again, as a comet does, until Kafka has it. */
static void send_until_taken(int n)
{
    uv_timer_t tick;

    uv_timer_init(&loop.uv, &tick);
    uv_timer_start(&tick, on_tick, 20, 20);
    do {
        while (send_one(n) != 0)
            uv_run(&loop.uv, UV_RUN_ONCE);
        run_until(&sent[n].done);
    } while (sent[n].err != 0);
    uv_close((uv_handle_t *)&tick, NULL);
    uv_run(&loop.uv, UV_RUN_NOWAIT);
}

/* All bodies of the topic's only partition, in their order. */
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
    rd_kafka_topic_partition_list_add(list, "up", 0)->offset = 0;
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

static int64_t max_waiting = 1 << 20;

static int setup_with(int64_t timeout_ms)
{
    char err[256];

    memset(counters, 0, sizeof counters);
    n_order = 0;
    ready = false;
    host = rd_kafka_new(RD_KAFKA_PRODUCER, rd_kafka_conf_new(), err, sizeof err);
    cluster = rd_kafka_mock_cluster_new(host, 1);
    rd_kafka_mock_topic_create(cluster, "up", 1, 1);
    config = (struct logic_config){
        .bus_brokers = mem_strdup(rd_kafka_mock_cluster_bootstraps(cluster)),
        .bus_topic = mem_strdup("t"),
        .bus_options = mem_strdup(""),
        .upstream_topic = mem_strdup("up"),
        .upstream_hook.url = (char[]){""},
        .upstream_max_waiting = max_waiting,
        .bus_timeout_ms = timeout_ms,
    };
    logic = (struct logic){.config = &config, .counters = counters, .loop = &loop};
    assert_int_equal(loop_init(&loop, "test", 0), 0);
    assert_int_equal(upstream_open(&logic), 0);
    run_until(&ready);
    was_unready = false;
    return 0;
}

static int setup(void **state)
{
    (void)state;
    return setup_with(20000);
}

static int setup_narrow(void **state)
{
    (void)state;
    max_waiting = 100;
    int err = setup_with(20000);
    max_waiting = 1 << 20;
    return err;
}

static int setup_impatient(void **state)
{
    (void)state;
    return setup_with(300);
}

static int teardown(void **state)
{
    (void)state;
    upstream_close(logic.upstream);
    loop_close(&loop);
    assert_int_equal(kafka_shutdowns_wait(), 0);
    rd_kafka_mock_cluster_destroy(cluster);
    rd_kafka_destroy(host);
    free(config.bus_brokers);
    free(config.bus_topic);
    free(config.bus_options);
    free(config.upstream_topic);
    return 0;
}

/* --- tests --- */

static void messages_are_taken_in_order(void **state)
{
    char values[MOST];

    (void)state;
    for (int i = 0; i < 20; i++)
        assert_int_equal(send_one(i), 0);
    assert_true(upstream_waiting(logic.upstream) > 20);
    run_until(&sent[19].done);
    for (int i = 0; i < 20; i++) {
        assert_int_equal(sent[i].err, 0);
        assert_int_equal(order[i], i);
    }
    assert_int_equal(upstream_waiting(logic.upstream), 0);
    assert_int_equal(counters[LOGIC_UPSTREAM_PRODUCED], 20);
    read_all(values, sizeof values);
    assert_string_equal(values, "abcdefghijklmnopqrst");
}

/* One that Kafka refuses takes those behind it along, though Kafka might take them. */
static void after_a_failure_none_overtakes(void **state)
{
    char values[MOST];

    (void)state;
    rd_kafka_mock_push_request_errors(cluster, PRODUCE, 1,
                                      RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED);
    /* librdkafka takes nothing more from the moment when it knows of the failure. */
    rd_kafka_mock_broker_set_rtt(cluster, 1, 1000);
    for (int i = 0; i < 3; i++)
        assert_int_equal(send_one(i), 0);
    run_until(&sent[2].done);
    rd_kafka_mock_broker_set_rtt(cluster, 1, 0);
    bool failed = false;
    for (int i = 0; i < 3; i++) {
        assert_true(sent[i].done);
        failed |= sent[i].err != 0;
        assert_int_equal(sent[i].err, failed ? -EAGAIN : 0);
    }
    assert_true(failed && was_unready);
    assert_non_null(strstr(why_unready, "Describe and Write"));
    assert_int_equal(send_one(3), -EAGAIN);
    for (int i = 0; i < 3; i++)
        send_until_taken(i);
    assert_true(ready);
    assert_int_equal(counters[LOGIC_UPSTREAM_RESTARTS], 1);
    read_all(values, sizeof values);
    assert_non_null(strstr(values, "abc"));
}

static void a_kafka_that_says_nothing_is_given_up(void **state)
{
    (void)state;
    rd_kafka_mock_broker_set_rtt(cluster, 1, 5000);
    assert_int_equal(send_one(0), 0);
    run_until(&sent[0].done);
    assert_int_equal(sent[0].err, -EAGAIN);
    assert_non_null(strstr(why_unready, "bus.timeout"));
    rd_kafka_mock_broker_set_rtt(cluster, 1, 0);
    send_until_taken(0);
    assert_true(ready);
}

static void what_is_too_large_or_too_much_is_not_sent(void **state)
{
    struct upstream_ticket ticket = {.done = on_done};
    static char body[2 << 20];
    struct upstream_event event = {.comet = "c", .uid = 1, .body = body, .len = sizeof body};

    (void)state;
    assert_int_equal(upstream_send(&logic, &event, &ticket), -EMSGSIZE);
    assert_int_equal(counters[LOGIC_UPSTREAM_LARGE], 1);
    assert_int_equal(send_one(0), 0); /* one is always taken */
    assert_int_equal(send_one(1), -EAGAIN);
    assert_int_equal(counters[LOGIC_UPSTREAM_PUT_OFF], 1);
    run_until(&sent[0].done);
    assert_int_equal(send_one(1), 0);
    run_until(&sent[1].done);
    logic.memory = MEMORY_CRITICAL;
    assert_int_equal(send_one(2), -EAGAIN);
}

static void without_a_topic_there_is_nothing(void **state)
{
    struct logic_config off = {.upstream_topic = mem_strdup(""), .upstream_hook.url = (char[]){""}};
    struct logic other = {.config = &off, .loop = &loop};

    (void)state;
    assert_int_equal(upstream_open(&other), 0);
    assert_null(other.upstream);
    upstream_close(other.upstream);
    free(off.upstream_topic);
}

static void what_waits_at_the_end_fails(void **state)
{
    (void)state;
    rd_kafka_mock_broker_set_rtt(cluster, 1, 5000);
    assert_int_equal(send_one(0), 0);
    upstream_close(logic.upstream);
    logic.upstream = NULL;
    assert_int_equal(sent[0].err, -EAGAIN);
    rd_kafka_mock_broker_set_rtt(cluster, 1, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(messages_are_taken_in_order, setup, teardown),
        cmocka_unit_test_setup_teardown(after_a_failure_none_overtakes, setup, teardown),
        cmocka_unit_test_setup_teardown(a_kafka_that_says_nothing_is_given_up, setup_impatient,
                                        teardown),
        cmocka_unit_test_setup_teardown(what_is_too_large_or_too_much_is_not_sent, setup_narrow,
                                        teardown),
        cmocka_unit_test_setup_teardown(without_a_topic_there_is_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(what_waits_at_the_end_fails, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
