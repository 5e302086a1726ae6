/* tokens.c against two real Redis servers: what is where, what is not ours, what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

/* needs the above */
#include <cmocka.h>

/* needs cmocka.h */
#include "logic/tokens/tokens.h"
#include "tests/unit/lib/clock.h"
#include "tests/unit/lib/redis_fixture.h"

enum { TOKENS = 64 };

static struct redis_server servers[2];
static struct fixture f;
static _Atomic int64_t counters[LOGIC_METRIC_COUNT];
static struct logic_config config;
static struct logic logic = {.config = &config, .counters = counters};

static int setup(void **state)
{
    char addresses[80];

    (void)state;
    for (int i = 0; i < 2; i++)
        redis_server_start(&servers[i], NULL);
    (void)snprintf(addresses, sizeof addresses, "%s,%s", servers[0].address, servers[1].address);
    open_up(&f, addresses);
    logic.loop = &f.loop;
    logic.redis = f.redis;
    memset(counters, 0, sizeof counters);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    close_all(&f);
    for (int i = 0; i < 2; i++)
        redis_server_stop(&servers[i]);
    return 0;
}

/* --- calls --- */

struct done {
    int n, err;
};

static void on_done(void *arg, int err)
{
    struct done *done = arg;
    done->n++;
    done->err = err;
}

static int wait_for(struct done *done)
{
    assert_int_equal(done->n, 0); /* never within the call */
    assert_true(until(done->n == 1, uv_run(&f.loop.uv, UV_RUN_NOWAIT)));
    return done->err;
}

static int make(const char *token, int64_t uid)
{
    struct token_value value = {.uid = uid, .room = "", .accepts = "*", .accepts_len = 1};
    struct done done = {0};
    tokens_new(&logic, token, &value, 0, on_done, &done);
    return wait_for(&done);
}

static int take(const char *token)
{
    struct done done = {0};
    tokens_del(&logic, token, on_done, &done);
    return wait_for(&done);
}

static int take_of(int64_t uid)
{
    struct done done = {0};
    tokens_del_uid(&logic, uid, on_done, &done);
    return wait_for(&done);
}

struct finding {
    size_t n;
    int errs[TOKENS];
    int64_t uids[TOKENS];
};

static void on_found(void *arg, size_t index, int err, const struct token_value *value,
                     const char *why)
{
    assert_true((err != 0) == (why[0] != '\0'));
    struct finding *finding = arg;
    finding->n++;
    finding->errs[index] = err;
    finding->uids[index] = err == 0 ? value->uid : 0;
}

static void find(const struct token_ref *refs, size_t n, struct finding *finding)
{
    *finding = (struct finding){0};
    tokens_find(&logic, refs, n, on_found, finding);
    assert_int_equal(finding->n, 0);
    assert_true(until(finding->n == n, uv_run(&f.loop.uv, UV_RUN_NOWAIT)));
}

static int find_one(const char *token)
{
    struct finding finding;
    struct token_ref ref = {token, strlen(token)};
    find(&ref, 1, &finding);
    return finding.errs[0];
}

/* On the server that has KEY, by a connection of the test's own. */
static void plant(const char *verb, const char *key, const char *rest)
{
    char command[512];
    size_t shard = redis_shard_of(f.redis, key, strlen(key));
    (void)snprintf(command, sizeof command, "%s %s %s", verb, key, rest);
    (void)redis_server_do(&servers[shard], command);
}

/* --- tests --- */

static void each_is_found_wherever_it_is(void **state)
{
    (void)state;
    char names[TOKENS][16];
    struct token_ref refs[TOKENS];
    struct finding finding;

    for (int i = 0; i < TOKENS; i++) {
        (void)snprintf(names[i], sizeof names[i], "t%d", i);
        refs[i] = (struct token_ref){names[i], strlen(names[i])};
        if (i % 4 != 0)
            assert_int_equal(make(names[i], i), 0);
    }
    find(refs, TOKENS, &finding);
    for (int i = 0; i < TOKENS; i++) {
        assert_int_equal(finding.errs[i], i % 4 != 0 ? 0 : -ENOENT);
        assert_int_equal(finding.uids[i], i % 4 != 0 ? i : 0);
    }
    assert_true(redis_server_do(&servers[0], "DBSIZE") > TOKENS / 4);
    assert_true(redis_server_do(&servers[1], "DBSIZE") > TOKENS / 4);
    for (int i = 0; i < TOKENS; i++) /* the uid's key may be on the other one */
        assert_int_equal(i % 2 == 0 ? take(names[i]) : take_of(i), i % 4 != 0 ? 0 : -ENOENT);
    for (int i = 0; i < 2;
         i++) /* common/redis/redis.c has a key of its own, to see whether it may write */
        assert_int_equal(redis_server_do(&servers[i], "DBSIZE"), 1);
    assert_int_equal(counters[LOGIC_TOKENS_REVOKED], TOKENS / 4 * 3);
}

