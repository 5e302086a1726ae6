/* What becomes of messages that a session got in place of others, with fakes for mailbox and
 * routers. */
#include "common/base/mem.h"
#include "logic/mailbox/gone_receivers.h"
#include "logic/router/routers.h"
#include "tests/unit/lib/clock.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* needs the above */
#include <cmocka.h>

static struct {
    int lookups, waives;
    int64_t uid;
    router_fn fn;
    void *arg;
    mailbox_fn waive_fn;
    void *waive_arg;
    uint64_t ids[2];
    char gone[64];
} w;

void router_lookup(struct routers *link, int64_t uid, uint64_t timeout_ms, router_fn fn, void *arg)
{
    (void)link;
    assert_int_equal(timeout_ms, 500);
    w.lookups++;
    w.uid = uid;
    w.fn = fn;
    w.arg = arg;
}

void mailbox_waive(struct logic *logic, const struct mailbox_debts *debts, mailbox_fn fn, void *arg)
{
    (void)logic;
    assert_int_equal(debts->uid, 42);
    assert_int_equal(debts->n, 2);
    memcpy(w.ids, debts->ids, sizeof w.ids);
    snprintf(w.gone, sizeof w.gone, "%s", debts->owed);
    w.waives++;
    w.waive_fn = fn;
    w.waive_arg = arg;
}

static struct loop loop;
static struct logic_config config = {.lookup_timeout_ms = 500, .daemon.lease_ttl_ms = 50};
static struct logic logic = {.config = &config, .loop = &loop};

static int setup(void **state)
{
    static int routers;

    (void)state;
    memset(&w, 0, sizeof w);
    clock_take();
    int err = loop_init(&loop, "test", 0);
    logic.routers = (struct routers *)(void *)&routers;
    logic.gone_receivers = gone_receivers_open(&logic);
    return err;
}

static int teardown(void **state)
{
    (void)state;
    gone_receivers_close(logic.gone_receivers);
    loop_close(&loop);
    return 0;
}

static void take(void)
{
    uint64_t *ids = mem_alloc(2 * sizeof *ids); /* not there any more when the router answers */
    char *owed = mem_strdup("comet-1/7 comet-2/8 comet-2/9");
    struct mailbox_debts left = {.uid = 42, .n = 2, .ids = ids, .owed = owed};

    ids[0] = 5;
    ids[1] = 6;
    gone_receivers_take(&logic, &left);
    free(owed);
    free(ids);
    assert_int_equal(w.uid, 42);
}

/* How long it took until there were so many. */
static uint64_t run_until_lookups(int n)
{
    uint64_t start = loop_now_ms(&loop);
    while (w.lookups < n)
        uv_run(&loop.uv, UV_RUN_ONCE);
    return loop_now_ms(&loop) - start;
}

static void assert_over(void)
{
    uint64_t start = loop_now_ms(&loop);
    int before = w.lookups;
    while (loop_now_ms(&loop) < start + 1000) {
        clock_move(10);
        uv_run(&loop.uv, UV_RUN_NOWAIT);
    }
    assert_int_equal(w.lookups, before);
}

/* comet-1/7 and as many sessions of comet-2 from 8 on as N says less one. */
static void router_says(enum router_result result, bool complete, size_t n)
{
    Imc__V1__Session sessions[3], *list[3];
    struct router_answer answer = {
        .result = result, .complete = complete, .n_sessions = n, .sessions = list};

    for (size_t i = 0; i < n; i++) {
        imc__v1__session__init(&sessions[i]);
        sessions[i].comet = mem_strdup(i == 0 ? "comet-1" : "comet-2");
        sessions[i].handle = 7 + i;
        sessions[i].epoch = 1000 + i; /* whichever: the session is the same */
        list[i] = &sessions[i];
    }
    w.fn(w.arg, &answer);
    for (size_t i = 0; i < n; i++)
        free(sessions[i].comet);
}

static void those_who_are_no_more_are_owed_nothing(void **state)
{
    (void)state;
    take();
    router_says(ROUTER_OK, true, 1);
    assert_int_equal(w.waives, 1);
    assert_string_equal(w.gone, "comet-2/8 comet-2/9");
    assert_true(w.ids[0] == 5 && w.ids[1] == 6);
    w.waive_fn(w.waive_arg, 0);
    /* The one that was there is looked for once more: its comet may be dead. */
    assert_in_range(run_until_lookups(2), 100, 400);
    router_says(ROUTER_OK, true, 0);
    assert_int_equal(w.waives, 2);
    assert_string_equal(w.gone, "comet-1/7");
    assert_over();
}

static void nobody_is_there_any_more(void **state)
{
    (void)state;
    take();
    router_says(ROUTER_OK, true, 0);
    assert_string_equal(w.gone, "comet-1/7 comet-2/8 comet-2/9");
    w.waive_fn(w.waive_arg, -EAGAIN);
    assert_over();
}

static void all_of_them_live(void **state)
{
    (void)state;
    take();
    router_says(ROUTER_OK, true, 3);
    run_until_lookups(2);
    router_says(ROUTER_OK, true, 3);
    assert_int_equal(w.waives, 0);
    assert_over();
}

static void who_does_not_know_says_nothing(void **state)
{
    (void)state;
    take();
    router_says(ROUTER_OK, false, 1);
    run_until_lookups(2);
    router_says(ROUTER_MISMATCH, true, 0);
    take();
    router_says(ROUTER_AWAY, false, 0);
    run_until_lookups(4);
    assert_int_equal(w.waives, 0);
    router_says(ROUTER_OK, true, 0); /* now it knows */
    assert_int_equal(w.waives, 1);
}

/* While logic stops. */
static void without_routers_it_ends(void **state)
{
    (void)state;
    take();
    router_says(ROUTER_AWAY, false, 0);
    take();
    logic.routers = NULL;
    take();
    assert_int_equal(w.lookups, 2);
    gone_receivers_close(logic.gone_receivers);
    logic.gone_receivers = NULL;
    router_says(ROUTER_AWAY, false, 0);
}

static void nothing_left_asks_nobody(void **state)
{
    struct mailbox_debts none = {.uid = 42, .owed = ""};

    (void)state;
    gone_receivers_take(&logic, &none);
    assert_int_equal(w.lookups, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(those_who_are_no_more_are_owed_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(nobody_is_there_any_more, setup, teardown),
        cmocka_unit_test_setup_teardown(all_of_them_live, setup, teardown),
        cmocka_unit_test_setup_teardown(who_does_not_know_says_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(without_routers_it_ends, setup, teardown),
        cmocka_unit_test_setup_teardown(nothing_left_asks_nobody, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
