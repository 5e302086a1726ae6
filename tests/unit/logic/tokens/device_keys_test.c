/* device_keys.c against two real Redis servers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

/* needs the above */
#include <cmocka.h>

/* needs cmocka.h */
#include "common/protocol/goim_auth.h"
#include "common/protocol/goim_key.h"
#include "logic/tokens/device_keys.h"
#include "tests/unit/lib/clock.h"
#include "tests/unit/lib/redis_fixture.h"

#include <errno.h>

#define RANDOM "0123456789abcdef0123456789abcdef"

enum { KEYS = 64 };

static struct redis_server servers[2];
static struct fixture f;
static _Atomic int64_t counters[LOGIC_METRIC_COUNT];
static struct logic_config config = {.keys_ttl_ms = 1000000};
static struct logic logic = {.config = &config, .counters = counters};

static_assert((int)DEVICE_KEY_MAX == (int)GOIM_AUTH_KEY_MAX, "a client's key fits");

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

static int take(const char *key, int64_t uid)
{
    struct done done = {0};
    device_keys_take(&logic, key, uid, on_done, &done);
    assert_int_equal(done.n, 0); /* never within the call */
    assert_true(until(done.n == 1, uv_run(&f.loop.uv, UV_RUN_NOWAIT)));
    return done.err;
}

struct finding {
    int n, err;
    size_t keys;
    struct device_key_owner owners[KEYS];
};

static void on_found(void *arg, int err, const struct device_key_owner *owners)
{
    struct finding *finding = arg;
    finding->n++;
    finding->err = err;
    if (err == 0 && finding->keys > 0)
        memcpy(finding->owners, owners, finding->keys * sizeof *owners);
}

static struct finding find(const char *const *keys, size_t n)
{
    struct finding finding = {.keys = n};
    device_keys_find(&logic, keys, n, on_found, &finding);
    assert_int_equal(finding.n, 0);
    assert_true(until(finding.n == 1, uv_run(&f.loop.uv, UV_RUN_NOWAIT)));
    return finding;
}

/* The uid of KEY; 0: it is not known. */
static int64_t owner_of(const char *key)
{
    struct finding finding = find(&key, 1);
    assert_int_equal(finding.err, 0);
    return finding.owners[0].known ? finding.owners[0].uid : 0;
}

/* What Redis says to VERB imc:key:KEY MORE. */
static struct answer say(const char *verb, const char *key, const char *more)
{
    char at[200];
    const char *argv[] = {verb, at, more};
    size_t len[] = {strlen(verb), (size_t)snprintf(at, sizeof at, "imc:key:%s", key),
                    more != NULL ? strlen(more) : 0};
    return ask(&f, redis_shard_of(f.redis, at, len[1]), more != NULL ? 3 : 2, argv, len);
}

static void keep(const char *key, int64_t uid)
{
    device_keys_keep(&logic, key, uid);
    /* Redis may not have had the script yet: the second is behind the first in any case. */
    for (int i = 0; i < 2; i++)
        (void)say("GET", key, NULL);
}

/* --- */

static void who_connects_last_has_the_key(void **state)
{
    (void)state;
    assert_int_equal(owner_of("phone"), 0);
    assert_int_equal(take("phone", 7), 0);
    assert_int_equal(owner_of("phone"), 7);
    assert_int_equal(take("phone", -8), 0);
    assert_int_equal(owner_of("phone"), -8);
    assert_in_range(say("PTTL", "phone", NULL).integer, 1, 1000000);
}