static void one_that_is_away_takes_only_its_own_with_it(void **state)
{
    (void)state;
    char names[TOKENS][16];
    struct token_ref refs[TOKENS];
    struct finding finding;
    int away = 0;

    for (int i = 0; i < TOKENS; i++) {
        (void)snprintf(names[i], sizeof names[i], "t%d", i);
        refs[i] = (struct token_ref){names[i], strlen(names[i])};
        assert_int_equal(make(names[i], i), 0);
    }
    redis_server_kill(&servers[1]);
    find(refs, TOKENS, &finding);
    for (int i = 0; i < TOKENS; i++) {
        char key[32];
        int n = snprintf(key, sizeof key, "imc:token:%s", names[i]);
        bool lost = redis_shard_of(f.redis, key, (size_t)n) == 1;
        assert_int_equal(finding.errs[i], lost ? -EAGAIN : 0); /* never "no such token" */
        away += lost;
    }
    assert_in_range(away, 1, TOKENS - 1);
}

static void values_that_are_not_ours_are_no_tokens(void **state)
{
    (void)state;
    static const char *const values[][2] = {
        {"SET", "garbage"}, {"SET", "2"}, {"HSET", "a b"}, {"LPUSH", "1"}, {"SET", "1"}};
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        plant("DEL", "imc:token:strange", "");
        plant(values[i][0], "imc:token:strange", values[i][1]);
        assert_int_equal(find_one("strange"), -ENOENT);
    }
    /* Taken back all the same; whose it is nobody knows. */
    plant("SET", "imc:token:strange", "garbage");
    assert_int_equal(take("strange"), 0);
    assert_int_equal(take("strange"), -ENOENT);
}

static void what_redis_refuses_may_be_tried_again(void **state)
{
    (void)state;
    plant("HSET", "imc:token:strange", "a b");
    assert_int_equal(take("strange"), -EAGAIN); /* GETDEL of a hash */
    plant("HSET", "imc:ut:7", "a b");
    assert_int_equal(take_of(7), -EAGAIN);
    assert_int_equal(make("t", 7), -EAGAIN); /* SET … GET of a hash */
    plant("DEL", "imc:ut:7", "");
    assert_int_equal(make("t", 7), 0);
    /* The script meets a hash where the older token was. */
    plant("DEL", "imc:token:t", "");
    plant("HSET", "imc:token:t", "a b");
    assert_int_equal(make("u", 7), -EAGAIN);
    assert_int_equal(find_one("u"), 0);
    plant("DEL", "imc:ut:7", "");
    plant("HSET", "imc:ut:7", "a b");
    assert_int_equal(take("u"), -EAGAIN);
    assert_int_equal(find_one("u"), -ENOENT); /* but it is taken back */
}

static void an_older_token_that_is_none_any_more_is_nothing(void **state)
{
    (void)state;
    char longer[TOKEN_MAX / 2] = "";
    memset(longer, 'x', sizeof longer - 1);
    plant("SET", "imc:ut:7", longer);
    assert_int_equal(make("t", 7), 0);
    assert_int_equal(find_one("t"), 0);
    assert_int_equal(counters[LOGIC_TOKENS_REVOKED], 0);
}

static void a_token_of_another_user_is_left(void **state)
{
    (void)state;
    assert_int_equal(make("t", 7), 0);
    assert_int_equal(make("t", 8), 0); /* the same text, another user now */
    assert_int_equal(take_of(7), 0);
    assert_int_equal(find_one("t"), 0);
    assert_int_equal(take_of(8), 0);
    assert_int_equal(find_one("t"), -ENOENT);
}

int main(void)
{
#define TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(each_is_found_wherever_it_is),
        TEST(one_that_is_away_takes_only_its_own_with_it),
        TEST(values_that_are_not_ours_are_no_tokens),
        TEST(what_redis_refuses_may_be_tried_again),
        TEST(an_older_token_that_is_none_any_more_is_nothing),
        TEST(a_token_of_another_user_is_left),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
