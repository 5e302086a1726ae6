#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <string.h>

#include "common/redis/redis.h"

#include "tests/unit/lib/redis_fixture.h"
#include "tests/unit/lib/redis_group.h"

static void incr(struct fixture *f, redis_fn fn, void *arg)
{
    redis_command(f->redis, 0, 2, (const char *[]){"INCR", "n"}, NULL, fn, arg);
}

static void values_are_bytes(void **state)
{
    (void)state;
    struct fixture f;
    open_up(&f, server.address);
    const char value[] = "a\0b\r\n\xff";
    const char *set[] = {"SET", "k\0ey", value};
    const size_t set_lens[] = {3, 4, sizeof value};
    assert_int_equal(ask(&f, 0, 3, set, set_lens).type, REDIS_REPLY_STATUS);
    const char *get[] = {"GET", "k\0ey"};
    const size_t get_lens[] = {3, 4};
    struct answer answer = ask(&f, 0, 2, get, get_lens);
    assert_int_equal(answer.len, sizeof value);
    assert_memory_equal(answer.text, value, sizeof value);
    answer = ask(&f, 0, 1, (const char *[]){"NOSUCH"}, NULL);
    assert_int_equal(answer.type, REDIS_REPLY_ERROR);
    close_all(&f);
}

static void large_values_pass(void **state)
{
    (void)state;
    enum { SIZE = 8 << 20 };
    struct fixture f;
    open_up(&f, server.address);
    char *value = malloc(SIZE);
    assert_non_null(value);
    memset(value, 'v', SIZE);
    const size_t lens[] = {3, 3, SIZE};
    ask(&f, 0, 3, (const char *[]){"SET", "big", value}, lens);
    assert_int_equal(ask(&f, 0, 2, (const char *[]){"GET", "big"}, NULL).len, SIZE);
    ask(&f, 0, 2, (const char *[]){"DEL", "big"}, NULL);
    free(value);
    close_all(&f);
}

struct sequence {
    int count;
    long long first;
    bool ordered;
};

static void on_sequence(struct redis *redis, const redisReply *reply, void *arg)
{
    struct sequence *sequence = arg;
    (void)redis;
    assert_non_null(reply);
    if (sequence->count == 0)
        sequence->first = reply->integer;
    sequence->ordered &= reply->integer == sequence->first + sequence->count;
    sequence->count++;
}

static void ten_thousand_in_a_row(void **state)
{
    (void)state;
    struct fixture f;
    open_up(&f, server.address);
    struct sequence sequence = {.ordered = true};
    for (int i = 0; i < 10000; i++)
        incr(&f, on_sequence, &sequence);
    incr(&f, NULL, NULL); /* nobody listens: fine */
    assert_true(turn_until(&f, &sequence.count, 10000, SOON));
    assert_true(sequence.ordered);
    turn_for(&f, 20);
    assert_int_equal(redis_stats(f.redis)->commands, 10001);
    assert_int_equal(redis_stats(f.redis)->failed, 0);
    close_all(&f);
}

static void kill_and_restart(void **state)
{
    (void)state;
    struct fixture f;
    open_up(&f, server.address);
    redis_server_pause(&server); /* so that they are under way when it dies */
    struct answer answer = {0};
    for (int i = 0; i < 100; i++)
        incr(&f, on_answer, &answer);
    turn_for(&f, 20);
    assert_int_equal(answer.count, 0);
    redis_server_kill(&server);
    assert_true(turn_until(&f, &answer.count, 100, SOON));
    assert_int_equal(answer.nulls, 100);
    assert_int_equal(f.downs, 1);
    assert_non_null(strstr(f.why, server.address));
    /* While it is away: at once, but not before redis_command() returns. */
    int64_t timeouts = redis_stats(f.redis)->timeouts;
    struct answer away = ask(&f, 0, 1, (const char *[]){"PING"}, NULL);
    assert_int_equal(away.nulls, 1);
    assert_int_equal(redis_stats(f.redis)->timeouts, timeouts);
    turn_for(&f, 300);
    assert_int_equal(f.downs, 1); /* failed attempts are not news */

    redis_server_run(&server);
    assert_true(turn_until(&f, &f.ups, 2, SOON));
    assert_int_equal(ask(&f, 0, 1, (const char *[]){"PING"}, NULL).type, REDIS_REPLY_STATUS);
    assert_int_equal(answer.count, 100);
    assert_int_equal(redis_stats(f.redis)->failed, 101);
    close_all(&f);
}

static int impatient(void **state)
{
    (void)state;
    timeout_ms = 300;
    return 0;
}

