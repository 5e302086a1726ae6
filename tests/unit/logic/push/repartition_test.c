/* The whole command with a real Redis and librdkafka's mock cluster, at a clock that moves as fast
 * as Redis answers. A logic is the field that it keeps in Redis: what real ones write there is
 * partition_count_test.c's. Whoever changes something meanwhile does it when the command sleeps. */
#include "common/base/mem.h"
#include "common/kafka/shutdown.h"
#include "logic/push/partition_count.h"
#include "logic/push/repartition.h"
#include "tests/unit/lib/clock.h"
#include "tests/unit/lib/redis_server.h"

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

enum {
    BEFORE = 4,
    AFTER = 6,
    STEP_MS = 20,
    MOST_BEHIND = 20000,  /* messages */
    HEARD_MS = 60 * 1000, /* ago */
};

static struct redis_server server;
static struct logic_config config;
static struct daemon process = {.config = &config};
static rd_kafka_t *host;
static rd_kafka_mock_cluster_t *cluster;
static rd_kafka_t *kafka; /* of those who produce and commit */
static void (*meanwhile)(void);
static char said[4096]; /* on stderr, by the last command */

/* --- Redis, as others see it --- */

__attribute__((format(printf, 1, 2))) static const char *ask(const char *format, ...)
{
    static char text[256];
    redisContext *c = redisConnect("127.0.0.1", server.port);
    va_list args;

    va_start(args, format);
    redisReply *reply = redisvCommand(c, format, args);
    va_end(args);
    assert_non_null(reply);
    snprintf(text, sizeof text, "%s", reply->str != NULL ? reply->str : "");
    freeReplyObject(reply);
    redisFree(c);
    return text;
}

/* Logic ID produces ('p') or holds ('h'), as it said AGO_MS ago. */
static void logic_peer_is(const char *id, char state, int64_t ago_ms)
{
    long long at_ms = *redis_server_day() / 1000 - ago_ms;
    char said_last[32];

    (void)snprintf(said_last, sizeof said_last, "%c %lld", state, at_ms);
    ask("HSET imc:bus:t l:%s %s", id, said_last);
}

static void expect_agreed(int n, int version)
{
    char want[32];

    (void)snprintf(want, sizeof want, "%d", n);
    assert_string_equal(ask("HGET imc:bus:t n"), want);
    (void)snprintf(want, sizeof want, "%d", version);
    assert_string_equal(ask("HGET imc:bus:t v"), want);
    assert_string_equal(ask("HGET imc:bus:t hold"), ""); /* whatever came of it, it is over */
    assert_string_equal(ask("HGET imc:bus:t since"), "");
}

static void expect_number_is_old(void)
{
    assert_int_equal(strtol(ask("HGET imc:bus:t n"), NULL, 10), BEFORE);
}

static bool is_held(void)
{
    return ask("HGET imc:bus:t hold")[0] != '\0';
}

/* --- Kafka, as others see it --- */

static void produce(int partition, int n)
{
    for (int i = 0; i < n; i++) {
        rd_kafka_resp_err_t err =
            rd_kafka_producev(kafka, RD_KAFKA_V_TOPIC("t"), RD_KAFKA_V_PARTITION(partition),
                              RD_KAFKA_V_VALUE((char[]){"x"}, 1),
                              RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_END);
        assert_int_equal(err, RD_KAFKA_RESP_ERR_NO_ERROR);
    }
    assert_int_equal(rd_kafka_flush(kafka, CLOCK_HOPELESS_MS), RD_KAFKA_RESP_ERR_NO_ERROR);
}

/* The jobs have read PARTITION up to OFFSET. */
static void commit(int partition, int64_t offset)
{
    char err[256];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);

    rd_kafka_conf_set(conf, "bootstrap.servers", config.bus_brokers, err, sizeof err);
    rd_kafka_conf_set(conf, "group.id", "jobs", err, sizeof err);
    rd_kafka_t *job = rd_kafka_new(RD_KAFKA_CONSUMER, conf, err, sizeof err);
    rd_kafka_topic_partition_list_add(list, "t", partition)->offset = offset;
    assert_int_equal(rd_kafka_commit(job, list, 0), RD_KAFKA_RESP_ERR_NO_ERROR);
    rd_kafka_topic_partition_list_destroy(list);
    rd_kafka_destroy(job);
}

