/* Orders about rooms: what goes to which comet, and what the caller is told; with fakes in place of
 * routers and streams. */
#include "common/base/mem.h"
#include "logic/peers/room_orders.h"
#include "logic/peers/streams.h"
#include "logic/router/routers.h"
#include "tests/unit/lib/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* needs the above */
#include <cmocka.h>

enum { MOST = 8 };

/* --- fakes --- */

static struct {
    router_fn fn;
    void *arg;
    int64_t uid;
    int asked;
} router;

void router_lookup(struct routers *link, int64_t uid, uint64_t timeout_ms, router_fn fn, void *arg)
{
    (void)link;
    assert_int_equal(timeout_ms, 700);
    router.fn = fn;
    router.arg = arg;
    router.uid = uid;
    router.asked++;
}

/* An order that was sent. */
static struct sent {
    char to[64], room[16], handles[64];
    uint64_t number, epoch;
    int64_t uid;
    uint32_t wait_ms;
    bool leave;
} sent[MOST];
static size_t n_sent, streams_open_now = 2;

size_t stream_tell(struct streams *service, const char *comet, uint64_t epoch,
                   const ProtobufCMessage *message)
{
    const Imc__V1__SessionReply *event = (const Imc__V1__SessionReply *)message;
    const Imc__V1__RoomOrder *order = event->room_orders[0];
    struct sent *at = &sent[n_sent++];

    (void)service;
    assert_true(n_sent <= MOST && event->seq == 0 && event->n_room_orders == 1);
    assert_string_equal(order->comet, comet);
    assert_int_equal(order->epoch, epoch);
    *at = (struct sent){.number = order->number,
                        .epoch = epoch,
                        .uid = order->uid,
                        .wait_ms = order->wait_ms,
                        .leave = order->leave};
    snprintf(at->to, sizeof at->to, "%s", comet);
    snprintf(at->room, sizeof at->room, "%s", order->room);
    for (size_t i = 0; i < order->n_handles; i++) {
        size_t len = strlen(at->handles);
        snprintf(at->handles + len, sizeof at->handles - len, "%llu ",
                 (unsigned long long)order->handles[i]);
    }
    return streams_open_now;
}

/* --- */

static struct loop loop;
static struct logic_config config = {.rooms_timeout_ms = 1000, .router_timeout_ms = 700};
static _Atomic int64_t counters[LOGIC_METRIC_COUNT];
static struct logic logic = {.config = &config, .loop = &loop, .counters = counters};

static struct {
    int calls;
    struct room_changed changed;
    char why[160];
} told;

static void on_changed(void *arg, const struct room_changed *changed)
{
    assert_ptr_equal(arg, &told);
    told.calls++;
    told.changed = *changed;
    snprintf(told.why, sizeof told.why, "%s", changed->why);
}

static int setup(void **state)
{
    (void)state;
    memset(&told, 0, sizeof told);
    memset(&router, 0, sizeof router);
    memset(counters, 0, sizeof counters);
    n_sent = 0;
    streams_open_now = 2;
    clock_take();
    int err = loop_init(&loop, "test", 0);
    logic.room_orders = room_orders_open(&logic);
    return err;
}

static int teardown(void **state)
{
    (void)state;
    room_orders_close(logic.room_orders);
    logic.room_orders = NULL;
    assert_int_equal(counters[LOGIC_ROOM_ORDERS], 0);
    loop_close(&loop);
    clock_give_back();
    return 0;
}

static void order(const char *key, bool leave)
{
    const struct room_change change = {.uid = -5, .key = key, .room = "lobby", .leave = leave};

    assert_true(room_order(logic.room_orders, &change, on_changed, &told));
}

struct place {
    const char *comet, *key;
    uint64_t epoch, handle;
};

static void router_says(const struct place *places, size_t n, bool complete)
{
    Imc__V1__Session sessions[MOST], *list[MOST];

    for (size_t i = 0; i < n; i++) {
        imc__v1__session__init(&sessions[i]);
        sessions[i].comet = mem_unconst(places[i].comet);
        sessions[i].key = mem_unconst(places[i].key);
        sessions[i].epoch = places[i].epoch;
        sessions[i].handle = places[i].handle;
        list[i] = &sessions[i];
    }
    struct router_answer answer = {
        .result = ROUTER_OK, .complete = complete, .n_sessions = n, .sessions = list};
    router.fn(router.arg, &answer);
}

