/* redis_group.h - one Redis for all tests of a file: cmocka's group setup and teardown. */
#ifndef IMC_TESTS_UNIT_LIB_REDIS_GROUP_H
#define IMC_TESTS_UNIT_LIB_REDIS_GROUP_H

#include "tests/unit/lib/redis_server.h"

static struct redis_server server;

static inline int start_server(void **state)
{
    (void)state;
    signal(SIGPIPE, SIG_IGN); /* hiredis writes to one that a test has killed */
    redis_server_start(&server, NULL);
    return 0;
}

static inline int stop_server(void **state)
{
    (void)state;
    redis_server_stop(&server);
    return 0;
}

#endif