/* --- the command --- */

static void others(void)
{
    redis_servers_catch_up();
    if (meanwhile != NULL)
        meanwhile();
}

/* Its exit code. */
static int command(const char *argument)
{
    FILE *real = stderr, *caught = tmpfile();

    assert_non_null(caught);
    stderr = caught;
    int code = repartition(&process, argument);
    stderr = real;
    rewind(caught);
    said[fread(said, 1, sizeof said - 1, caught)] = '\0';
    (void)fclose(caught);
    return code;
}

static void expect_refusal(const char *argument, const char *why)
{
    assert_int_equal(command(argument), 1);
    if (strstr(said, why) == NULL)
        fail_msg("%s: \"%s\" has no \"%s\"", argument, said, why);
}

static void have_kafka(void)
{
    char err[256];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();

    host = rd_kafka_new(RD_KAFKA_PRODUCER, rd_kafka_conf_new(), err, sizeof err);
    cluster = rd_kafka_mock_cluster_new(host, 1);
    /* It cannot add any: the operator has. */
    rd_kafka_mock_topic_create(cluster, "t", AFTER, 1);
    config.bus_brokers = mem_strdup(rd_kafka_mock_cluster_bootstraps(cluster));
    rd_kafka_conf_set(conf, "bootstrap.servers", config.bus_brokers, err, sizeof err);
    kafka = rd_kafka_new(RD_KAFKA_PRODUCER, conf, err, sizeof err);
}

static int setup(void **state)
{
    static char none[] = "", topic[] = "t", group[] = "jobs";
    /* Connects at once, instead of when its timer of a second finds out that it has to. */
    static char options[] = "enable.sparse.connections=false";

    (void)state;
    clock_share(STEP_MS, others);
    clock_share_day(redis_server_day());
    redis_server_start(&server, NULL);
    config = (struct logic_config){
        .daemon = {.redis_servers = server.address,
                   .redis_user = none,
                   .redis_password = none,
                   .redis_sentinels = none,
                   .redis_master = none,
                   .redis_sentinel_password = none,
                   .redis_timeout_ms = 1000},
        .bus_topic = topic,
        .bus_group = group,
        .bus_options = options,
    };
    have_kafka();
    meanwhile = NULL;
    ask("HSET imc:bus:t n %d v 3", BEFORE);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    rd_kafka_destroy(kafka);
    rd_kafka_mock_cluster_destroy(cluster);
    rd_kafka_destroy(host);
    free(config.bus_brokers);
    redis_server_stop(&server);
    return 0;
}

/* --- the tests --- */

static void the_number_changes_when_all_hold_and_all_is_read(void **state)
{
    (void)state;
    logic_peer_is("logic-1", 'h', 0);
    logic_peer_is("logic-2", 'h', 0);
    produce(1, 3);
    commit(1, 3);
    assert_int_equal(command("6"), 0);
    assert_string_equal(said, "");
    expect_agreed(AFTER, 4);
    assert_int_equal(command("6"), 0); /* again: nothing to do */
    expect_agreed(AFTER, 4);
}

static int64_t held_since_us;

/* logic-2 learns of the hold later than others. */
static void hold_late(void)
{
    if (!is_held())
        return;
    if (held_since_us == 0)
        held_since_us = *redis_server_day();
    expect_number_is_old();
    if (*redis_server_day() - held_since_us > 2 * 1000000)
        logic_peer_is("logic-2", 'h', 0);
}

static void a_logic_that_still_produces_is_waited_for(void **state)
{
    (void)state;
    logic_peer_is("logic-1", 'h', 0);
    logic_peer_is("logic-2", 'p', 0);
    held_since_us = 0;
    meanwhile = hold_late;
    assert_int_equal(command("6"), 0);
    assert_true(held_since_us > 0);
    expect_agreed(AFTER, 4);
}

