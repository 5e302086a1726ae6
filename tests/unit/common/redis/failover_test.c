/* A Redis that answers, and is of no use: a replica, a full one, one that forbids; and how the
 * right one is found. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "common/redis/internal.h"
#include "tests/unit/lib/redis_fixture.h"
#include "tests/unit/lib/redis_group.h"

static struct answer set(struct fixture *f, const char *key)
{
    return ask(f, 0, 3, (const char *[]){"SET", key, "v"}, NULL);
}

/* --- errors --- */

static void what_errors_mean(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum redis_class class;
    } cases[] = {
        {"READONLY You can't write against a read only replica.", REDIS_DISPLACED},
        {"ERR Error running script (call to f_0): @user_script:1: -READONLY You can't write",
         REDIS_DISPLACED},
        {"MASTERDOWN Link with MASTER is down", REDIS_DISPLACED},
        {"LOADING Redis is loading the dataset in memory", REDIS_DISPLACED},
        {"CLUSTERDOWN Hash slot not served", REDIS_DISPLACED},
        {"MOVED 3999 127.0.0.1:6381", REDIS_DISPLACED},
        {"OOM command not allowed when used memory > 'maxmemory'.", REDIS_UNWRITABLE},
        {"MISCONF Redis is configured to save RDB snapshots", REDIS_UNWRITABLE},
        {"NOREPLICAS Not enough good replicas to write.", REDIS_UNWRITABLE},
        {"BUSY Redis is busy running a script.", REDIS_OCCUPIED},
        {"UNKILLABLE Sorry the script already executed write commands", REDIS_OCCUPIED},
        {"TRYAGAIN Multiple keys request during rehashing of slot", REDIS_OCCUPIED},
        {"NOPERM User imc has no permissions to run the 'set' command", REDIS_FORBIDDEN},
        {"ERR The user executing the script can't run this command or subcommand script: 1",
         REDIS_FORBIDDEN},
        {"ERR Error running script (call to f_0): @user_script:1: @user_script: 1: The user "
         "executing the script can't run this command or subcommand",
         REDIS_FORBIDDEN},
        {"ERR ACL failure in script: User imc has no permissions to run the 'get' command script: "
         "0, on @user_script:4.",
         REDIS_FORBIDDEN},
        {"NOAUTH Authentication required.", REDIS_FORBIDDEN},
        {"BUSYGROUP Consumer Group name already exists", REDIS_REFUSED},
        {"BUSYKEY Target key name already exists.", REDIS_REFUSED},
        {"WRONGTYPE Operation against a key", REDIS_REFUSED},
        {"ERR unknown command", REDIS_REFUSED},
        {"", REDIS_REFUSED},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[256];
        (void)snprintf(text, sizeof text, "%s", cases[i].text);
        redisReply reply = {.type = REDIS_REPLY_ERROR, .str = text, .len = strlen(text)};
        if (redis_class_of(&reply) != cases[i].class)
            fail_msg("\"%s\" is of class %d", text, (int)redis_class_of(&reply));
    }
    redisReply fine = {.type = REDIS_REPLY_STATUS};
    assert_int_equal(redis_class_of(&fine), REDIS_ANSWERED);
    assert_int_equal(redis_class_of(NULL), REDIS_AWAY);
}