static void many_keys_are_found_on_all_shards(void **state)
{
    char texts[KEYS][DEVICE_KEY_MAX + 1];
    const char *keys[KEYS];

    (void)state;
    for (size_t i = 0; i < KEYS; i++) {
        (void)snprintf(texts[i], sizeof texts[i], "key %zu", i);
        keys[i] = texts[i];
        if (i % 4 == 1)
            goim_key_make(INT64_MIN + (int64_t)i, RANDOM, texts[i]);
        else if (i % 4 != 0)
            assert_int_equal(take(keys[i], (int64_t)i), 0);
    }
    memset(texts[2], 'x', DEVICE_KEY_MAX);
    texts[2][DEVICE_KEY_MAX] = '\0';
    assert_int_equal(take(keys[2], 2), 0);
    struct finding finding = find(keys, KEYS);
    assert_int_equal(finding.err, 0);
    for (size_t i = 0; i < KEYS; i++) {
        assert_int_equal(finding.owners[i].known, i % 4 != 0);
        if (i % 4 != 0)
            assert_true(finding.owners[i].uid == (int64_t)i + (i % 4 == 1 ? INT64_MIN : 0));
    }
    assert_int_equal(find(keys, 0).err, 0);
}

static void a_session_keeps_its_key(void **state)
{
    (void)state;
    config.keys_ttl_ms = 5000;
    assert_int_equal(take("old", 7), 0);
    config.keys_ttl_ms = 1000000;
    keep("old", 7);
    assert_in_range(say("PTTL", "old", NULL).integer, 5001, 1000000);
    keep("lost", 7); /* Redis has lost it */
    assert_int_equal(owner_of("lost"), 7);
    assert_in_range(say("PTTL", "lost", NULL).integer, 5001, 1000000);
    assert_int_equal(device_keys_refresh_ms(&logic), 250000);
}

static void a_session_does_not_take_back_what_another_user_took(void **state)
{
    (void)state;
    config.keys_ttl_ms = 5000;
    assert_int_equal(take("mine", 8), 0);
    config.keys_ttl_ms = 1000000;
    keep("mine", 7);
    assert_int_equal(owner_of("mine"), 8);
    assert_in_range(say("PTTL", "mine", NULL).integer, 1, 5000);
}

static void made_up_and_empty_keys_are_not_stored(void **state)
{
    char key[GOIM_KEY_MADE_MAX + 1];

    (void)state;
    goim_key_make(5, RANDOM, key);
    keep(key, 5);
    keep("", 5);
    assert_int_equal(say("GET", key, NULL).type, REDIS_REPLY_NIL);
    assert_int_equal(say("GET", "", NULL).type, REDIS_REPLY_NIL);
    assert_int_equal(owner_of(key), 5);
}

static void what_is_not_ours_is_nobody(void **state)
{
    static const char *const values[] = {"", "x", "5x", "9223372036854775808"};

    (void)state;
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        (void)say("SET", "foreign", values[i]);
        assert_int_equal(owner_of("foreign"), 0);
    }
}

static void without_a_shard_nothing_is_known(void **state)
{
    static char names[KEYS][4];
    const char *keys[KEYS];
    int failed = 0;

    (void)state;
    for (size_t i = 0; i < KEYS; i++) { /* so many that each shard has some, whatever its port is */
        (void)snprintf(names[i], sizeof names[i], "k%zu", i % 100);
        keys[i] = names[i];
    }
    redis_server_kill(&servers[1]);
    assert_true(until(f.downs > 0, uv_run(&f.loop.uv, UV_RUN_NOWAIT)));
    assert_int_equal(find(keys, KEYS).err, -EAGAIN);
    for (size_t i = 0; i < KEYS; i++)
        failed += take(keys[i], 1) == -EAGAIN;
    assert_in_range(failed, 1, KEYS - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(who_connects_last_has_the_key, setup, teardown),
        cmocka_unit_test_setup_teardown(many_keys_are_found_on_all_shards, setup, teardown),
        cmocka_unit_test_setup_teardown(a_session_keeps_its_key, setup, teardown),
        cmocka_unit_test_setup_teardown(a_session_does_not_take_back_what_another_user_took, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(made_up_and_empty_keys_are_not_stored, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_not_ours_is_nobody, setup, teardown),
        cmocka_unit_test_setup_teardown(without_a_shard_nothing_is_known, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
