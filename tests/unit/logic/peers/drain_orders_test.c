/* A comet is told to drain; its lease answers. Streams and leases are fakes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "logic/peers/drain_orders.h"
#include "logic/peers/streams.h"
#include "proto/session.pb-c.h"
#include "tests/unit/lib/clock.h"

static struct loop loop;
static struct logic_config config = {.rooms_timeout_ms = 1000, .daemon = {.lease_renew_ms = 500}};
static struct logic logic = {.config = &config, .loop = &loop};

static struct member comet;
static bool is_alive;
static size_t streams_open_now, sent;
static bool sent_ends;

const struct member *membership_find(const struct membership *membership, enum member_kind kind,
                                     const char *id)
{
    assert_ptr_equal(membership, logic.membership);
    assert_int_equal(kind, MEMBER_COMET);
    return is_alive && strcmp(id, comet.id) == 0 ? &comet : NULL;
}

size_t stream_tell(struct streams *service, const char *id, uint64_t epoch,
                   const ProtobufCMessage *message)
{
    const Imc__V1__SessionReply *reply = (const Imc__V1__SessionReply *)message;

    assert_ptr_equal(service, logic.streams);
    assert_string_equal(id, "c1");
    assert_string_equal(reply->drain->comet, "c1");
    assert_int_equal(reply->drain->epoch, epoch);
    assert_int_equal(epoch, 77);
    sent_ends = reply->drain->ends;
    sent++;
    return streams_open_now;
}

static struct {
    int calls;
    enum drain_result result;
} told;

static void on_result(void *arg, enum drain_result result)
{
    assert_ptr_equal(arg, &told);
    told.calls++;
    told.result = result;
}

static int setup(void **state)
{
    (void)state;
    comet = (struct member){.id = "c1", .epoch = 77};
    is_alive = true;
    streams_open_now = 2;
    sent = 0;
    memset(&told, 0, sizeof told);
    clock_take();
    int err = loop_init(&loop, "test", 0);
    logic.drain_orders = drain_orders_open(&logic);
    return err;
}

static int teardown(void **state)
{
    (void)state;
    drain_orders_close(logic.drain_orders);
    loop_close(&loop);
    clock_give_back();
    return 0;
}

static void pass(uint64_t ms)
{
    for (uint64_t i = 0; i < ms; i += 10) {
        clock_move(10);
        uv_run(&loop.uv, UV_RUN_NOWAIT);
    }
}

static void order(const char *id, bool ends)
{
    assert_true(drain_order(logic.drain_orders, id, ends, on_result, &told));
    assert_int_equal(told.calls, 0); /* never before it returns */
}

static void the_lease_answers(void **state)
{
    (void)state;
    order("c1", false);
    assert_int_equal(sent, 1);
    assert_false(sent_ends);
    pass(500);
    assert_int_equal(told.calls, 0);
    comet.draining = true;
    pass(100);
    assert_int_equal(told.calls, 1);
    assert_int_equal(told.result, DRAIN_ORDER_OK);
    /* Once more: it says so already. */
    told.calls = 0;
    order("c1", false);
    pass(100);
    assert_int_equal(told.calls, 1);
    assert_int_equal(sent, 2);
    told.calls = 0;
    order("c1", true);
    assert_true(sent_ends);
    pass(100);
    assert_int_equal(told.calls, 0);
    comet.draining = false;
    pass(100);
    assert_int_equal(told.result, DRAIN_ORDER_OK);
}

static void what_cannot_be_told(void **state)
{
    (void)state;
    order("c2", false);
    pass(100);
    assert_int_equal(told.result, DRAIN_ORDER_UNKNOWN);
    assert_int_equal(sent, 0);
    told.calls = 0;
    streams_open_now = 0;
    order("c1", false);
    pass(100);
    assert_int_equal(told.calls, 1);
    assert_int_equal(told.result, DRAIN_ORDER_AWAY);
}

static void it_does_not_wait_for_ever(void **state)
{
    (void)state;
    order("c1", false);
    pass(1900);
    assert_int_equal(told.calls, 0);
    pass(200);
    assert_int_equal(told.calls, 1);
    assert_int_equal(told.result, DRAIN_ORDER_TIMEOUT);
    /* Its lease has lapsed meanwhile: it may drain all the same. */
    told.calls = 0;
    order("c1", false);
    is_alive = false;
    pass(100);
    assert_int_equal(told.calls, 1);
    assert_int_equal(told.result, DRAIN_ORDER_TIMEOUT);
}

static void there_are_so_many_at_most(void **state)
{
    (void)state;
    for (int i = 0; i < DRAIN_ORDERS_MAX; i++)
        order("c1", false);
    assert_false(drain_order(logic.drain_orders, "c1", false, on_result, &told));
    drain_orders_close(logic.drain_orders);
    assert_int_equal(told.calls, DRAIN_ORDERS_MAX);
    assert_int_equal(told.result, DRAIN_ORDER_CLOSED);
    logic.drain_orders = drain_orders_open(&logic);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_lease_answers, setup, teardown),
        cmocka_unit_test_setup_teardown(what_cannot_be_told, setup, teardown),
        cmocka_unit_test_setup_teardown(it_does_not_wait_for_ever, setup, teardown),
        cmocka_unit_test_setup_teardown(there_are_so_many_at_most, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
