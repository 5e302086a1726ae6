#include "common/kafka/kafka.h"
#include "common/kafka/shutdown.h"
#include "common/kafka/topics.h"

#include <errno.h>
#include <pthread.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* needs the above */
#include <cmocka.h>

static const char *conf_value(rd_kafka_conf_t *conf, const char *name)
{
    static char value[256];
    size_t size = sizeof value;

    assert_int_equal(rd_kafka_conf_get(conf, name, value, &size), RD_KAFKA_CONF_OK);
    return value;
}

static void options_are_applied(void **state)
{
    char err[256] = "";
    rd_kafka_conf_t *conf = kafka_conf_new("127.0.0.1:1", "me", err, sizeof err);

    (void)state;
    assert_non_null(conf);
    assert_string_equal(conf_value(conf, "client.id"), "me");
    assert_int_equal(kafka_conf_options(conf, NULL, err, sizeof err), 0);
    assert_int_equal(kafka_conf_options(conf, " ", err, sizeof err), 0);
    assert_int_equal(kafka_conf_options(conf, "linger.ms = 7 , debug=broker,topic,client.rack=r1,",
                                        err, sizeof err),
                     0);
    assert_string_equal(conf_value(conf, "linger.ms"), "7");
    assert_string_equal(conf_value(conf, "debug"), "broker,topic");
    assert_string_equal(conf_value(conf, "client.rack"), "r1");
    rd_kafka_conf_destroy(conf);
}

static void bad_options_say_what(void **state)
{
    char err[256];

    (void)state;
    assert_int_equal(kafka_options_check("linger.ms=1", err, sizeof err), 0);
    assert_int_equal(kafka_options_check("no.such=1", err, sizeof err), -EINVAL);
    assert_non_null(strstr(err, "no.such"));
    assert_int_equal(kafka_options_check("linger.ms=x", err, sizeof err), -EINVAL);
    assert_non_null(strstr(err, "linger.ms=x"));
    /* But not a secret. */
    assert_int_equal(kafka_options_check("offset.store.method=hush", err, sizeof err), -EINVAL);
    assert_null(strstr(err, "hush"));
    assert_non_null(strstr(err, "offset.store.method"));
    assert_int_equal(kafka_options_check("hush", err, sizeof err), -EINVAL);
    assert_null(strstr(err, "hush"));
    assert_int_equal(kafka_options_check("linger.ms", err, sizeof err), -EINVAL);
    assert_non_null(strstr(err, "name=value"));
}

/* --- with librdkafka's mock cluster, in this process --- */

struct bus {
    struct loop loop;
    rd_kafka_t *rk;
    int reports, topics_ok, drains, per_drain;
};

static bool drain_reports(rd_kafka_queue_t *queue, void *arg)
{
    struct bus *bus = arg;

    bus->drains++;
    for (int i = 0; i < bus->per_drain; i++) {
        rd_kafka_event_t *event = rd_kafka_queue_poll(queue, 0);
        if (event == NULL)
            return false;
        if (rd_kafka_event_type(event) == RD_KAFKA_EVENT_DR)
            bus->reports += (int)rd_kafka_event_message_count(event);
        rd_kafka_event_destroy(event);
    }
    return true;
}

static void on_topic(bool ok, const char *why, void *arg)
{
    struct bus *bus = arg;

    (void)why;
    bus->topics_ok += ok;
}

static void on_deadline(uv_timer_t *timer)
{
    (void)timer;
    fail_msg("took too long");
}

static void open_bus(struct bus *bus, rd_kafka_conf_t *conf)
{
    char err[256];

    rd_kafka_conf_set_events(conf, RD_KAFKA_EVENT_DR);
    assert_int_equal(kafka_conf_set(conf, "test.mock.num.brokers", "1", err, sizeof err), 0);
    bus->rk = rd_kafka_new(RD_KAFKA_PRODUCER, conf, err, sizeof err);
    assert_non_null(bus->rk);
    assert_int_equal(loop_init(&bus->loop, "test", 0), 0);
}

static void queue_wakes_the_loop_and_topics_answer(void **state)
{
    enum { MESSAGES = 100 };
    struct bus bus = {.per_drain = 1}; /* stops after each event, and must be called again */
    struct kafka_topic topic = {.name = "t", .partitions = 1, .replication = 1, .rights = "Write"};
    struct kafka_queue *queue;
    struct kafka_topics *topics;
    char err[256];
    char value[] = "x";
    uv_timer_t deadline;

    (void)state;
    open_bus(&bus, kafka_conf_new("127.0.0.1:1", "test", err, sizeof err));
    rd_kafka_queue_t *main_queue = rd_kafka_queue_get_main(bus.rk);
    assert_int_equal(kafka_queue_open(&bus.loop, main_queue, drain_reports, &bus, &queue), 0);
    assert_int_equal(kafka_topics_open(&bus.loop, bus.rk, &topic, on_topic, &bus, &topics), 0);
    uv_timer_init(&bus.loop.uv, &deadline);
    uv_timer_start(&deadline, on_deadline, 20000, 0);
    while (bus.topics_ok == 0)
        uv_run(&bus.loop.uv, UV_RUN_ONCE);
    for (int i = 0; i < MESSAGES; i++)
        assert_int_equal(
            rd_kafka_producev(bus.rk, RD_KAFKA_V_TOPIC("t"), RD_KAFKA_V_VALUE(value, 1),
                              RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_END),
            0);
    while (bus.reports < MESSAGES)
        uv_run(&bus.loop.uv, UV_RUN_ONCE);
    kafka_topics_ask(topics);
    while (bus.topics_ok < 2)
        uv_run(&bus.loop.uv, UV_RUN_ONCE);

    int drains = bus.drains;
    kafka_queue_wake(queue);
    kafka_queue_close(queue);
    kafka_look_wait(kafka_topics_close(topics));
    uv_run(&bus.loop.uv, UV_RUN_NOWAIT);
    assert_int_equal(bus.drains, drains); /* no drain() after close */
    rd_kafka_queue_destroy(main_queue);
    loop_close(&bus.loop);
    rd_kafka_destroy(bus.rk);
}