static const struct place on_two_comets[] = {
    {"comet-1", "a", 3, 11},
    {"comet-2", "b", 4, 21},
    {"comet-1", "b", 3, 12},
};

static void comet_does(const char *comet, Imc__V1__RoomOrderDone done)
{
    done.base.descriptor = &imc__v1__room_order_done__descriptor;
    room_orders_done(logic.room_orders, comet, &done);
}

static void pass(unsigned ms)
{
    for (unsigned i = 0; i < ms; i++) {
        clock_move(1);
        uv_run(&loop.uv, UV_RUN_NOWAIT);
    }
}

static void every_comet_gets_its_part(void **state)
{
    (void)state;
    order(NULL, true);
    assert_true(router.uid == -5 && told.calls == 0);
    router_says(on_two_comets, 3, true);
    assert_int_equal(n_sent, 2);
    assert_string_equal(sent[0].to, "comet-1");
    assert_string_equal(sent[0].handles, "11 12 ");
    assert_string_equal(sent[1].handles, "21 ");
    assert_true(sent[0].leave && sent[0].uid == -5 && sent[0].wait_ms == 750);
    assert_string_equal(sent[0].room, "lobby");
    assert_true(sent[0].number != sent[1].number);
    assert_int_equal(counters[LOGIC_ROOM_ORDERS], 1);
    /* Two loops of the first comet have one session each. */
    comet_does("comet-1",
               (Imc__V1__RoomOrderDone){.number = sent[0].number, .handles = 1, .sessions = 1});
    comet_does("comet-2",
               (Imc__V1__RoomOrderDone){.number = sent[1].number, .handles = 1, .comet_full = 1});
    assert_int_equal(told.calls, 0);
    comet_does("comet-1",
               (Imc__V1__RoomOrderDone){.number = sent[0].number, .handles = 1, .session_full = 1});
    assert_int_equal(told.calls, 1);
    assert_int_equal(told.changed.error, ROOM_ORDER_OK);
    assert_true(told.changed.sessions == 1 && told.changed.session_full == 1 &&
                told.changed.comet_full == 1);
    pass(2000);
    assert_int_equal(told.calls, 1);
    assert_int_equal(counters[LOGIC_ORDERS_DONE], 1);
}

static void only_devices_with_the_key(void **state)
{
    (void)state;
    order("b", false);
    router_says(on_two_comets, 3, true);
    assert_int_equal(n_sent, 2);
    assert_string_equal(sent[0].to, "comet-2");
    assert_string_equal(sent[0].handles, "21 ");
    assert_string_equal(sent[1].handles, "12 ");
    assert_false(sent[0].leave);
}

static void two_lives_of_a_comet_are_two(void **state)
{
    static const struct place places[] = {{"comet-1", "", 3, 11}, {"comet-1", "", 4, 11}};

    (void)state;
    order(NULL, false);
    router_says(places, 2, true);
    assert_int_equal(n_sent, 2);
    assert_true(sent[0].epoch == 3 && sent[1].epoch == 4);
}

static void nobody_is_there(void **state)
{
    (void)state;
    order(NULL, false);
    router_says(NULL, 0, true);
    assert_true(told.calls == 1 && told.changed.error == ROOM_ORDER_OK &&
                told.changed.sessions == 0);
    order("no such", false);
    router_says(on_two_comets, 3, true);
    assert_true(told.calls == 2 && told.changed.error == ROOM_ORDER_OK && n_sent == 0);
}

/* Sessions that the router does not know would be left out, and nobody would know. */
static void a_router_that_does_not_know_all_is_not_enough(void **state)
{
    (void)state;
    order(NULL, false);
    router_says(on_two_comets, 3, false);
    assert_true(told.calls == 1 && told.changed.error == ROOM_ORDER_ROUTER && n_sent == 0);
    order(NULL, false);
    router.fn(router.arg, &(struct router_answer){.result = ROUTER_AWAY});
    assert_true(told.calls == 2 && told.changed.error == ROOM_ORDER_ROUTER);
    assert_int_equal(counters[LOGIC_ORDERS_FAILED], 2);
}

