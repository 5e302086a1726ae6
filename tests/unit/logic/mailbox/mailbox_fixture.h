/* mailbox_fixture.h - a mailbox on a real Redis, and its commands, answered when they return. */
#ifndef IMC_TESTS_UNIT_LOGIC_MAILBOX_MAILBOX_FIXTURE_H
#define IMC_TESTS_UNIT_LOGIC_MAILBOX_MAILBOX_FIXTURE_H

#include "common/base/mem.h"
#include "common/base/time.h"
#include "common/redis/redis.h"
#include "logic/mailbox/mailbox.h"
#include "tests/unit/lib/redis_server.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* needs the above */
#include <cmocka.h>

enum { UID = 42, LIMIT = 4, LIMIT_SPILLED = 8, LIMIT_ACKED = 6, PAGE = 3 };

static const char *device; /* of the session that reads, confirms or waives; NULL: none */

static struct redis_server server;
static struct loop loop;
static _Atomic int64_t counters[LOGIC_METRIC_COUNT];
static struct logic_config config = {
    .mailbox_limit = LIMIT,
    .mailbox_limit_spilled = LIMIT_SPILLED,
    .mailbox_limit_acked = LIMIT_ACKED,
    .mailbox_ttl_ms = 60000,
    .mailbox_page = PAGE,
    .mailbox_page_bytes = 1000,
};
static struct logic logic = {.config = &config, .counters = counters, .loop = &loop};
static uint64_t
    base; /* ids are 1 … in the tests: of one millisecond, and of a later one from 10 on */

/* What the last command was answered. */
static struct {
    int calls, err;
    size_t n;
    bool more;
    uint64_t ids[16], last;
    char owed[128];
} got;

static inline uint64_t id_of(uint64_t number)
{
    return base + (number >= 10 ? (uint64_t)1 << 22 : 0) + number;
}

static inline uint64_t number_of(uint64_t id)
{
    return id == 0 ? 0 : (id - base) & 0xff;
}

static inline void wait_for(int calls)
{
    while (got.calls < calls)
        uv_run(&loop.uv, UV_RUN_ONCE);
}

static inline void on_done(void *arg, int err)
{
    (void)arg;
    got.calls++;
    got.err = err;
}

static inline void on_page(void *arg, int err, const struct mailbox_page *page)
{
    (void)arg;
    got.calls++;
    got.err = err;
    got.n = page->n;
    got.more = page->more;
    got.last = number_of(page->last);
    for (size_t i = 0; i < page->n; i++)
        got.ids[i] = number_of(page->messages[i].id);
}

static inline void on_confirmed(void *arg, int err, const struct mailbox_debts *left)
{
    (void)arg;
    got.calls++;
    got.err = err;
    got.n = left->n;
    for (size_t i = 0; i < left->n; i++)
        got.ids[i] = number_of(left->ids[i]);
    snprintf(got.owed, sizeof got.owed, "%s", left->owed);
}

/* --- the commands, answered when they return --- */

static inline void store_put(struct mailbox_put *put, uint64_t number)
{
    put->uid = UID;
    put->message = (struct mailbox_message){.id = id_of(number), .op = 5};
    memset(&got, 0, sizeof got);
    mailbox_store(&logic, put, on_done, NULL);
    wait_for(1);
    assert_int_equal(got.err, 0);
}

static inline void store(enum mailbox_by by, uint64_t number, const char *owed)
{
    store_put(&(struct mailbox_put){.by = by, .owed = owed}, number);
}

static inline void fetch(uint64_t after, const char *own)
{
    struct mailbox_read read = {
        .uid = UID, .after = after == 0 ? 0 : id_of(after), .own = own, .device = device};
    memset(&got, 0, sizeof got);
    mailbox_fetch(&logic, &read, on_page, NULL);
    wait_for(1);
    assert_int_equal(got.err, 0);
}

static inline struct mailbox_debts debts_of(const char *token, uint64_t first, uint64_t last)
{
    static uint64_t ids[32];
    struct mailbox_debts debts = {.uid = UID, .ids = ids, .owed = token, .device = device};
    for (uint64_t number = first; number <= last; number++)
        ids[debts.n++] = id_of(number);
    return debts;
}

static inline void confirm(const char *token, uint64_t first, uint64_t last)
{
    struct mailbox_debts debts = debts_of(token, first, last);
    memset(&got, 0, sizeof got);
    mailbox_confirm(&logic, &debts, on_confirmed, NULL);
    wait_for(1);
    assert_int_equal(got.err, 0);
}

static inline void waive(const char *tokens, uint64_t first, uint64_t last)
{
    struct mailbox_debts debts = debts_of(tokens, first, last);
    memset(&got, 0, sizeof got);
    mailbox_waive(&logic, &debts, on_done, NULL);
    wait_for(1);
    assert_int_equal(got.err, 0);
}

static inline void trim(uint64_t number)
{
    memset(&got, 0, sizeof got);
    mailbox_trim(&logic, UID, id_of(number), on_done, NULL);
    wait_for(1);
    assert_int_equal(got.err, 0);
}

static inline long long waiting(void)
{
    return redis_server_do(&server, "ZCARD imc:mb:42");
}

static inline long long owed(void)
{
    return redis_server_do(&server, "HLEN imc:mb:42:owed");
}

static inline void assert_left(long long messages, long long fields)
{
    assert_int_equal(waiting(), messages);
    assert_int_equal(owed(), fields);
}

static inline void on_state(struct redis *redis, bool up, const char *why, void *arg)
{
    (void)redis;
    (void)why;
    *(bool *)arg = up;
}

static inline int open_all(void **state)
{
    static bool up;
    (void)state;
    logic_init(&logic);
    redis_server_start(&server, NULL);
    int err = loop_init(&loop, "test", 0);
    struct redis_options options = {.servers = server.address, .timeout_ms = 3000};
    err = err != 0 ? err : redis_open(&loop, &options, on_state, &up, &logic.redis);
    while (err == 0 && !up)
        uv_run(&loop.uv, UV_RUN_ONCE);
    return err;
}

static inline int close_all(void **state)
{
    (void)state;
    redis_close(logic.redis);
    loop_close(&loop);
    redis_server_stop(&server);
    return 0;
}

static inline int clear(void **state)
{
    (void)state;
    memset(counters, 0, sizeof counters);
    device = NULL;
    redis_server_do(&server, "FLUSHALL");
    base = (time_unix_ms() - 10) << 22;
    return 0;
}

#endif
