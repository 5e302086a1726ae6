/* redis_fixture.h - a struct redis on a loop of its own, for a test that turns it by hand, and
 * whose clock stands still while a Redis is busy. Include cmocka.h first. */
#ifndef IMC_TESTS_UNIT_LIB_REDIS_FIXTURE_H
#define IMC_TESTS_UNIT_LIB_REDIS_FIXTURE_H

#include "common/redis/redis.h"
#include "tests/unit/lib/clock.h"
#include "tests/unit/lib/redis_server.h"

enum {
    STEP_MS = 5, /* of the clock, when no Redis has anything to do */
    SOON =
        3600000, /* for what comes; of our own clock, which does not wait for names and Sentinels */
};

static int timeout_ms = SOON; /* of common/redis/redis.c, in tests that are not about it */

struct fixture {
    struct loop loop;
    uv_timer_t guard;
    struct redis *redis;
    int ups, downs;
    bool up;
    char why[512];
    int writables, unwritables;
    bool writable;
    char write_why[512];
};

static inline void on_state(struct redis *redis, bool up, const char *why, void *arg)
{
    struct fixture *f = arg;
    assert_int_equal(redis_is_up(redis), up);
    if (up)
        f->ups++;
    else
        f->downs++;
    f->up = up;
    (void)snprintf(f->why, sizeof f->why, "%s", why);
}

static inline void on_write_state(struct redis *redis, bool writable, const char *why, void *arg)
{
    struct fixture *f = arg;
    (void)redis;
    f->writable = writable;
    if (writable)
        f->writables++;
    else
        f->unwritables++;
    (void)snprintf(f->write_why, sizeof f->write_why, "%s", why);
}

static inline void on_guard(uv_timer_t *timer)
{
    *(bool *)timer->data = true;
}

/* Turns the loop until *COUNT reaches WANT; false after MS of its time. */
static inline bool turn_until(struct fixture *f, const int *count, int want, uint64_t ms)
{
    bool late = false;
    f->guard.data = &late;
    uv_update_time(&f->loop.uv);
    uv_timer_start(&f->guard, on_guard, ms, 0);
    while (*count < want && !late)
        uv_run(&f->loop.uv, UV_RUN_ONCE);
    uv_timer_stop(&f->guard);
    return *count >= want;
}

static inline void turn_for(struct fixture *f, uint64_t ms)
{
    int never = 0;
    turn_until(f, &never, 1, ms);
}

static inline void open_with(struct fixture *f, const struct redis_options *given)
{
    struct redis_options options = *given;
    if (clock_own.day_us == NULL && !redis_servers.by_real_time) {
        clock_share(STEP_MS, redis_servers_catch_up);
        clock_share_day(redis_server_day());
    }
    memset(f, 0, sizeof *f);
    assert_int_equal(loop_init(&f->loop, "test", 0), 0);
    uv_timer_init(&f->loop.uv, &f->guard);
    options.timeout_ms = timeout_ms;
    options.write_state = on_write_state;
    assert_int_equal(redis_open(&f->loop, &options, on_state, f, &f->redis), 0);
    assert_false(redis_is_up(f->redis));
}

static inline void open_on(struct fixture *f, const char *servers, const char *password,
                           int64_t database)
{
    open_with(
        f, &(struct redis_options){.servers = servers, .password = password, .database = database});
}

static inline void open_up(struct fixture *f, const char *servers)
{
    open_on(f, servers, NULL, 0);
    if (!turn_until(f, &f->ups, 1, SOON))
        fail_msg("not up: %s", f->why);
    assert_int_equal(f->downs, 0);
}

static inline void close_all(struct fixture *f)
{
    redis_close(f->redis);
    loop_close(&f->loop);
}

/* What one answer was. */
struct answer {
    int count, nulls;
    int type;
    long long integer;
    size_t len;
    char text[256];
    enum redis_class class;
    char said[512]; /* of NULL or an error */
};

static inline void on_answer(struct redis *redis, const redisReply *reply, void *arg)
{
    struct answer *answer = arg;
    answer->count++;
    answer->nulls += reply == NULL;
    answer->type = reply != NULL ? reply->type : 0;
    answer->class = redis_class_of(reply);
    if (reply == NULL || reply->type == REDIS_REPLY_ERROR)
        (void)snprintf(answer->said, sizeof answer->said, "%s", redis_said(redis));
    if (reply == NULL)
        return;
    answer->integer = reply->integer;
    answer->len = reply->str != NULL ? reply->len : 0;
    if (reply->str != NULL)
        memcpy(answer->text, reply->str, answer->len < 255 ? answer->len + 1 : 255);
}

static inline struct answer ask(struct fixture *f, size_t shard, int argc, const char **argv,
                                const size_t *lens)
{
    struct answer answer = {0};
    redis_command(f->redis, shard, argc, argv, lens, on_answer, &answer);
    assert_int_equal(answer.count, 0); /* never before it returns */
    assert_true(turn_until(f, &answer.count, 1, SOON));
    return answer;
}

#endif