static int patient(void **state)
{
    (void)state;
    timeout_ms = SOON;
    return 0;
}

static void silence_is_a_timeout(void **state)
{
    (void)state;
    struct fixture f;
    open_up(&f, server.address);
    redis_server_pause(&server);
    struct answer answer = {0};
    uint64_t before = uv_hrtime();
    incr(&f, on_answer, &answer);
    assert_true(turn_until(&f, &answer.count, 1, SOON));
    uint64_t waited = (uv_hrtime() - before) / 1000000;
    assert_int_equal(answer.nulls, 1);
    assert_in_range(waited, 300, 400); /* a look at what is late is every tenth of a second */
    assert_int_equal(f.downs, 1);
    assert_int_equal(redis_stats(f.redis)->timeouts, 1);
    /* It accepts connections still (the kernel does), but does not answer PING. */
    turn_for(&f, 500);
    assert_int_equal(f.ups, 1);
    redis_server_resume(&server);
    assert_true(turn_until(&f, &f.ups, 2, SOON));
    close_all(&f);
}

static void a_held_up_loop_is_no_timeout(void **state)
{
    (void)state;
    struct fixture f;
    open_up(&f, server.address);
    struct answer answer = {0};
    incr(&f, on_answer, &answer);
    turn_for(&f, 1);
    incr(&f, on_answer, &answer);
    uv_run(&f.loop.uv, UV_RUN_NOWAIT);
    clock_move(600); /* twice the timeout; the answer has been there for long */
    assert_true(turn_until(&f, &answer.count, 2, SOON));
    assert_int_equal(answer.nulls, 0);
    assert_int_equal(f.downs, 0);
    close_all(&f);
}

/* 64 MB come in some thirty turns of the loop, each of 20 ms. */
static struct answer ask_for_much(struct fixture *f)
{
    const char *get[] = {"GET", "large"};
    struct answer answer = {0};
    redis_command(f->redis, 0, 2, get, NULL, on_answer, &answer);
    for (int i = 0; i < 1000 && answer.count == 0; i++) {
        uv_run(&f->loop.uv, UV_RUN_NOWAIT);
        redis_servers_catch_up();
        clock_move(20);
    }
    return answer;
}

/* As long as bytes come, Redis lives; only not for ever. */
static void what_takes_long_to_come_is_no_timeout(void **state)
{
    (void)state;
    struct fixture f;
    open_up(&f, server.address);
    const char *fill[] = {"SETRANGE", "large", "64000000", "x"}, *del[] = {"DEL", "large"};
    assert_int_equal(ask(&f, 0, 4, fill, NULL).nulls, 0);
    assert_int_equal(ask_for_much(&f).type, REDIS_REPLY_STRING);
    assert_int_equal(f.downs, 0);
    close_all(&f);

    timeout_ms = 100;
    open_up(&f, server.address);
    assert_int_equal(ask_for_much(&f).nulls, 1);
    assert_int_equal(redis_stats(f.redis)->timeouts, 1);
    close_all(&f);

    timeout_ms = SOON;
    open_up(&f, server.address);
    ask(&f, 0, 2, del, NULL);
    close_all(&f);
}

static void scripts_load_themselves(void **state)
{
    (void)state;
    static struct redis_script script = {
        .source = "return redis.call('APPEND', KEYS[1], ARGV[1]) + tonumber(ARGV[2])"};
    static struct redis_script failing = {.source = "return redis.error_reply('NO such luck')"};
    struct fixture f;
    open_up(&f, server.address);
    ask(&f, 0, 2, (const char *[]){"DEL", "script"}, NULL);
    const char *args[] = {"script", "a\0b", "1000"};
    const size_t lens[] = {6, 3, 4};
    for (int round = 1; round <= 3; round++) {
        struct answer answer = {0};
        redis_eval(f.redis,
                   &(struct redis_eval){
                       .script = &script, .keys = 1, .argc = 3, .argv = args, .argvlen = lens},
                   on_answer, &answer);
        assert_int_equal(answer.count, 0);
        assert_true(turn_until(&f, &answer.count, 1, SOON));
        assert_int_equal(answer.type, REDIS_REPLY_INTEGER);
        assert_int_equal(answer.integer, 1000 + 3 * round);
        if (round == 2)
            ask(&f, 0, 2, (const char *[]){"SCRIPT", "FLUSH"}, NULL);
    }
    struct answer answer = {0};
    redis_eval(f.redis, &(struct redis_eval){.script = &failing}, on_answer, &answer);
    assert_true(turn_until(&f, &answer.count, 1, SOON));
    assert_int_equal(answer.type, REDIS_REPLY_ERROR);
    assert_non_null(strstr(answer.text, "such luck"));
    close_all(&f);
}

