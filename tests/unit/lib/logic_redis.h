/* logic_redis.h - a logic with one real Redis for all tests of a file, and a user of its own for
 * each test. Needs a `config` of the file before it. */
#ifndef IMC_TESTS_UNIT_LIB_LOGIC_REDIS_H
#define IMC_TESTS_UNIT_LIB_LOGIC_REDIS_H

#include "logic/base/logic.h"
#include "tests/unit/lib/redis_fixture.h"

static struct redis_server server;
static struct fixture f;
static _Atomic int64_t counters[LOGIC_METRIC_COUNT];
static struct logic logic = {.config = &config, .counters = counters};
static int64_t uid = 1000; /* of this test */

static inline int setup(void **state)
{
    (void)state;
    redis_server_start(&server, NULL);
    open_up(&f, server.address);
    logic.loop = &f.loop;
    logic.redis = f.redis;
    return 0;
}

static inline int teardown(void **state)
{
    (void)state;
    close_all(&f);
    redis_server_stop(&server);
    return 0;
}

static inline int next_uid(void **state)
{
    (void)state;
    uid++;
    return 0;
}

#endif
