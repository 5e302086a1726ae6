/* With a real Redis: numbers rise, a comet's hearsay is outbid, a later owner is found out, and
 * what cannot be a fence counts for nothing. */
#include "common/base/time.h"
#include "common/protocol/fence.h"
#include "common/protocol/message_id.h"
#include "job/partition/partition_fence.h"
#include "tests/unit/lib/clock.h"
#include "tests/unit/lib/redis_server.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static struct {
    struct redis_server server;
    struct loop loop;
    struct redis *redis;
    bool up, answered;
    uint64_t number;
} world;

static void on_redis(struct redis *redis, bool up, const char *why, void *arg)
{
    (void)redis;
    (void)why;
    (void)arg;
    world.up = up;
}

static void turn_until(const bool *condition)
{
    assert_true(until(*condition, uv_run(&world.loop.uv, UV_RUN_NOWAIT)));
}

static int setup(void **state)
{
    struct redis_options options = {.timeout_ms = CLOCK_HOPELESS_MS};

    (void)state;
    world.up = false;
    redis_server_start(&world.server, NULL);
    options.servers = world.server.address;
    assert_int_equal(loop_init(&world.loop, "test", 0), 0);
    assert_int_equal(redis_open(&world.loop, &options, on_redis, NULL, &world.redis), 0);
    turn_until(&world.up);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    redis_close(world.redis);
    loop_close(&world.loop);
    redis_server_stop(&world.server);
    return 0;
}

static void on_fence(uint64_t number, void *arg)
{
    (void)arg;
    world.number = number;
    world.answered = true;
}

static uint64_t ask(uint64_t ours, uint64_t heard, bool claim)
{
    const struct partition_fence_question question = {
        .topic = "t", .partition = 3, .ours = ours, .heard = heard, .claim = claim};

    world.answered = false;
    partition_fence_ask(&world.loop, world.redis, &question, on_fence, NULL);
    turn_until(&world.answered);
    return world.number;
}

static void on_set(struct redis *redis, const redisReply *reply, void *arg)
{
    (void)redis;
    assert_non_null(reply);
    assert_int_equal(reply->type, REDIS_REPLY_STATUS);
    *(bool *)arg = true;
}

static void set(const char *value)
{
    const char *argv[] = {"SET", "imc:fence:t:3", value};
    bool done = false;

    redis_command(world.redis, 0, 3, argv, NULL, on_set, &done);
    turn_until(&done);
}

static bool is_about_now(uint64_t number)
{
    uint64_t now = time_unix_ms();

    return number <= now + 1000 && number + 60000 >= now;
}

static void each_owner_gets_a_higher_one(void **state)
{
    (void)state;
    uint64_t first = ask(0, 0, false);
    assert_true(is_about_now(first));
    uint64_t second = ask(0, 0, false);
    assert_true(second > first);
    assert_true(ask(second, 0, false) > second);
}

static void a_later_owner_is_told_of_and_can_be_outbid(void **state)
{
    (void)state;
    uint64_t ours = ask(0, 0, false), later = ask(0, 0, false);
    assert_int_equal(ask(ours, 0, false), 0);
    assert_int_equal(ask(ours, later + 5, false), 0);
    assert_true(ask(ours, 0, true) > later);
}

static void what_a_comet_heard_is_outbid(void **state)
{
    uint64_t heard = time_unix_ms() + FENCE_AHEAD_MS - 60000;

    (void)state;
    uint64_t ours = ask(0, 0, false);
    assert_int_equal(ask(ours, heard, false), heard + 1);
    assert_int_equal(ask(0, 0, false), heard + 2);
}

static void what_cannot_be_is_not(void **state)
{
    (void)state;
    uint64_t ours = ask(0, 0, false);
    assert_true(is_about_now(ask(ours, UINT64_MAX, false)));
    assert_true(is_about_now(ask(0, time_unix_ms() + FENCE_AHEAD_MS + 60000, false)));
    set("99999999999999");
    assert_true(is_about_now(ask(0, 0, false)));
}

static void what_is_no_number_is_replaced(void **state)
{
    static const char *const values[] = {"", "no number", "nan", "inf", "-5"};

    (void)state;
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        set(values[i]);
        assert_true(is_about_now(ask(0, 0, false)));
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(each_owner_gets_a_higher_one),  TEST(a_later_owner_is_told_of_and_can_be_outbid),
        TEST(what_a_comet_heard_is_outbid),  TEST(what_cannot_be_is_not),
        TEST(what_is_no_number_is_replaced),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
