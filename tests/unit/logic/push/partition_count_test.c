/* With a real Redis: what counts is what its script makes of several askers. */
#include "common/base/mem.h"
#include "common/redis/redis.h"
#include "logic/push/partition_count.h"
#include "tests/unit/lib/clock.h"
#include "tests/unit/lib/redis_server.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

/* needs the above */
#include <cmocka.h>

static struct redis_server server;
static struct loop loop;
static struct logic_config config;
static struct logic logic = {.config = &config, .loop = &loop};
static struct member self = {.id = "logic-1"};
static struct partition_count *agree;
static bool idle, ready;
static int opened;

void daemon_ready(struct daemon *daemon, const char *name, bool holds, const char *why_not)
{
    (void)daemon;
    (void)why_not;
    assert_string_equal(name, "partitions");
    ready = holds;
}

const struct member *membership_self(const struct membership *membership)
{
    (void)membership;
    return &self;
}

static bool is_idle(void *arg)
{
    (void)arg;
    return idle;
}

static void on_opened(void *arg)
{
    (void)arg;
    opened++;
}

static const struct partition_count_events events = {.idle = is_idle, .opened = on_opened};

/* --- */

/* Redis's answer as text, from outside. */
static const char *ask(const char *command)
{
    static char text[256];
    redisContext *c = redisConnect("127.0.0.1", server.port);
    redisReply *reply = redisCommand(c, command);

    assert_non_null(reply);
    snprintf(text, sizeof text, "%s", reply->str != NULL ? reply->str : "");
    freeReplyObject(reply);
    redisFree(c);
    return text;
}

static int allowed(void)
{
    return partition_permit_now(partition_count_permit(agree), loop_now_ms(&loop));
}

static bool state_is(char state)
{
    return ask("HGET imc:bus:t l:logic-1")[0] == state;
}

static void on_look(uv_timer_t *timer)
{
    (void)timer; /* so that the loop turns */
}

/* Kafka says COUNT all the time, until CONDITION. */
static void run_until(int count, bool (*condition)(int), int arg)
{
    uv_timer_t look;
    uint64_t end = loop_now_ms(&loop) + 60000;

    uv_timer_init(&loop.uv, &look);
    uv_timer_start(&look, on_look, 20, 20);
    while (!condition(arg)) {
        assert_true(loop_now_ms(&loop) < end);
        if (count > 0)
            partition_count_saw(agree, count, loop_now_ms(&loop));
        uv_run(&loop.uv, UV_RUN_ONCE);
    }
    uv_close((uv_handle_t *)&look, NULL);
    uv_run(&loop.uv, UV_RUN_NOWAIT);
}

static bool is_allowed(int n)
{
    return allowed() == n;
}

static bool has_state(int state)
{
    return state_is((char)state);
}

static bool is_up(int up)
{
    return redis_is_up(logic.redis) == (up != 0);
}

static void on_redis(struct redis *redis, bool up, const char *why, void *arg)
{
    (void)redis;
    (void)up;
    (void)why;
    (void)arg;
}

static int setup(void **state)
{
    (void)state;
    clock_share(5, redis_servers_catch_up);
    clock_share_day(redis_server_day());
    redis_server_start(&server, NULL);
    config.bus_topic = mem_strdup("t");
    assert_int_equal(loop_init(&loop, "test", 0), 0);
    struct redis_options options = {.servers = server.address, .timeout_ms = 1000};
    assert_int_equal(redis_open(&loop, &options, on_redis, NULL, &logic.redis), 0);
    logic.membership = (struct membership *)(void *)&self;
    idle = ready = false;
    opened = 0;
    agree = partition_count_open(&logic, &events, NULL);
    assert_int_equal(allowed(), 0);
    run_until(0, is_up, 1);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    partition_count_close(agree);
    redis_close(logic.redis);
    loop_close(&loop);
    redis_server_stop(&server);
    free(config.bus_topic);
    return 0;
}

/* --- */