static void many_scripts_at_once_after_a_flush(void **state)
{
    (void)state;
    static struct redis_script script = {.source = "return redis.call('INCR', KEYS[1])"};
    struct fixture f;
    open_up(&f, server.address);
    ask(&f, 0, 2, (const char *[]){"DEL", "counted"}, NULL);
    struct answer answer = {0};
    for (int i = 0; i < 1000; i++)
        redis_eval(
            f.redis,
            &(struct redis_eval){
                .script = &script, .keys = 1, .argc = 1, .argv = (const char *[]){"counted"}},
            on_answer, &answer);
    assert_true(turn_until(&f, &answer.count, 1000, SOON));
    assert_int_equal(answer.nulls, 0);
    assert_int_equal(answer.integer, 1000); /* each ran once */
    close_all(&f);
}

/* But for the one that proves that writing works. */
static long long keys_of(struct redis_server *of)
{
    return redis_server_do(of, "DBSIZE") - redis_server_do(of, "EXISTS imc:probe");
}

static void two_shards(void **state)
{
    (void)state;
    struct redis_server other;
    redis_server_start(&other, NULL);
    char servers[80];
    (void)snprintf(servers, sizeof servers, " %s , %s", server.address, other.address);
    struct fixture f;
    open_up(&f, servers);
    assert_int_equal(redis_shards(f.redis), 2);
    ask(&f, 0, 1, (const char *[]){"FLUSHALL"}, NULL);
    int by_shard[2] = {0};
    struct answer answer = {0};
    for (int i = 0; i < 1000; i++) {
        char key[16];
        int len = snprintf(key, sizeof key, "key%d", i);
        size_t shard = redis_shard_of(f.redis, key, (size_t)len);
        by_shard[shard]++;
        redis_command(f.redis, shard, 3, (const char *[]){"SET", key, "v"}, NULL, on_answer,
                      &answer);
    }
    assert_true(turn_until(&f, &answer.count, 1000, SOON));
    assert_in_range(by_shard[0], 300, 700);
    assert_int_equal(keys_of(&server), by_shard[0]);
    assert_int_equal(keys_of(&other), by_shard[1]);
    /* One is away: down as a whole, but the other goes on answering. */
    redis_server_kill(&other);
    assert_true(turn_until(&f, &f.downs, 1, SOON));
    assert_non_null(strstr(f.why, other.address));
    assert_int_equal(ask(&f, 0, 1, (const char *[]){"PING"}, NULL).type, REDIS_REPLY_STATUS);
    assert_int_equal(ask(&f, 1, 1, (const char *[]){"PING"}, NULL).nulls, 1);
    redis_server_run(&other);
    assert_true(turn_until(&f, &f.ups, 2, SOON));
    close_all(&f);
    redis_server_stop(&other);
}

static void password_and_database(void **state)
{
    (void)state;
    struct redis_server locked;
    redis_server_start(&locked, "open sesame");
    struct fixture f;
    open_on(&f, locked.address, "open sesame", 3);
    assert_true(turn_until(&f, &f.ups, 1, SOON));
    ask(&f, 0, 3, (const char *[]){"SET", "where", "three"}, NULL);
    close_all(&f);
    assert_int_equal(redis_server_do(&locked, "DBSIZE"), 0);

    static const struct {
        const char *password, *told;
        int64_t database;
    } refused[] = {{"wrong", "redis.password", 0},
                   {"", "redis.password", 0},
                   {"", "redis.password", 3},
                   {"open sesame", "redis.database", 4711}};
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        open_on(&f, locked.address, refused[i].password, refused[i].database);
        assert_true(turn_until(&f, &f.downs, 1, SOON));
        assert_int_equal(f.ups, 0);
        if (strstr(f.why, refused[i].told) == NULL)
            fail_msg("does not say what to do: %s", f.why);
        close_all(&f);
    }
    redis_server_stop(&locked);
}

static void names_are_resolved(void **state)
{
    (void)state;
    struct fixture f;
    char name[32];
    (void)snprintf(name, sizeof name, "localhost:%d", server.port);
    open_on(&f, name, NULL, 0);
    /* localhost may be ::1 first: then the next attempt takes the other address. */
    assert_true(turn_until(&f, &f.ups, 1, SOON));
    close_all(&f);
    open_on(&f, "no-such-host.invalid:1", NULL, 0);
    turn_for(&f, 1);
    close_all(&f); /* while it is being resolved */
}

