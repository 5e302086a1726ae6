/* The whole job daemon, in a process of its own, with a real Redis, librdkafka's mock cluster, a
 * fake comet and a fake logic: offsets survive a clean end and kill -9, partitions move between
 * jobs, nothing is lost. */
#include "common/membership/membership.h"
#include "job/lifecycle.h"
#include "tests/unit/lib/clock.h"
#include "tests/unit/lib/redis_server.h"
#include "tests/unit/lib/scripted_peers.h"

#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>

#include <cmocka.h>

enum {
    PARTITIONS = 4,
    SESSION_S = 4,  /* the mock lets members wait so long to join: */
    JOIN_S = 3,     /* the first of a group waits for others, in the mock as in Kafka */
    JOIN_GROUP = 11 /* Kafka's number of that request */
};

static struct {
    struct redis_server redis_server;
    rd_kafka_t *kafka;   /* producer, and the mock cluster's home */
    rd_kafka_t *offsets; /* asks what the group has committed */
    rd_kafka_mock_cluster_t *cluster;
    _Atomic uint64_t cluster_ahead_s; /* of the mock's clock */
    struct loop loop;
    struct rpc *rpc;
    struct redis *redis;
    struct fake_comet *comet;
    struct fake_logic *logic;
    struct membership *comet_lease, *logic_lease;
    uint64_t id;
    char brokers[128], topic[64];
} world;

static char seen[FAKE_TEXT];
static pid_t jobs[8]; /* of the running test, alive or not */
static int n_jobs;

/* --- the world around job --- */

static void on_redis(struct redis *redis, bool up, const char *why, void *arg)
{
    (void)redis;
    (void)up;
    (void)why;
    (void)arg;
}

static void on_members(struct membership *membership, enum member_kind kind, void *arg)
{
    (void)membership;
    (void)kind;
    (void)arg;
}

static void on_held(struct membership *membership, bool lost, void *arg)
{
    (void)membership;
    (void)lost;
    (void)arg;
}

static struct membership *lease(enum member_kind kind, const char *id, int port)
{
    static const struct membership_events events = {on_members, on_held};
    struct membership_options options = {.kind = kind, .renew_ms = 300, .ttl_ms = 3000};

    snprintf(options.self.id, sizeof options.self.id, "%s", id);
    snprintf(options.self.rpc, sizeof options.self.rpc, "127.0.0.1:%d", port);
    options.self.weight = 1;
    return membership_open(&world.loop, world.redis, &options, &events, NULL);
}

static void turn(void)
{
    uv_run(&world.loop.uv, UV_RUN_NOWAIT);
    rd_kafka_poll(world.kafka, 0);
}

/* Real time: it is other processes that may do something. */
static void turn_for(uint64_t ms)
{
    for (uint64_t end = clock_real_ms() + ms; clock_real_ms() < end; usleep(1000))
        turn();
}

#define wait_for(condition) assert_true(until(condition, turn()))

/* --- Kafka --- */

static rd_kafka_resp_err_t on_thread(rd_kafka_t *kafka, rd_kafka_thread_type_t type,
                                     const char *name, void *arg)
{
    (void)kafka;
    (void)name;
    (void)arg;
    if (type == RD_KAFKA_THREAD_BACKGROUND) /* the mock's */
        clock_follow(&world.cluster_ahead_s);
    return RD_KAFKA_RESP_ERR_NO_ERROR;
}

static rd_kafka_resp_err_t on_new(rd_kafka_t *kafka, const rd_kafka_conf_t *conf, void *arg,
                                  char *why, size_t size)
{
    (void)conf;
    (void)why;
    (void)size;
    return rd_kafka_interceptor_add_on_thread_start(kafka, "clock", on_thread, arg);
}

/* What the mock waits for is over. Who is in the group has been heard of so lately that it stays.
 */
static void kafka_hurry(unsigned s)
{
    atomic_fetch_add(&world.cluster_ahead_s, s);
}

