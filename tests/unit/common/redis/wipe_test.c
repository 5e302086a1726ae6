/* Passwords, and what is sent to Redis and comes from it, are overwritten before their memory is
 * given back: tokens are among it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "common/base/mem.h"
#include "tests/unit/lib/freed.h"
#include "tests/unit/lib/redis_fixture.h"

static struct redis_script echo = {.source = "return {ARGV[1], {ARGV[1]}}"};

static void nothing_of_it_is_left_in_freed_memory(void **state)
{
    (void)state;
    enum { LONG = 100000 };
    struct redis_server server;
    struct fixture f;
    struct answer answer = {0};

    if (!freed_is_watched)
        skip();
    char *value = mem_alloc(LONG + 1);
    redis_server_start(&server, FREED_SECRET);
    memset(value, 'x', LONG);
    memcpy(value + LONG - sizeof FREED_SECRET, FREED_SECRET, sizeof FREED_SECRET);
    freed_watch(false);
    open_on(&f, server.address, FREED_SECRET, 0);
    assert_true(turn_until(&f, &f.ups, 1, SOON));
    ask(&f, 0, 3, (const char *[]){"SET", "token", FREED_SECRET}, NULL);
    assert_string_equal(ask(&f, 0, 2, (const char *[]){"GETDEL", "token"}, NULL).text,
                        FREED_SECRET);
    ask(&f, 0, 3, (const char *[]){"SET", "long", value}, NULL);
    redis_eval(
        f.redis,
        &(struct redis_eval){.script = &echo, .argc = 1, .argv = (const char *[]){FREED_SECRET}},
        on_answer, &answer);
    assert_true(turn_until(&f, &answer.count, 1, SOON));
    assert_int_equal(answer.type, REDIS_REPLY_ARRAY);
    redis_server_kill(&server); /* with one on its way */
    redis_command(f.redis, 0, 2, (const char *[]){"GET", FREED_SECRET}, NULL, NULL, NULL);
    assert_true(turn_until(&f, &f.downs, 1, SOON));
    close_all(&f);
    assert_int_equal(freed_end(), 0);
    mem_wiped_free(value, LONG);
    redis_server_stop(&server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_of_it_is_left_in_freed_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