static void bad_server_lists(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",         " , ",   "localhost", "localhost:", ":6379", "a:0",    "a:65536", "a:63x",
        "::1:6379", "a:1,b", "a:1, a:1",  "a:-1",       "[]:1",  "[::1:1", "a]:1:1",
    };
    struct loop loop;
    assert_int_equal(loop_init(&loop, "test", 0), 0);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct redis *redis = NULL;
        struct redis_options options = {.servers = bad[i], .timeout_ms = 100};
        if (redis_open(&loop, &options, NULL, NULL, &redis) != -EINVAL)
            fail_msg("accepted: %s", bad[i]);
        assert_null(redis);
    }
    struct redis *redis;
    struct redis_options options = {.servers = "[::1]:1,a.b:65535", .timeout_ms = 100};
    assert_int_equal(redis_open(&loop, &options, NULL, NULL, &redis), 0);
    assert_int_equal(redis_shards(redis), 2);
    redis_close(redis);
    loop_close(&loop);
}

static void on_last(struct redis *redis, const redisReply *reply, void *arg)
{
    assert_null(reply);
    ++*(int *)arg;
    if (*(int *)arg == 1) /* a follow-up out of the callback */
        redis_command(redis, 0, 1, (const char *[]){"PING"}, NULL, on_last, arg);
}

static void close_answers_what_is_outstanding(void **state)
{
    (void)state;
    struct fixture f;
    open_up(&f, server.address);
    int count = 0;
    incr(&f, on_last, &count);
    redis_close(f.redis);
    assert_int_equal(count, 2);
    loop_close(&f.loop);
    redis_close(NULL);
}

static void on_close_now(struct redis *redis, const redisReply *reply, void *arg)
{
    ++*(int *)arg;
    if (reply != NULL)
        redis_close(redis);
}

static void close_out_of_a_callback(void **state)
{
    (void)state;
    struct fixture f;
    open_up(&f, server.address);
    int count = 0;
    for (int i = 0; i < 3; i++)
        incr(&f, on_close_now, &count);
    assert_true(turn_until(&f, &count, 3, SOON));
    assert_int_equal(count, 3);
    loop_close(&f.loop);
}

/* --- a server that says what the test wants --- */

struct fake {
    uv_tcp_t listener;
    const char **lines; /* one per connection or request, NULL-terminated */
    int port, asked;
    int connections;
};

static void on_fake_alloc(uv_handle_t *handle, size_t size, uv_buf_t *buf)
{
    static char space[4096];
    (void)handle;
    (void)size;
    *buf = uv_buf_init(space, sizeof space);
}

static void on_fake_closed(uv_handle_t *handle)
{
    free(handle);
}

static void on_fake_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
    struct fake *fake = stream->data;
    (void)buf;
    if (n < 0) {
        uv_close((uv_handle_t *)stream, on_fake_closed);
        return;
    }
    const char *line = fake->lines[fake->asked];
    if (fake->lines[fake->asked + 1] != NULL)
        fake->asked++;
    char copy[256];
    int len = snprintf(copy, sizeof copy, "%s\r\n", line);
    uv_buf_t out = uv_buf_init(copy, (unsigned)len);
    uv_try_write(stream, &out, 1);
}

static void on_fake_connection(uv_stream_t *listener, int status)
{
    struct fake *fake = listener->data;
    uv_tcp_t *peer = malloc(sizeof *peer);
    assert_int_equal(status, 0);
    assert_non_null(peer);
    fake->connections++;
    uv_tcp_init(listener->loop, peer);
    peer->data = fake;
    assert_int_equal(uv_accept(listener, (uv_stream_t *)peer), 0);
    uv_read_start((uv_stream_t *)peer, on_fake_alloc, on_fake_read);
}

/* Opens a redis on a fake server; the loop exists before both. */
static void open_on_fake_database(struct fixture *f, struct fake *fake, const char **lines,
                                  int database)
{
    struct sockaddr_in address;
    char name[32];
    int port = pick_port();
    (void)snprintf(name, sizeof name, "127.0.0.1:%d", port);
    open_on(f, name, NULL, database);
    memset(fake, 0, sizeof *fake);
    fake->lines = lines;
    uv_tcp_init(&f->loop.uv, &fake->listener);
    fake->listener.data = fake;
    uv_ip4_addr("127.0.0.1", port, &address);
    assert_int_equal(uv_tcp_bind(&fake->listener, (struct sockaddr *)&address, 0), 0);
    assert_int_equal(uv_listen((uv_stream_t *)&fake->listener, 8, on_fake_connection), 0);
}