/* The next N requests to join are counted. */
static void kafka_count_joins(size_t n)
{
    const rd_kafka_resp_err_t fine = RD_KAFKA_RESP_ERR_NO_ERROR;

    for (size_t i = 0; i < n && world.cluster != NULL; i++)
        rd_kafka_mock_broker_push_request_error_rtts(world.cluster, 1, JOIN_GROUP, 1, fine, 0);
}

static bool kafka_has_joins(void)
{
    size_t left = 1;

    if (world.cluster == NULL)
        return true;
    rd_kafka_mock_broker_error_stack_cnt(world.cluster, 1, JOIN_GROUP, &left);
    return left == 0;
}

static void start_kafka(void)
{
    const char *brokers = getenv("IMC_TEST_BROKERS");
    static int topics;
    char why[256];

    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rd_kafka_conf_interceptor_add_on_new(conf, "clock", on_new, NULL);
    world.kafka = rd_kafka_new(RD_KAFKA_PRODUCER, conf, why, sizeof why);
    assert_non_null(world.kafka);
    snprintf(world.topic, sizeof world.topic, "imc-test-%d-%d", (int)getpid(), topics++);
    world.cluster = NULL;
    if (brokers == NULL) {
        world.cluster = rd_kafka_mock_cluster_new(world.kafka, 1);
        assert_non_null(world.cluster);
        rd_kafka_mock_topic_create(world.cluster, world.topic, PARTITIONS, 1);
        brokers = rd_kafka_mock_cluster_bootstraps(world.cluster);
    }
    snprintf(world.brokers, sizeof world.brokers, "%s", brokers);
    rd_kafka_brokers_add(world.kafka, brokers);
    conf = rd_kafka_conf_new();
    rd_kafka_conf_set(conf, "group.id", world.topic, why, sizeof why);
    rd_kafka_conf_set(conf, "bootstrap.servers", world.brokers, why, sizeof why);
    world.offsets = rd_kafka_new(RD_KAFKA_CONSUMER, conf, why, sizeof why);
    assert_non_null(world.offsets);
}

/* How many messages the group has committed, as they all begin at 0. */
static int64_t committed(void)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(PARTITIONS);
    int64_t n = 0;

    rd_kafka_topic_partition_list_add_range(list, world.topic, 0, PARTITIONS - 1);
    if (rd_kafka_committed(world.offsets, list, 1000) == RD_KAFKA_RESP_ERR_NO_ERROR) {
        for (int i = 0; i < list->cnt; i++)
            n += list->elems[i].offset > 0 ? list->elems[i].offset : 0;
    }
    rd_kafka_topic_partition_list_destroy(list);
    return n;
}

static int setup(void **state)
{
    const struct redis_options options = {.servers = world.redis_server.address,
                                          .timeout_ms = 1000};

    (void)state;
    world.id = 0;
    redis_server_start(&world.redis_server, NULL);
    start_kafka();
    assert_int_equal(loop_init(&world.loop, "test", 0), 0);
    assert_int_equal(rpc_open(&world.rpc, 1 << 22), 0);
    assert_int_equal(redis_open(&world.loop, &options, on_redis, NULL, &world.redis), 0);
    world.comet = fake_comet_open(world.rpc);
    world.logic = fake_logic_open(world.rpc);
    world.comet_lease = lease(MEMBER_COMET, "comet-0", world.comet->port);
    world.logic_lease = lease(MEMBER_LOGIC, "logic-0", world.logic->port);
    wait_for(membership_self(world.comet_lease)->epoch != 0 && membership_ready(world.comet_lease));
    setenv("IMC_JOB_BUS_BROKERS", world.brokers, 1);
    setenv("IMC_JOB_BUS_TOPIC", world.topic, 1);
    setenv("IMC_JOB_BUS_GROUP", world.topic, 1);
    setenv("IMC_JOB_BUS_PARTITIONS", "4", 1);
    /* Kafka allows no less than 6 s. */
    setenv("IMC_JOB_BUS_SESSION_TIMEOUT", world.cluster == NULL ? "6s" : "4s", 1);
    if (world.cluster != NULL) /* it does not answer a waiting fetch when a message comes */
        setenv("IMC_JOB_BUS_FETCH_WAIT", "5ms", 1);
    setenv("IMC_JOB_REDIS_SERVERS", world.redis_server.address, 1);
    setenv("IMC_JOB_LEASE_RENEW", "300ms", 1);
    setenv("IMC_JOB_LEASE_TTL", "2s", 1);
    setenv("IMC_JOB_DAEMON_DRAIN", "10s", 1);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    while (n_jobs > 0) {
        if (jobs[--n_jobs] == 0)
            continue;
        kill(jobs[n_jobs], SIGKILL);
        waitpid(jobs[n_jobs], NULL, 0);
    }
    membership_close(world.comet_lease);
    membership_close(world.logic_lease);
    redis_close(world.redis);
    fake_comet_close(world.comet);
    fake_logic_close(world.logic);
    rpc_close(world.rpc);
    loop_close(&world.loop);
    rd_kafka_destroy(world.offsets);
    if (world.cluster != NULL)
        rd_kafka_mock_cluster_destroy(world.cluster);
    rd_kafka_destroy(world.kafka);
    redis_server_stop(&world.redis_server);
    return 0;
}

