#include "common/base/mem.h"
#include "logic/http/idempotency.h"
#include "tests/unit/lib/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

/* needs the above */
#include <cmocka.h>

#define DIGEST "0123456789abcdef0123456789abcdef"

static const struct idem_call same = {"shop", "key-1", DIGEST};
static const struct idem_call other = {"shop", "key-1", "ffffffffffffffffffffffffffffffff"};

/* In place of Redis: one key, and scripts told apart by their source. */
static char stored[256];
static size_t stored_len; /* 0 = absent */
static bool away;
static int asked;

struct answer {
    redis_fn fn;
    void *arg;
    redisReply reply;
    bool none;
    char text[256];
};
static struct answer next_answer;

size_t redis_shard_of(const struct redis *redis, const char *key, size_t len)
{
    (void)redis;
    (void)key;
    (void)len;
    return 0;
}

static void reply_stored(void)
{
    next_answer.reply.type = stored_len == 0 ? REDIS_REPLY_NIL : REDIS_REPLY_STRING;
    memcpy(next_answer.text, stored, stored_len);
    next_answer.reply.str = next_answer.text;
    next_answer.reply.len = stored_len;
}

static void store(const char *value, size_t len)
{
    assert_true(len < sizeof stored);
    memcpy(stored, value, len);
    stored_len = len;
}

void redis_eval(struct redis *redis, const struct redis_eval *what, redis_fn fn, void *arg)
{
    const char **argv = what->argv;
    const size_t *argvlen = what->argvlen;
    (void)redis;
    assert_int_equal(what->keys, 1);
    assert_string_equal(argv[0], "imc:idem:shop:key-1");
    next_answer = (struct answer){.fn = fn, .arg = arg, .none = away};
    if (away)
        return;
    if (what->argc == 3) { /* begin */
        assert_non_null(strstr(what->script->source, "'f'"));
        asked++;
        reply_stored();
        if (stored_len == 0 || (stored[0] == 'f' && memcmp(stored + 1, argv[1] + 1, 32) == 0))
            store(argv[1], argvlen[1]);
        return;
    }
    bool own = stored_len == argvlen[1] && memcmp(stored, argv[1], stored_len) == 0;
    next_answer.reply.type = REDIS_REPLY_INTEGER;
    next_answer.reply.integer = own;
    if (own)
        store(argv[2], argvlen[2]);
}

static void redis_answers(void)
{
    struct answer answer = next_answer;
    answer.reply.str = answer.text;
    answer.fn(NULL, answer.none ? NULL : &answer.reply, answer.arg);
}

/* --- */

static _Atomic int64_t counters[LOGIC_METRIC_COUNT];
static struct logic_config config = {.bus_timeout_ms = 100, .lookup_timeout_ms = 10};
static struct loop loop;
static struct logic logic = {.config = &config, .counters = counters, .loop = &loop};

static struct {
    int calls;
    enum idem_verdict verdict;
    struct idem *idem;
    char data[256];
    size_t len;
} got[2];

static void on_verdict(void *arg, enum idem_verdict verdict, struct idem *idem, const void *data,
                       size_t len)
{
    int i = *(int *)arg;
    got[i].calls++;
    got[i].verdict = verdict;
    got[i].idem = idem;
    got[i].len = len;
    if (len > 0)
        memcpy(got[i].data, data, len);
}

static int zero = 0, one = 1;

static int clear(void **state)
{
    (void)state;
    memset(counters, 0, sizeof counters);
    memset(got, 0, sizeof got);
    stored_len = 0;
    away = false;
    asked = 0;
    clock_take();
    return loop_init(&loop, "test", 0);
}

static int close_loop(void **state)
{
    (void)state;
    loop_close(&loop);
    return 0;
}

static void turn(void)
{
    uv_run(&loop.uv, UV_RUN_ONCE);
}

static void values(void **state)
{
    struct idem_value value;

    (void)state;
    assert_int_equal(idem_parse("p" DIGEST "123", 36, &value), IDEM_PENDING);
    assert_int_equal(idem_parse("a" DIGEST "{}", 35, &value), IDEM_ANSWERED);
    assert_memory_equal(value.digest, DIGEST, IDEM_DIGEST);
    assert_int_equal(value.rest_len, 2);
    assert_memory_equal(value.rest, "{}", 2);
    assert_int_equal(idem_parse("f" DIGEST, 33, &value), IDEM_PARTIAL);
    assert_int_equal(value.rest_len, 0);
    assert_int_equal(idem_parse("x" DIGEST, 33, &value), IDEM_GARBLED);
    assert_int_equal(idem_parse("a" DIGEST, 32, &value), IDEM_GARBLED);
    assert_int_equal(idem_parse("", 0, &value), IDEM_GARBLED);
}