static void the_first_takes_kafkas_number_and_it_stays(void **state)
{
    (void)state;
    run_until(4, is_allowed, 4);
    assert_true(ready && opened > 0);
    assert_string_equal(ask("HGET imc:bus:t n"), "4");
    assert_true(state_is('p'));
    partition_count_saw(agree, 6, loop_now_ms(&loop));
    assert_int_equal(allowed(), 4); /* Redis has just said so */

    ask("DEL imc:bus:t"); /* a Redis that has lost it gets it back from us */
    run_until(6, has_state, 'p');
    assert_string_equal(ask("HGET imc:bus:t n"), "4");
}

static void while_it_is_held_nothing_is_produced(void **state)
{
    (void)state;
    run_until(4, is_allowed, 4);
    ask("HSET imc:bus:t hold 99999999999999 since 7");
    run_until(4, is_allowed, 0);
    assert_true(ready); /* it is a matter of moments */
    assert_true(state_is('p'));
    idle = true;
    run_until(4, has_state, 'h');
    ask("HSET imc:bus:t since 8"); /* another hold: it has not been told of that one */
    run_until(4, has_state, 'p');
    run_until(4, has_state, 'h');
    opened = 0;
    ask("HSET imc:bus:t n 12 v 2 hold 1"); /* switched */
    run_until(12, is_allowed, 12);
    assert_true(opened > 0 && state_is('p'));
}

static void without_redis_kafkas_word_counts_as_long_as_nothing_is_afoot(void **state)
{
    (void)state;
    run_until(4, is_allowed, 4);
    redis_server_kill(&server);
    uint64_t end = loop_now_ms(&loop) + PARTITION_COUNT_PERMIT_MS + 1000;
    run_until(0, is_up, 0);
    while (loop_now_ms(&loop) < end) {
        partition_count_saw(agree, 4, loop_now_ms(&loop));
        assert_int_equal(allowed(), 4);
        uv_run(&loop.uv, UV_RUN_ONCE);
    }
    partition_count_saw(agree, 6, loop_now_ms(&loop)); /* a change may be under way */
    assert_int_equal(allowed(), 0);
    assert_false(ready);
    partition_count_saw(agree, 4,
                        loop_now_ms(&loop) - PARTITION_COUNT_FRESH_MS); /* and who knows by now? */
    assert_int_equal(allowed(), 0);
    redis_server_run(&server);
    run_until(6, is_allowed, 4);
    assert_true(ready);
}

static void a_number_beyond_kafkas_is_not_used(void **state)
{
    (void)state;
    ask("HSET imc:bus:t n 8 v 3");
    run_until(4, has_state, 'p');
    assert_int_equal(allowed(), 0);
    run_until(8, is_allowed, 8);
}

/* More than comets take. */
static void a_number_out_of_reason_is_not_used(void **state)
{
    (void)state;
    ask("HSET imc:bus:t n 10000 v 3");
    run_until(10001, is_allowed, 10000);
    ask("HSET imc:bus:t n 10001 v 4");
    run_until(10001, is_allowed, 0);
    assert_string_equal(partition_count_refusal(agree),
                        "10001 partitions are agreed, comets take at most 10000");
}

static void who_leaves_is_not_waited_for(void **state)
{
    (void)state;
    run_until(4, is_allowed, 4);
    partition_count_close(agree);
    run_until(0, has_state, '\0');
    agree = partition_count_open(&logic, &events, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_first_takes_kafkas_number_and_it_stays, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(while_it_is_held_nothing_is_produced, setup, teardown),
        cmocka_unit_test_setup_teardown(
            without_redis_kafkas_word_counts_as_long_as_nothing_is_afoot, setup, teardown),
        cmocka_unit_test_setup_teardown(a_number_beyond_kafkas_is_not_used, setup, teardown),
        cmocka_unit_test_setup_teardown(a_number_out_of_reason_is_not_used, setup, teardown),
        cmocka_unit_test_setup_teardown(who_leaves_is_not_waited_for, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