/* --- jobs --- */

static pid_t job_start(void)
{
    char admin[32], id[32];
    char *argv[] = {(char[]){"imc-job"}, (char[]){"--as-job"}, NULL};
    int port = pick_port();

    snprintf(admin, sizeof admin, "127.0.0.1:%d", port);
    snprintf(id, sizeof id, "job-%d", port);
    setenv("IMC_JOB_ADMIN_LISTEN", admin, 1);
    setenv("IMC_JOB_LEASE_ID", id, 1);
    pid_t pid = fork();
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        execv("/proc/self/exe", argv);
        _exit(127);
    }
    assert_true(pid > 0);
    jobs[n_jobs++] = pid;
    return pid;
}

/* When nobody else is in the group: it is not waited for that others come. */
static pid_t job_start_alone(void)
{
    kafka_count_joins(1);
    pid_t pid = job_start();
    wait_for(kafka_has_joins());
    kafka_hurry(JOIN_S);
    return pid;
}

static bool job_has_ended(pid_t pid, int *status)
{
    if (waitpid(pid, status, WNOHANG) != pid)
        return false;
    for (int i = 0; i < n_jobs; i++)
        jobs[i] = jobs[i] == pid ? 0 : jobs[i];
    return true;
}

static int job_wait(pid_t pid)
{
    int status = -1;

    wait_for(job_has_ended(pid, &status));
    return status;
}

static int job_kill(pid_t pid, int sig)
{
    kill(pid, sig);
    return job_wait(pid);
}

/* The last one of the group. */
static void job_kill_at_once(pid_t pid)
{
    job_kill(pid, SIGKILL);
    kafka_hurry(SESSION_S);
}

/* --- messages: each to a uid of its own, so that they can be counted --- */

static void push(int64_t uid, bool hinted)
{
    Imc__V1__PushMsg envelope;
    Imc__V1__Session session, *list[] = {&session};
    char comet[] = "comet-0";
    uint8_t packed[256];

    imc__v1__session__init(&session);
    session.comet = comet;
    session.epoch = membership_self(world.comet_lease)->epoch;
    session.handle = 1;
    imc__v1__push_msg__init(&envelope);
    envelope.has_uid = 1;
    envelope.uid = uid;
    envelope.id = ++world.id;
    envelope.n_hints = hinted;
    envelope.hints = list;
    size_t len = imc__v1__push_msg__pack(&envelope, packed);
    rd_kafka_resp_err_t err = rd_kafka_producev(
        world.kafka, RD_KAFKA_V_TOPIC(world.topic),
        RD_KAFKA_V_PARTITION((int32_t)(uid % PARTITIONS)), RD_KAFKA_V_VALUE(packed, len),
        RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_END);
    assert_int_equal(err, RD_KAFKA_RESP_ERR_NO_ERROR);
}