static void second_is_answered_as_the_first(void **state)
{
    (void)state;
    idem_begin(&logic, &same, on_verdict, &zero);
    assert_int_equal(got[0].calls, 0);
    redis_answers();
    assert_int_equal(got[0].verdict, IDEM_FIRST);
    assert_int_equal(stored[0], 'p');
    idem_done(got[0].idem, "{\"ret\":1}", 9);
    redis_answers();
    idem_begin(&logic, &same, on_verdict, &one);
    redis_answers();
    assert_int_equal(got[1].verdict, IDEM_REPEATED);
    assert_int_equal(got[1].len, 9);
    assert_memory_equal(got[1].data, "{\"ret\":1}", 9);
    assert_null(got[1].idem);
    assert_int_equal(counters[LOGIC_FIRST], 1);
    assert_int_equal(counters[LOGIC_REPEATED], 1);
}

static void second_waits_for_the_first(void **state)
{
    (void)state;
    idem_begin(&logic, &same, on_verdict, &zero);
    redis_answers();
    idem_begin(&logic, &same, on_verdict, &one);
    redis_answers();
    assert_int_equal(got[1].calls, 0);
    while (asked < 3)
        turn();
    redis_answers();
    assert_int_equal(got[1].calls, 0);
    idem_done(got[0].idem, "ok", 2);
    redis_answers();
    while (asked < 4)
        turn();
    redis_answers();
    assert_int_equal(got[1].verdict, IDEM_REPEATED);
}

static void failure_lets_the_next_try(void **state)
{
    (void)state;
    idem_begin(&logic, &same, on_verdict, &zero);
    redis_answers();
    idem_fail(got[0].idem, NULL, 0);
    redis_answers();
    assert_int_equal(stored_len, 0);
    idem_begin(&logic, &same, on_verdict, &one);
    redis_answers();
    assert_int_equal(got[1].verdict, IDEM_FIRST);
    assert_int_equal(got[1].len, 0);
    idem_done(got[1].idem, "x", 1);
}

static void failure_may_leave_word(void **state)
{
    (void)state;
    idem_begin(&logic, &same, on_verdict, &zero);
    redis_answers();
    idem_fail(got[0].idem, "done:1", 6);
    redis_answers();
    idem_begin(&logic, &same, on_verdict, &one);
    redis_answers();
    assert_int_equal(got[1].verdict, IDEM_FIRST);
    assert_int_equal(got[1].len, 6);
    assert_memory_equal(got[1].data, "done:1", 6);
    assert_int_equal(stored[0], 'p'); /* pending again */
    idem_fail(got[1].idem, NULL, 0);
}

static void lapsed_owner_changes_nothing(void **state)
{
    (void)state;
    idem_begin(&logic, &same, on_verdict, &zero);
    redis_answers();
    store("p" DIGEST "somebody else", 46);
    idem_done(got[0].idem, "x", 1);
    redis_answers();
    assert_memory_equal(stored, "p" DIGEST "somebody else", 46);
}

/* Whether the first one is under way, was accepted, or failed. */
static void another_call_is_told_so(void **state)
{
    static const char *const values[] = {"p" DIGEST "x", "a" DIGEST "x", "f" DIGEST "x"};

    (void)state;
    for (int i = 0; i < 3; i++) {
        store(values[i], 34);
        idem_begin(&logic, &other, on_verdict, &zero);
        redis_answers();
        assert_int_equal(got[0].calls, i + 1);
        assert_int_equal(got[0].verdict, IDEM_OTHER);
        assert_null(got[0].idem);
        assert_memory_equal(stored, values[i], 34);
        assert_int_equal(counters[LOGIC_REPEATED], 0);
    }
}

static void redis_away_and_garbage(void **state)
{
    (void)state;
    away = true;
    idem_begin(&logic, &same, on_verdict, &zero);
    redis_answers();
    assert_int_equal(got[0].verdict, IDEM_AWAY);
    away = false;
    store("?", 1);
    idem_begin(&logic, &same, on_verdict, &one);
    redis_answers();
    assert_int_equal(got[1].verdict, IDEM_AWAY);
}

static void waiting_has_an_end(void **state)
{
    (void)state;
    config.bus_timeout_ms = -2900; /* pending for 110 ms in all */
    store("p" DIGEST "dead", 37);
    idem_begin(&logic, &same, on_verdict, &zero);
    redis_answers();
    for (int i = 2; got[0].calls == 0; i++) {
        while (asked < i)
            turn();
        redis_answers();
    }
    assert_int_equal(got[0].verdict, IDEM_BUSY);
    assert_in_range(asked, 3, 5);
    config.bus_timeout_ms = 100;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values),
        cmocka_unit_test_setup_teardown(second_is_answered_as_the_first, clear, close_loop),
        cmocka_unit_test_setup_teardown(second_waits_for_the_first, clear, close_loop),
        cmocka_unit_test_setup_teardown(failure_lets_the_next_try, clear, close_loop),
        cmocka_unit_test_setup_teardown(failure_may_leave_word, clear, close_loop),
        cmocka_unit_test_setup_teardown(lapsed_owner_changes_nothing, clear, close_loop),
        cmocka_unit_test_setup_teardown(another_call_is_told_so, clear, close_loop),
        cmocka_unit_test_setup_teardown(redis_away_and_garbage, clear, close_loop),
        cmocka_unit_test_setup_teardown(waiting_has_an_end, clear, close_loop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