static void a_logic_that_never_holds_is_named_and_nothing_changes(void **state)
{
    (void)state;
    logic_peer_is("logic-1", 'h', 0);
    logic_peer_is("logic-2", 'p', HEARD_MS);
    expect_refusal("6", "1 logics do not hold, logic-2, heard of");
    expect_agreed(BEFORE, 3);
}

static void a_logic_that_nobody_has_heard_of_for_long_is_gone(void **state)
{
    (void)state;
    logic_peer_is("logic-1", 'h', 0);
    logic_peer_is("logic-2", 'p', PARTITION_COUNT_FORGET_MS + 1);
    assert_int_equal(command("6"), 0);
    expect_agreed(AFTER, 4);
}

static bool committed;

static void read_late(void)
{
    if (!is_held() || committed)
        return;
    if (held_since_us == 0)
        held_since_us = *redis_server_day();
    expect_number_is_old();
    if (*redis_server_day() - held_since_us <= 2 * 1000000)
        return;
    commit(3, 5);
    committed = true;
}

static void what_is_in_the_old_partitions_is_read_first(void **state)
{
    (void)state;
    logic_peer_is("logic-1", 'h', 0);
    produce(3, 5);
    commit(3, 4);
    produce(BEFORE, 9); /* nobody reads there yet, and nobody has to */
    held_since_us = 0;
    committed = false;
    meanwhile = read_late;
    assert_int_equal(command("6"), 0);
    assert_true(committed);
    expect_agreed(AFTER, 4);
}

static void a_job_that_is_stuck_is_said_and_nothing_changes(void **state)
{
    (void)state;
    logic_peer_is("logic-1", 'h', 0);
    produce(0, 2);
    expect_refusal("6", "jobs have 2 messages left");
    expect_agreed(BEFORE, 3);
}

/* Pushes do not even begin to wait. */
static void never_held(void)
{
    assert_false(is_held());
}

static void jobs_that_are_far_behind_are_not_waited_for(void **state)
{
    (void)state;
    logic_peer_is("logic-1", 'h', 0);
    produce(2, MOST_BEHIND + 1);
    meanwhile = never_held;
    expect_refusal("6", "jobs (bus.group = jobs) are 20001 messages behind");
    expect_agreed(BEFORE, 3);
}

static void the_number_cannot_fall(void **state)
{
    (void)state;
    logic_peer_is("logic-1", 'h', 0);
    expect_refusal("5", "topic t has 6 partitions already: their number cannot fall, say 6");
    expect_agreed(BEFORE, 3);
}

static void without_a_logic_there_is_nothing_to_change(void **state)
{
    (void)state;
    ask("DEL imc:bus:t");
    expect_refusal("6", "no logic has ever asked Redis (imc:bus:t): start one first");
    assert_string_equal(ask("HGET imc:bus:t n"), "");
}

static void without_redis_it_says_so(void **state)
{
    (void)state;
    redis_server_kill(&server);
    expect_refusal("6", "Redis does not answer: see redis.servers");
    redis_server_run(&server);
}

static void what_is_no_number_of_partitions_is_refused(void **state)
{
    static const char *const bad[] = {"", "0", "-6", "6x", "x", "10001", "99999999999999999999"};

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        expect_refusal(bad[i], "--set-partitions takes 1 to 10000, not \"");
    expect_agreed(BEFORE, 3);
}

#define row(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        row(the_number_changes_when_all_hold_and_all_is_read),
        row(a_logic_that_still_produces_is_waited_for),
        row(a_logic_that_never_holds_is_named_and_nothing_changes),
        row(a_logic_that_nobody_has_heard_of_for_long_is_gone),
        row(what_is_in_the_old_partitions_is_read_first),
        row(a_job_that_is_stuck_is_said_and_nothing_changes),
        row(jobs_that_are_far_behind_are_not_waited_for),
        row(the_number_cannot_fall),
        row(without_a_logic_there_is_nothing_to_change),
        row(without_redis_it_says_so),
        row(what_is_no_number_of_partitions_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