static void push_range(int64_t from, int64_t to)
{
    for (int64_t uid = from; uid < to; uid++)
        push(uid, true);
}

static void push_slowly(int64_t from, int64_t to)
{
    for (int64_t uid = from; uid < to; uid += 5) {
        push_range(uid, uid + 5);
        turn_for(40);
    }
}

static int times_seen(int64_t uid)
{
    char word[32];
    int n = 0;

    snprintf(word, sizeof word, "u%lld@", (long long)uid);
    for (const char *at = strstr(seen, word); at != NULL; at = strstr(at + 1, word))
        n++;
    return n;
}

/* How many of the uids the comet saw: at least once, and in all. */
static int64_t comet_saw(int64_t from, int64_t to, int64_t *items)
{
    int64_t uids = 0, all = 0;

    fake_read(&world.comet->lock, world.comet->seen, seen, false);
    for (int64_t uid = from; uid < to; uid++) {
        int n = times_seen(uid);
        uids += n > 0;
        all += n;
    }
    if (items != NULL)
        *items = all;
    return uids;
}

static void comet_forgets(void)
{
    fake_read(&world.comet->lock, world.comet->seen, seen, true);
}

static bool logic_has_seen(const char *text)
{
    fake_read(&world.logic->lock, world.logic->seen, seen, false);
    return strstr(seen, text) != NULL;
}

static bool comet_has_seen(const char *text)
{
    fake_read(&world.comet->lock, world.comet->seen, seen, false);
    return strstr(seen, text) != NULL;
}

static long long fence_of_0(void)
{
    char command[128];

    snprintf(command, sizeof command, "INCRBY imc:fence:%s:0 0", world.topic);
    return redis_server_do(&world.redis_server, command);
}

enum { COMMIT_MS = 1500 }; /* a second, and a job's tick */

static void messages_flow_and_a_clean_end_leaves_nothing_to_replay(void **state)
{
    (void)state;
    int64_t items;
    pid_t job = job_start_alone();

    push_range(0, 40);
    wait_for(comet_saw(0, 40, &items) == 40);
    assert_int_equal(items, 40);
    assert_int_equal(job_kill(job, SIGTERM), 0);
    comet_forgets();
    job = job_start_alone();
    push_range(40, 44);
    wait_for(comet_saw(40, 44, NULL) == 4);
    assert_int_equal(comet_saw(0, 40, NULL), 0);
    fake_logic_tell(world.logic, "U", "comet-0", membership_self(world.comet_lease)->epoch);
    push(50, false);
    wait_for(comet_has_seen("p50#45:77"));
    assert_int_equal(job_kill(job, SIGTERM), 0);
}

static void drain_waits_for_answers(void **state)
{
    (void)state;
    int status;
    pid_t job = job_start_alone();

    fake_comet_tell(world.comet, FAKE_PENDING, false);
    push(3, true);
    wait_for(comet_saw(3, 4, NULL) == 1);
    uint64_t seq = fake_comet_seq(world.comet);
    kill(job, SIGTERM);
    turn_for(700);
    assert_false(job_has_ended(job, &status));
    fake_comet_late(world.comet, seq, 0, FAKE_TAKEN);
    assert_int_equal(job_wait(job), 0);
    fake_comet_tell(world.comet, FAKE_TAKEN, false);
    comet_forgets();
    job = job_start_alone();
    push(7, true);
    wait_for(comet_saw(7, 8, NULL) == 1);
    assert_int_equal(comet_saw(3, 4, NULL), 0);
    assert_int_equal(job_kill(job, SIGTERM), 0);
}