/* Reads an empty partition to its end, which asks the broker for the topic. */
static void read_to_the_end(void)
{
    char err[256];
    rd_kafka_conf_t *conf = kafka_conf_new("127.0.0.1:1", "test", err, sizeof err);
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_resp_err_t got = RD_KAFKA_RESP_ERR_NO_ERROR;

    assert_int_equal(kafka_conf_set(conf, "test.mock.num.brokers", "1", err, sizeof err), 0);
    assert_int_equal(kafka_conf_set(conf, "group.id", "g", err, sizeof err), 0);
    assert_int_equal(kafka_conf_set(conf, "enable.partition.eof", "true", err, sizeof err), 0);
    assert_int_equal(kafka_conf_set(conf, "auto.offset.reset", "earliest", err, sizeof err), 0);
    rd_kafka_t *rk = rd_kafka_new(RD_KAFKA_CONSUMER, conf, err, sizeof err);
    assert_non_null(rk);
    rd_kafka_topic_partition_list_add(list, "t", 0);
    assert_int_equal(rd_kafka_assign(rk, list), 0);
    for (int tries = 0; got != RD_KAFKA_RESP_ERR__PARTITION_EOF && tries < 300; tries++) {
        rd_kafka_message_t *message = rd_kafka_consumer_poll(rk, 200);
        got = message != NULL ? message->err : got;
        if (message != NULL)
            rd_kafka_message_destroy(message);
    }
    assert_int_equal(got, RD_KAFKA_RESP_ERR__PARTITION_EOF);
    rd_kafka_topic_partition_list_destroy(list);
    rd_kafka_destroy(rk);
}

/* The development bus does not know allow.auto.create.topics: librdkafka says so with every request
 * for a topic, which is every three seconds, to whoever reads the log. */
static void a_bus_without_autocreate_is_told_of_once(void **state)
{
    char text[8192];
    int told = 0, old = dup(STDERR_FILENO);
    FILE *log = tmpfile();

    (void)state;
    assert_non_null(log);
    dup2(fileno(log), STDERR_FILENO);
    read_to_the_end();
    read_to_the_end();
    dup2(old, STDERR_FILENO);
    close(old);
    rewind(log);
    while (fgets(text, sizeof text, log) != NULL)
        told += strstr(text, "facility=AUTOCREATE") != NULL;
    fclose(log);
    assert_int_equal(told, 1);
}

/* With a message that was never delivered. */
static void an_instance_ends_by_itself(void **state)
{
    char err[256];
    char value[] = "x";

    (void)state;
    assert_int_equal(kafka_shutdowns_wait(), 0); /* there is none */
    rd_kafka_t *rk = rd_kafka_new(
        RD_KAFKA_PRODUCER, kafka_conf_new("127.0.0.1:1", "test", err, sizeof err), err, sizeof err);
    assert_int_equal(rd_kafka_producev(rk, RD_KAFKA_V_TOPIC("t"), RD_KAFKA_V_VALUE(value, 1),
                                       RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_END),
                     0);
    struct kafka_shutdown *end = kafka_shutdown(rk, NULL);
    assert_int_equal(kafka_shutdowns_wait(), 0);
    assert_true(kafka_shutdown_is_over(end));
    kafka_shutdown_forget(end);
    kafka_shutdown_forget(NULL);
}

static pthread_t test_thread;
static _Atomic bool stuck;

/* As one that looks up a name at a server that does not answer. */
static void get_stuck(const rd_kafka_t *rk, int level, const char *facility, const char *text)
{
    (void)rk;
    (void)level;
    (void)facility;
    (void)text;
    while (!pthread_equal(pthread_self(), test_thread) &&
           atomic_load_explicit(&stuck, memory_order_acquire))
        uv_sleep(5);
}

static void an_instance_that_does_not_end_is_left_behind(void **state)
{
    char err[256];
    rd_kafka_conf_t *conf = kafka_conf_new("127.0.0.1:1", "test", err, sizeof err);

    (void)state;
    test_thread = pthread_self();
    stuck = true;
    rd_kafka_conf_set_log_cb(conf, get_stuck);
    rd_kafka_t *rk = rd_kafka_new(RD_KAFKA_PRODUCER, conf, err, sizeof err);
    struct kafka_shutdown *end = kafka_shutdown(rk, NULL);
    assert_false(kafka_shutdown_is_over(end));
    uint64_t began = uv_hrtime();
    assert_int_equal(kafka_shutdowns_wait(), 1);
    assert_true((uv_hrtime() - began) / 1000000 >= KAFKA_SHUTDOWN_MS - 500);
    assert_true(kafka_shutdown_is_over(end));
    atomic_store_explicit(&stuck, false, memory_order_release);
    while (kafka_shutdowns_wait() > 0)
        uv_sleep(10);
    kafka_shutdown_forget(end);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_bus_without_autocreate_is_told_of_once), /* of all in this process */
        cmocka_unit_test(options_are_applied),
        cmocka_unit_test(bad_options_say_what),
        cmocka_unit_test(queue_wakes_the_loop_and_topics_answer),
        cmocka_unit_test(an_instance_ends_by_itself),
        cmocka_unit_test(an_instance_that_does_not_end_is_left_behind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
