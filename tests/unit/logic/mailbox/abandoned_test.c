/* When a mailbox is looked at again, with fakes for mailbox and routers. */
#include "logic/mailbox/abandoned.h"
#include "logic/mailbox/mailbox.h"
#include "logic/router/routers.h"
#include "tests/unit/lib/clock.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

/* needs the above */
#include <cmocka.h>

enum { TTL_MS = 50 };

static struct {
    int lookups, forgets, trims;
    int64_t uid;
    uint64_t upto;
    router_fn fn;
    void *arg;
    mailbox_fn forget_fn;
    void *forget_arg;
} w;

void router_lookup(struct routers *link, int64_t uid, uint64_t timeout_ms, router_fn fn, void *arg)
{
    (void)link, (void)timeout_ms;
    w.lookups++;
    w.uid = uid;
    w.fn = fn;
    w.arg = arg;
}

void mailbox_forget(struct logic *logic, int64_t uid, uint64_t upto, mailbox_fn fn, void *arg)
{
    (void)logic;
    assert_int_equal(uid, w.uid);
    w.forgets++;
    w.upto = upto;
    w.forget_fn = fn;
    w.forget_arg = arg;
}

void mailbox_trim(struct logic *logic, int64_t uid, uint64_t upto, mailbox_fn fn, void *arg)
{
    (void)logic;
    assert_int_equal(uid, w.uid);
    assert_int_equal(upto, w.upto);
    w.trims++;
    fn(arg, 0);
}

static struct loop loop;
static struct logic_config config = {.lookup_timeout_ms = 500, .daemon.lease_ttl_ms = TTL_MS};
static struct logic logic = {.config = &config, .loop = &loop};

static int setup(void **state)
{
    static int routers, redis;

    (void)state;
    memset(&w, 0, sizeof w);
    clock_take();
    int err = loop_init(&loop, "test", 0);
    logic.routers = (struct routers *)(void *)&routers;
    logic.redis = (struct redis *)(void *)&redis;
    logic.abandoned = abandoned_open(&logic);
    return err;
}

static int teardown(void **state)
{
    (void)state;
    abandoned_close(logic.abandoned);
    loop_close(&loop);
    return 0;
}

static void pass(uint64_t ms)
{
    for (uint64_t i = 0; i < ms; i++) {
        clock_move(1);
        uv_run(&loop.uv, UV_RUN_NOWAIT);
    }
}

static void routers_say(enum router_result result, bool complete, size_t n)
{
    Imc__V1__Session *sessions[1] = {NULL};
    struct router_answer answer = {
        .result = result, .complete = complete, .n_sessions = n, .sessions = sessions};
    w.fn(w.arg, &answer);
}

static void a_mailbox_of_nobody_is_trimmed(void **state)
{
    (void)state;
    abandoned_take(&logic, 7, 100);
    pass(TTL_MS);
    abandoned_take(&logic, 7, 300); /* a later one counts; it does not wait for longer */
    abandoned_take(&logic, 7, 200);
    pass(TTL_MS - 2);
    assert_int_equal(w.lookups, 0);
    pass(4);
    assert_int_equal(w.lookups, 1);
    routers_say(ROUTER_OK, true, 0);
    assert_int_equal(w.forgets, 1);
    assert_int_equal(w.upto, 300);
    w.forget_fn(w.forget_arg, 0);
    assert_int_equal(w.trims, 1);
    pass(5 * TTL_MS);
    assert_int_equal(w.lookups, 1);
}

static void who_is_back_keeps_all(void **state)
{
    (void)state;
    abandoned_take(&logic, 7, 100);
    pass(2 * TTL_MS + 2);
    routers_say(ROUTER_OK, true, 1);
    pass(5 * TTL_MS);
    assert_int_equal(w.lookups, 1);
    assert_int_equal(w.forgets, 0);
}

static void while_routers_do_not_know_it_waits(void **state)
{
    (void)state;
    abandoned_take(&logic, 7, 100);
    pass(2 * TTL_MS + 2);
    routers_say(ROUTER_OK, false, 0);
    pass(2 * TTL_MS + 2);
    assert_int_equal(w.lookups, 2);
    routers_say(ROUTER_AWAY, true, 0);
    pass(2 * TTL_MS + 2);
    assert_int_equal(w.lookups, 3);
    assert_int_equal(w.forgets, 0);
    routers_say(ROUTER_OK, true, 0);
    w.forget_fn(w.forget_arg, -EAGAIN);
    assert_int_equal(w.trims, 0);
}

static void there_are_only_so_many(void **state)
{
    (void)state;
    for (int64_t uid = 0; uid < ABANDONED_MAX + 5; uid++)
        abandoned_take(&logic, uid, 1);
    clock_move(2 * TTL_MS + 2);
    logic.routers = NULL; /* stopping: those that are due are freed */
    uv_run(&loop.uv, UV_RUN_NOWAIT);
    assert_int_equal(w.lookups, 0);
    abandoned_take(&logic, 5, 1);
}

#define abandoned_test(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        abandoned_test(a_mailbox_of_nobody_is_trimmed),
        abandoned_test(who_is_back_keeps_all),
        abandoned_test(while_routers_do_not_know_it_waits),
        abandoned_test(there_are_only_so_many),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