static void killed_job_is_replayed_from_the_lowest_unresolved(void **state)
{
    (void)state;
    int64_t items;
    pid_t job = job_start_alone();

    push_range(0, 20);
    wait_for(comet_saw(0, 20, NULL) == 20);
    wait_for(committed() == 20);
    fake_comet_tell(world.comet, FAKE_PENDING, false);
    push_range(20, 24); /* one in each partition: unresolved */
    wait_for(comet_saw(20, 24, NULL) == 4);
    fake_comet_tell(world.comet, FAKE_TAKEN, false);
    push_range(24, 32); /* taken, but behind those */
    wait_for(comet_saw(24, 32, NULL) == 8);
    turn_for(COMMIT_MS);
    long long fence = fence_of_0();
    assert_true(fence > 1);
    assert_int_equal(committed(), 20);
    job_kill_at_once(job);
    comet_forgets();
    job = job_start_alone();
    wait_for(comet_saw(20, 32, &items) == 12);
    assert_int_equal(items, 12);
    assert_int_equal(comet_saw(0, 20, NULL), 0);
    assert_true(fence_of_0() > fence);
    assert_int_equal(job_kill(job, SIGTERM), 0);
}

static void dead_comet_is_settled_when_its_lease_is_over(void **state)
{
    (void)state;
    pid_t job = job_start_alone();

    fake_comet_tell(world.comet, FAKE_TAKEN, true); /* hangs */
    push(5, true);
    wait_for(comet_saw(5, 6, NULL) == 1);
    membership_leave(world.comet_lease, NULL, NULL);
    wait_for(logic_has_seen("5/1 "));
    assert_int_equal(job_kill(job, SIGTERM), 0);
}

static void partitions_move_between_jobs_without_loss(void **state)
{
    (void)state;
    int64_t items;
    pid_t first = job_start_alone();

    push_range(0, 20);
    wait_for(comet_saw(0, 20, NULL) == 20);
    kafka_count_joins(2);
    pid_t second = job_start();
    push_slowly(20, 70); /* while the group rebalances */
    wait_for(kafka_has_joins());
    kafka_hurry(JOIN_S);
    push_slowly(70, 120);
    wait_for(comet_saw(20, 120, NULL) == 100);
    wait_for(world.comet->streams >= 2);
    comet_forgets();
    push_range(200, 240);
    wait_for(comet_saw(200, 240, &items) == 40);
    assert_int_equal(items, 40);
    wait_for(committed() == 160);
    kafka_count_joins(1);
    job_kill(first, SIGKILL);
    kafka_hurry(SESSION_S - 1);
    wait_for(kafka_has_joins());
    kafka_hurry(JOIN_S);
    push_range(300, 340);
    wait_for(comet_saw(300, 340, NULL) == 40);
    assert_int_equal(job_kill(second, SIGTERM), 0);
}

static void redis_away_at_start_delays_but_loses_nothing(void **state)
{
    (void)state;
    redis_server_kill(&world.redis_server);
    kafka_count_joins(1);
    pid_t job = job_start();
    push_range(0, 8);
    turn_for(1500);
    assert_int_equal(comet_saw(0, 8, NULL), 0);
    redis_server_run(&world.redis_server);
    wait_for(kafka_has_joins());
    kafka_hurry(JOIN_S);
    /* The comet lost its lease meanwhile: it is another life of it, so the hints lead nowhere. */
    for (int i = 0; i < 8; i++) {
        char word[16];
        snprintf(word, sizeof word, "%d/%d ", i, i + 1);
        wait_for(logic_has_seen(word));
    }
    assert_int_equal(job_kill(job, SIGTERM), 0);
}

#define daemon_test(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        daemon_test(messages_flow_and_a_clean_end_leaves_nothing_to_replay),
        daemon_test(drain_waits_for_answers),
        daemon_test(killed_job_is_replayed_from_the_lowest_unresolved),
        daemon_test(dead_comet_is_settled_when_its_lease_is_over),
        daemon_test(partitions_move_between_jobs_without_loss),
        daemon_test(redis_away_at_start_delays_but_loses_nothing),
    };

    if (argc > 1 && strcmp(argv[1], "--as-job") == 0)
        return daemon_main(&job_daemon_spec, 1, argv);
    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