static void open_on_fake(struct fixture *f, struct fake *fake, const char **lines)
{
    open_on_fake_database(f, fake, lines, 0);
}

static void close_fake(struct fixture *f, struct fake *fake)
{
    redis_close(f->redis);
    uv_close((uv_handle_t *)&fake->listener, NULL);
    turn_for(f, 20); /* its peers see the end */
    loop_close(&f->loop);
}

static void loading_is_not_up(void **state)
{
    (void)state;
#define LOADING "-LOADING Redis is loading the dataset in memory"
    /* To PING, TIME and SET. */
    const char *lines[] = {LOADING "\r\n" LOADING "\r\n" LOADING,
                           LOADING "\r\n" LOADING "\r\n" LOADING,
                           "+PONG\r\n*2\r\n$1\r\n1\r\n$1\r\n1\r\n+OK", NULL};
    struct fixture f;
    struct fake fake;
    open_on_fake(&f, &fake, lines);
    assert_true(turn_until(&f, &f.downs, 1, SOON));
    assert_non_null(strstr(f.why, "LOADING"));
    assert_int_equal(f.ups, 0);
    assert_true(turn_until(&f, &f.ups, 1, SOON));
    assert_int_equal(fake.connections, 1);
    close_fake(&f, &fake);
}

/* To SELECT as well: that is no reason to give up the connection. */
static void loading_with_a_database(void **state)
{
    (void)state;
    const char *lines[] = {LOADING "\r\n" LOADING "\r\n" LOADING "\r\n" LOADING,
                           "+PONG\r\n*2\r\n$1\r\n1\r\n$1\r\n1\r\n+OK", NULL};
    struct fixture f;
    struct fake fake;
    open_on_fake_database(&f, &fake, lines, 3);
    assert_true(turn_until(&f, &f.downs, 1, SOON));
    assert_non_null(strstr(f.why, "LOADING"));
    assert_null(strstr(f.why, "redis.database"));
    close_fake(&f, &fake);
}

/* Another Redis may have the name by now. */
static void who_loads_for_long_is_looked_up_again(void **state)
{
    (void)state;
    const char *lines[] = {LOADING "\r\n" LOADING "\r\n" LOADING, NULL};
    struct fixture f;
    struct fake fake;
    open_on_fake(&f, &fake, lines);
    assert_true(turn_until(&f, &fake.connections, 2, SOON));
    assert_int_equal(f.ups, 0);
    close_fake(&f, &fake);
}

static void something_else_is_told(void **state)
{
    (void)state;
    static const char *const answers[][2] = {{"HTTP/1.1 400 Bad Request", "speaks no Redis"},
                                             {"+PONG\r\n:1\r\n+OK\r\n+PONG", "nobody asked"},
                                             {":1", "does not answer PING"},
                                             {"-ERR unknown", "answers PING with an error"}};
    for (size_t i = 0; i < sizeof answers / sizeof answers[0]; i++) {
        const char *lines[] = {answers[i][0], NULL};
        struct fixture f;
        struct fake fake;
        open_on_fake(&f, &fake, lines);
        assert_true(turn_until(&f, &f.downs, 1, SOON));
        if (strstr(f.why, answers[i][1]) == NULL)
            fail_msg("%s", f.why);
        close_fake(&f, &fake);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_are_bytes),
        cmocka_unit_test(large_values_pass),
        cmocka_unit_test(ten_thousand_in_a_row),
        cmocka_unit_test(kill_and_restart),
        cmocka_unit_test_setup_teardown(silence_is_a_timeout, impatient, patient),
        cmocka_unit_test_setup_teardown(a_held_up_loop_is_no_timeout, impatient, patient),
        cmocka_unit_test_setup_teardown(what_takes_long_to_come_is_no_timeout, impatient, patient),
        cmocka_unit_test(scripts_load_themselves),
        cmocka_unit_test(many_scripts_at_once_after_a_flush),
        cmocka_unit_test(two_shards),
        cmocka_unit_test(password_and_database),
        cmocka_unit_test(names_are_resolved),
        cmocka_unit_test(bad_server_lists),
        cmocka_unit_test(close_answers_what_is_outstanding),
        cmocka_unit_test(close_out_of_a_callback),
        cmocka_unit_test(loading_is_not_up),
        cmocka_unit_test(loading_with_a_database),
        cmocka_unit_test(who_loads_for_long_is_looked_up_again),
        cmocka_unit_test(something_else_is_told),
    };
    return cmocka_run_group_tests(tests, start_server, stop_server);
}