static void a_right_that_a_script_lacks_is_named(void **state)
{
    (void)state;
    static struct redis_script script = {
        .source = "local a = 1\n"
                  "if redis.call('GET', KEYS[1]) then return redis.call('DEL', KEYS[1]) end\n"
                  "return redis.call('ZREMRANGEBYRANK', KEYS[1], 0, 1)",
    };
    static const struct {
        const char *said, *named;
    } cases[] = {
        {"ERR The user executing the script can't run this command or subcommand script: "
         "048ac6c486e19db4cfd419384d84372e9c70b909, on @user_script:3.",
         "NOPERM this user may not run 'zremrangebyrank' in a script"},
        {"ERR The user executing the script can't run this command or subcommand script: "
         "048ac6c486e19db4cfd419384d84372e9c70b909, on @user_script:2.",
         "NOPERM this user may not run 'get' or 'del' in a script"},
        {"ERR Error running script (call to f_0): @user_script:3: @user_script: 3: The user "
         "executing the script can't run this command or subcommand",
         "NOPERM this user may not run 'zremrangebyrank' in a script"},
        /* These stay as they are: no line, another one than there is, one without a call. */
        {"ERR The user executing the script can't run this command or subcommand", NULL},
        {"ERR The user executing the script can't run this command, on @user_script:4.", NULL},
        {"ERR The user executing the script can't run this command, on @user_script:1.", NULL},
        {"ERR The user executing the script can't run this command, on @user_script:-9", NULL},
        {"WRONGTYPE Operation against a key script: 0, on @user_script:3.", NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[256];
        (void)snprintf(text, sizeof text, "%s", cases[i].said);
        redisReply reply = {.type = REDIS_REPLY_ERROR, .str = text, .len = strlen(text)};
        redis_error_name_right(&reply, &script);
        assert_string_equal(reply.str, cases[i].named != NULL ? cases[i].named : cases[i].said);
        assert_int_equal(reply.len, strlen(reply.str));
    }
}

/* --- a primary becomes a replica --- */

static void not_up_while_it_is_a_replica(const char *serve_stale, const char *code)
{
    struct fixture f;
    char command[80];
    (void)snprintf(command, sizeof command, "CONFIG SET replica-serve-stale-data %s", serve_stale);
    redis_server_do(&server, command);
    open_up(&f, server.address);
    assert_true(turn_until(&f, &f.writables, 1, SOON));
    redis_server_do(&server, "REPLICAOF 127.0.0.1 1"); /* nobody is there: it stays as it is */
    /* Nobody writes but the probe: found all the same. */
    assert_true(turn_until(&f, &f.downs, 1, SOON));
    assert_non_null(strstr(f.why, "READONLY"));
    assert_non_null(strstr(f.write_why, "READONLY"));
    turn_for(&f, 1500);
    assert_int_equal(f.ups, 1); /* it answers, but that is not enough */
    struct answer answer = set(&f, "k");
    assert_int_equal(answer.class, REDIS_AWAY);
    if (strstr(answer.said, code) == NULL)
        fail_msg("%s", answer.said);
    redis_server_do(&server, "REPLICAOF NO ONE");
    assert_true(turn_until(&f, &f.ups, 2, SOON));
    assert_int_equal(set(&f, "k").type, REDIS_REPLY_STATUS);
    assert_true(f.writable);
    close_all(&f);
    redis_server_do(&server, "CONFIG SET replica-serve-stale-data yes");
}

static void a_replica_breaks_the_connection(void **state)
{
    (void)state;
    not_up_while_it_is_a_replica("yes", "READONLY");
}

static void a_replica_without_its_master_breaks_it(void **state)
{
    (void)state;
    not_up_while_it_is_a_replica("no", "MASTERDOWN");
}

static void a_write_that_is_refused_breaks_it_at_once(void **state)
{
    (void)state;
    struct fixture f;
    open_up(&f, server.address);
    redis_server_do(&server, "REPLICAOF 127.0.0.1 1");
    struct answer answer = set(&f, "k");
    assert_int_equal(answer.class, REDIS_DISPLACED);
    assert_non_null(strstr(answer.said, "Redis says: READONLY"));
    assert_int_equal(f.downs, 1);
    redis_server_do(&server, "REPLICAOF NO ONE");
    assert_true(turn_until(&f, &f.ups, 2, SOON));
    close_all(&f);
}

/* --- it takes no writes --- */

static void reads_go_on(const char *command, const char *undo, const char *code)
{
    struct fixture f;
    open_up(&f, server.address);
    set(&f, "k");
    redis_server_do(&server, command);
    struct answer answer = set(&f, "k");
    assert_int_equal(answer.class, REDIS_UNWRITABLE);
    assert_non_null(strstr(answer.said, code));
    assert_int_equal(f.unwritables, 1); /* at once */
    assert_non_null(strstr(f.write_why, code));
    assert_int_equal(ask(&f, 0, 2, (const char *[]){"GET", "k"}, NULL).type, REDIS_REPLY_STRING);
    turn_for(&f, 2500); /* a probe does not say otherwise */
    assert_false(f.writable);
    assert_int_equal(f.unwritables, 1);
    int before = f.writables;
    redis_server_do(&server, undo);
    assert_true(turn_until(&f, &f.writables, before + 1, SOON));
    assert_string_equal(f.write_why, "");
    assert_int_equal(f.downs, 0);
    close_all(&f);
}

static void a_full_one_is_up_but_not_writable(void **state)
{
    (void)state;
    reads_go_on("CONFIG SET maxmemory 1", "CONFIG SET maxmemory 0", "OOM");
}

static void one_without_its_replicas_too(void **state)
{
    (void)state;
    reads_go_on("CONFIG SET min-replicas-to-write 1", "CONFIG SET min-replicas-to-write 0",
                "NOREPLICAS");
}

static void full_from_the_start(void **state)
{
    (void)state;
    struct fixture f;
    redis_server_do(&server, "CONFIG SET maxmemory 1");
    open_on(&f, server.address, NULL, 0);
    assert_true(turn_until(&f, &f.ups, 1, SOON));
    assert_true(turn_until(&f, &f.unwritables, 1, SOON));
    assert_int_equal(f.writables, 0);
    redis_server_do(&server, "CONFIG SET maxmemory 0");
    assert_true(turn_until(&f, &f.writables, 1, SOON));
    close_all(&f);
}

/* --- rights --- */

static struct redis_script zadd = {.source = "return redis.call('ZADD', KEYS[1], 1, 'x')"};

static void a_user_by_name(void **state)
{
    (void)state;
    struct fixture f;
    redis_server_do(&server, "ACL SETUSER imc on >secret ~imc:* +@all -zadd");
    struct redis_options options = {.servers = server.address, .user = "imc", .password = "wrong"};
    open_with(&f, &options);
    assert_true(turn_until(&f, &f.downs, 1, SOON));
    assert_non_null(strstr(f.why, "redis.user"));
    close_all(&f);
    options.password = "secret";
    open_with(&f, &options);
    assert_true(turn_until(&f, &f.ups, 1, SOON));
    assert_true(turn_until(&f, &f.writables, 1, SOON));
    struct answer answer = set(&f, "elsewhere");
    assert_int_equal(answer.class, REDIS_FORBIDDEN);
    assert_non_null(strstr(f.write_why, "NOPERM"));
    answer = ask(&f, 0, 4, (const char *[]){"ZADD", "imc:z", "1", "x"}, NULL);
    assert_int_equal(answer.class, REDIS_FORBIDDEN);
    assert_non_null(strstr(answer.said, "zadd"));
    assert_non_null(strstr(f.write_why, "zadd"));
    struct answer by_script = {0};
    redis_eval(f.redis,
               &(struct redis_eval){
                   .script = &zadd, .keys = 1, .argc = 1, .argv = (const char *[]){"imc:z"}},
               on_answer, &by_script);
    assert_true(turn_until(&f, &by_script.count, 1, SOON));
    assert_int_equal(by_script.class, REDIS_FORBIDDEN);
    assert_int_equal(f.downs, 0);
    assert_false(f.writable);
    close_all(&f);
    redis_server_do(&server, "ACL DELUSER imc");
}

static void a_user_that_may_not_write(void **state)
{
    (void)state;
    struct fixture f;
    redis_server_do(&server, "ACL SETUSER reader on nopass ~* +@read +ping +auth");
    struct redis_options options = {.servers = server.address, .user = "reader"};
    open_with(&f, &options);
    assert_true(turn_until(&f, &f.unwritables, 1, SOON));
    assert_true(turn_until(&f, &f.ups, 1, SOON));
    if (strstr(f.write_why, "NOPERM") == NULL || strstr(f.write_why, "redis.user") == NULL)
        fail_msg("%s", f.write_why);
    close_all(&f);
    redis_server_do(&server, "ACL DELUSER reader");
}

/* --- Sentinel --- */

/* A Sentinel thinks the machine has stood still when its time of day jumps, and then does nothing.
 */
static int by_real_time(void **state)
{
    (void)state;
    clock_give_back();
    redis_servers.by_real_time = true;
    return 0;
}

static int by_own_time(void **state)
{
    (void)state;
    redis_servers.by_real_time = false;
    return 0;
}

struct sentinel {
    struct redis_server primary, replica, sentinel;
};

static void sentinel_configure(const struct sentinel *s)
{
    char more[256];
    (void)snprintf(more, sizeof more,
                   "sentinel monitor first 127.0.0.1 %d 1\n"
                   "sentinel down-after-milliseconds first 500\n"
                   "sentinel failover-timeout first 2000",
                   s->primary.port);
    redis_server_configure(&s->sentinel, more);
}

static bool says(const redisReply *reply, const char *word)
{
    for (size_t i = 0; i < reply->elements; i++) {
        if (says(reply->element[i], word))
            return true;
    }
    return reply->str != NULL && strcmp(reply->str, word) == 0;
}

/* Is one of the words that OF answers COMMAND with WORD? */
static bool answers(const struct redis_server *of, const char *command, const char *word)
{
    redisContext *c = redisConnect("127.0.0.1", of->port);
    redisReply *reply = c->err == 0 ? redisCommand(c, command) : NULL;
    bool found = reply != NULL && says(reply, word);
    freeReplyObject(reply);
    redisFree(c);
    return found;
}

static void await_link(const struct sentinel *s)
{
    if (!until(answers(&s->replica, "ROLE", "connected"), (void)0))
        fail_msg("the replica does not find its primary");
}

static void sentinel_start(struct sentinel *s)
{
    char command[64];
    redis_server_start(&s->primary, NULL);
    redis_server_start(&s->replica, NULL);
    (void)snprintf(command, sizeof command, "REPLICAOF 127.0.0.1 %d", s->primary.port);
    redis_server_do(&s->replica, command);
    await_link(s); /* a Sentinel that comes sooner looks again ten seconds later */
    redis_server_settle(&s->sentinel, NULL);
    sentinel_configure(s);
    redis_server_exec(&s->sentinel, "--sentinel");
}

static void sentinel_stop(struct sentinel *s)
{
    redis_server_stop(&s->sentinel);
    redis_server_stop(&s->replica);
    redis_server_stop(&s->primary);
}

/* Until the Sentinel knows the replica: before that there is nobody to promote. */
static void await_replica(struct fixture *f, struct sentinel *s)
{
    if (!until(answers(&s->sentinel, "SENTINEL REPLICAS first", "ok"), turn_for(f, STEP_MS)))
        fail_msg("the Sentinel does not see the replica");
}

static void sentinel_leads_to_the_new_primary(void **state)
{
    (void)state;
    struct sentinel s;
    struct fixture f;
    char sentinels[80];
    sentinel_start(&s);
    /* One that nobody listens at is passed over. */
    (void)snprintf(sentinels, sizeof sentinels, "127.0.0.1:1, %s", s.sentinel.address);
    struct redis_options options = {.sentinels = sentinels, .masters = "first"};
    open_with(&f, &options);
    assert_true(turn_until(&f, &f.ups, 1, SOON));
    assert_int_equal(set(&f, "k").type, REDIS_REPLY_STATUS);
    assert_int_equal(redis_server_do(&s.primary, "EXISTS k"), 1);
    await_replica(&f, &s);
    int downs = f.downs, ups = f.ups; /* it may have begun before the Sentinel did */
    redis_server_kill(&s.primary);
    assert_true(turn_until(&f, &f.downs, downs + 1, SOON));
    if (!turn_until(&f, &f.ups, ups + 1, SOON))
        fail_msg("not up: %s", f.why);
    assert_int_equal(set(&f, "after").type, REDIS_REPLY_STATUS);
    assert_int_equal(redis_server_do(&s.replica, "EXISTS after"), 1);
    close_all(&f);
    sentinel_stop(&s);
}

/* The old primary lives on, and does not cut its connections. */
static void sentinel_is_followed_while_connected(void **state)
{
    (void)state;
    struct sentinel s;
    struct fixture f;
    char command[80];
    sentinel_start(&s);
    struct redis_options options = {.sentinels = s.sentinel.address, .masters = "first"};
    open_with(&f, &options);
    assert_true(turn_until(&f, &f.ups, 1, SOON));
    int downs = f.downs, ups = f.ups;
    redis_server_do(&s.replica, "REPLICAOF NO ONE");
    redis_server_do(&s.sentinel, "SENTINEL REMOVE first");
    (void)snprintf(command, sizeof command, "SENTINEL MONITOR first 127.0.0.1 %d 1",
                   s.replica.port);
    redis_server_do(&s.sentinel, command);
    assert_true(turn_until(&f, &f.downs, downs + 1, SOON));
    assert_non_null(strstr(f.why, "says that the primary is"));
    assert_true(turn_until(&f, &f.ups, ups + 1, SOON));
    assert_int_equal(set(&f, "there").type, REDIS_REPLY_STATUS);
    assert_int_equal(redis_server_do(&s.replica, "EXISTS there"), 1);
    close_all(&f);
    sentinel_stop(&s);
}

static void sentinels_that_do_not_know(void **state)
{
    (void)state;
    struct sentinel s;
    struct fixture f;
    sentinel_start(&s);
    struct redis_options options = {.sentinels = s.sentinel.address, .masters = "another"};
    open_with(&f, &options);
    assert_true(turn_until(&f, &f.downs, 1, SOON));
    if (!until(strstr(f.why, "redis.master") != NULL, turn_for(&f, STEP_MS)))
        fail_msg("%s", f.why);
    struct answer answer = set(&f, "k");
    assert_non_null(strstr(answer.said, "another"));
    close_all(&f);
    sentinel_stop(&s);
    options.sentinels = "127.0.0.1:1";
    open_with(&f, &options);
    assert_true(turn_until(&f, &f.downs, 1, SOON));
    assert_non_null(strstr(f.why, "no Sentinel answers"));
    close_all(&f);
}

static void bad_sentinel_lists(void **state)
{
    (void)state;
    static const struct redis_options bad[] = {
        {.sentinels = "nonsense", .masters = "a", .timeout_ms = 100},
        {.sentinels = "127.0.0.1:1", .masters = "", .timeout_ms = 100},
        {.sentinels = "127.0.0.1:1", .masters = "a, b, a", .timeout_ms = 100},
        {.sentinels = "127.0.0.1:1, 127.0.0.1:1", .masters = "a", .timeout_ms = 100},
    };
    struct loop loop;
    struct redis *redis;
    assert_int_equal(loop_init(&loop, "test", 0), 0);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_true(redis_open(&loop, &bad[i], NULL, NULL, &redis) < 0);
    struct redis_options good = {.sentinels = "127.0.0.1:1", .masters = "a, b", .timeout_ms = 100};
    assert_int_equal(redis_open(&loop, &good, NULL, NULL, &redis), 0);
    assert_int_equal(redis_shards(redis), 2);
    redis_close(redis);
    loop_close(&loop);
}

#define SENTINEL_TEST(name) cmocka_unit_test_setup_teardown(name, by_real_time, by_own_time)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_errors_mean),
        cmocka_unit_test(a_right_that_a_script_lacks_is_named),
        cmocka_unit_test(a_replica_breaks_the_connection),
        cmocka_unit_test(a_replica_without_its_master_breaks_it),
        cmocka_unit_test(a_write_that_is_refused_breaks_it_at_once),
        cmocka_unit_test(a_full_one_is_up_but_not_writable),
        cmocka_unit_test(one_without_its_replicas_too),
        cmocka_unit_test(full_from_the_start),
        cmocka_unit_test(a_user_by_name),
        cmocka_unit_test(a_user_that_may_not_write),
        SENTINEL_TEST(sentinel_leads_to_the_new_primary),
        SENTINEL_TEST(sentinel_is_followed_while_connected),
        SENTINEL_TEST(sentinels_that_do_not_know),
        cmocka_unit_test(bad_sentinel_lists),
    };
    return cmocka_run_group_tests(tests, start_server, stop_server);
}
