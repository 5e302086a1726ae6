/* How full Redis is, and when that is news. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "common/redis/internal.h"

#include "tests/unit/lib/redis_fixture.h"

static void what_info_says(void **state)
{
    (void)state;
    struct redis_memory memory = {0};
    redis_memory_read(&memory, "# Memory\r\nused_memory:850\r\nused_memory_human:850B\r\n"
                               "maxmemory:1000\r\nmaxmemory_policy:noeviction\r\n");
    assert_int_equal(memory.used, 850);
    assert_int_equal(memory.max, 1000);
    assert_false(memory.evicts);
    redis_memory_read(&memory,
                      "maxmemory_policy:allkeys-lru\r\nmaxmemory:1000\r\nused_memory:1\r\n");
    assert_true(memory.evicts);
    redis_memory_read(&memory,
                      "used_memory:850\r\nmaxmemory:0\r\nmaxmemory_policy:allkeys-lru\r\n");
    assert_int_equal(memory.level, 0);
    assert_false(memory.evicts); /* no limit, nothing to drop */
    redis_memory_read(&memory, "");
    assert_int_equal(memory.used, 0);
    redis_memory_read(&memory, "used_memory");
    assert_int_equal(memory.used, 0);
}

static int level_at(struct redis_memory *memory, int percent)
{
    char info[64];
    (void)snprintf(info, sizeof info, "used_memory:%d000000\nmaxmemory:100000000\n", percent);
    redis_memory_read(memory, info);
    return memory->level;
}

static void a_level_is_left_when_there_is_clearly_less(void **state)
{
    (void)state;
    struct redis_memory memory = {0};
    assert_int_equal(level_at(&memory, 78), 0);
    assert_int_equal(level_at(&memory, 81), 80);
    assert_int_equal(level_at(&memory, 78), 80);
    assert_int_equal(level_at(&memory, 73), 0);
    assert_int_equal(level_at(&memory, 92), 90);
    assert_int_equal(level_at(&memory, 87), 90);
    assert_int_equal(level_at(&memory, 83), 80);
    assert_int_equal(level_at(&memory, 101), 90);
}

static int told, level;
static bool evicts;

static void on_memory(struct redis *redis, const char *name, const struct redis_memory *memory,
                      void *arg)
{
    const char *same;
    (void)arg;
    assert_ptr_equal(memory, redis_memory(redis, 0, &same));
    assert_string_equal(name, same);
    told++;
    level = memory->level;
    evicts = memory->evicts;
}

static void it_is_told_once(void **state)
{
    struct redis_server server;
    struct fixture f;
    (void)state;
    redis_server_start(&server, NULL);
    redis_server_do(&server, "CONFIG SET maxmemory 1");
    redis_server_do(&server, "CONFIG SET maxmemory-policy volatile-lru");
    open_with(&f, &(struct redis_options){.servers = server.address, .memory_state = on_memory});
    assert_true(turn_until(&f, &told, 1, SOON));
    assert_int_equal(level, 90);
    assert_true(evicts);
    turn_for(&f, 1500);
    assert_int_equal(told, 1);
    close_all(&f);
    redis_server_stop(&server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_info_says),
        cmocka_unit_test(a_level_is_left_when_there_is_clearly_less),
        cmocka_unit_test(it_is_told_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