static void a_comet_that_does_not_answer_is_named(void **state)
{
    (void)state;
    order(NULL, false);
    router_says(on_two_comets, 3, true);
    comet_does("comet-1",
               (Imc__V1__RoomOrderDone){.number = sent[0].number, .handles = 2, .sessions = 2});
    pass(990);
    assert_int_equal(told.calls, 0);
    pass(50);
    assert_true(told.calls == 1 && told.changed.error == ROOM_ORDER_COMET);
    assert_non_null(strstr(told.why, "comet-2"));
    comet_does("comet-2",
               (Imc__V1__RoomOrderDone){.number = sent[1].number, .handles = 1, .sessions = 1});
    assert_int_equal(told.calls, 1); /* too late */
}

static void a_comet_without_a_stream_is_not_waited_for(void **state)
{
    (void)state;
    streams_open_now = 0;
    order(NULL, false);
    router_says(on_two_comets, 3, true);
    assert_true(told.calls == 1 && told.changed.error == ROOM_ORDER_COMET);
    assert_non_null(strstr(told.why, "comet-"));
}

static void a_session_that_is_connecting_makes_it_fail(void **state)
{
    (void)state;
    order(NULL, false);
    router_says(on_two_comets, 1, true);
    comet_does("comet-1",
               (Imc__V1__RoomOrderDone){.number = sent[0].number, .handles = 1, .undecided = 1});
    assert_true(told.calls == 1 && told.changed.error == ROOM_ORDER_COMET);
    assert_non_null(strstr(told.why, "connecting"));
}

static void answers_that_cannot_be_are_ignored(void **state)
{
    (void)state;
    order(NULL, false);
    router_says(on_two_comets, 3, true);
    uint64_t number = sent[0].number;
    const Imc__V1__RoomOrderDone bad[] = {
        {.number = number + 100, .handles = 2, .sessions = 2},
        {.number = number, .handles = 3, .sessions = 2},
        {.number = number, .handles = 2, .sessions = 3},
        {.number = number, .handles = 2, .sessions = UINT32_MAX, .session_full = 3},
        {.number = number, .handles = 2, .sessions = 1, .comet_full = 1, .undecided = 1},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        comet_does("comet-1", bad[i]);
    comet_does("comet-2", (Imc__V1__RoomOrderDone){.number = number, .handles = 2, .sessions = 2});
    assert_int_equal(told.calls, 0);
    comet_does("comet-1", (Imc__V1__RoomOrderDone){.number = number, .handles = 2});
    comet_does("comet-2",
               (Imc__V1__RoomOrderDone){.number = sent[1].number, .handles = 1, .sessions = 1});
    assert_true(told.calls == 1 && told.changed.sessions == 1); /* two of three were gone */
    room_orders_done(NULL, "comet-1", &bad[0]);
}

static void so_many_are_under_way(void **state)
{
    const struct room_change change = {.room = "lobby"};

    (void)state;
    for (int i = 0; i < ROOM_ORDERS_MAX; i++)
        order(NULL, false);
    assert_false(room_order(logic.room_orders, &change, on_changed, &told));
    router_says(NULL, 0, true); /* the last one */
    order(NULL, false);
    assert_int_equal(router.asked, ROOM_ORDERS_MAX + 1);
    assert_int_equal(told.calls, 1);
}

static void orders_end_with_the_logic(void **state)
{
    (void)state;
    order(NULL, false);
    router_says(on_two_comets, 3, true);
    room_orders_close(logic.room_orders);
    assert_true(told.calls == 1 && told.changed.error == ROOM_ORDER_CLOSED);
    room_orders_close(NULL);
    logic.room_orders = room_orders_open(&logic);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(every_comet_gets_its_part),
        TEST(only_devices_with_the_key),
        TEST(two_lives_of_a_comet_are_two),
        TEST(nobody_is_there),
        TEST(a_router_that_does_not_know_all_is_not_enough),
        TEST(a_comet_that_does_not_answer_is_named),
        TEST(a_comet_without_a_stream_is_not_waited_for),
        TEST(a_session_that_is_connecting_makes_it_fail),
        TEST(answers_that_cannot_be_are_ignored),
        TEST(so_many_are_under_way),
        TEST(orders_end_with_the_logic),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
