/* Orders of logics, and their results, over real streams. */
#include "comet/base/metrics.h"
#include "logic_requests_fixture.h"

/* LOGIC says this to the stream that spoke last. */
static void logic_orders(struct logic *logic, uint64_t number, const char *comet, uint64_t epoch)
{
    Imc__V1__SessionReply reply = IMC__V1__SESSION_REPLY__INIT;
    Imc__V1__RoomOrder order, *orders[] = {&order};
    char room[] = "lobby", id[32];

    imc__v1__room_order__init(&order);
    snprintf(id, sizeof id, "%s", comet);
    order.number = number;
    order.comet = id;
    order.epoch = epoch;
    order.uid = -7;
    order.handles = (uint64_t[]){11, 12};
    order.n_handles = 2;
    order.room = room;
    order.leave = number % 2 == 0;
    order.wait_ms = 500;
    reply.room_orders = orders;
    reply.n_room_orders = 1;
    pthread_mutex_lock(&logic->lock);
    rpc_stream_send(logic->stream, msg_pack(&reply.base));
    pthread_mutex_unlock(&logic->lock);
}

/* Both logics have a stream that has spoken. */
static void meet(unsigned logics, uint64_t epoch)
{
    see(logics, epoch);
    for (int i = 0; i < LOGICS; i++) {
        if ((logics & 1U << i) == 0)
            continue;
        for (int asked = 0; logic_batches(&w.logics[i]) == 0; asked++) {
            ask(REQUEST_DISCONNECT, 1);
            run(1, NULL, 0);
        }
    }
    assert_true(until(w.n_answered == w.n_done && logic_requests_pending(w.worker.logic) == 0,
                      run(1, NULL, 0)));
}

/* The results that LOGIC has got so far; *LAST is the last one. */
static int results(struct logic *logic, Imc__V1__RoomOrderDone *last)
{
    int n = 0;

    pthread_mutex_lock(&logic->lock);
    for (int i = 0; i < logic->n_batches; i++) {
        for (size_t k = 0; k < logic->batches[i]->n_ordered; k++, n++)
            *last = *logic->batches[i]->ordered[k];
    }
    pthread_mutex_unlock(&logic->lock);
    return n;
}

static void finish(struct room_order *order, uint32_t taken)
{
    order->taken = taken;
    order->sessions = 1;
    order->session_full = 2;
    order->comet_full = 3;
    order->undecided = 4;
    order->finish(order);
}

static void an_order_and_its_result(void **state)
{
    (void)state;
    Imc__V1__RoomOrderDone done;
    meet(1, 5);
    logic_orders(&w.logics[0], 77, "comet-1", 5);
    run(SOON_MS, &w.n_orders, 1);
    struct room_order *order = w.orders[0];
    assert_true(order->uid == -7 && !order->leave && order->n_handles == 2);
    assert_true(order->handles[0] == 11 && order->handles[1] == 12);
    assert_string_equal(order->room, "lobby");
    assert_int_equal(order->room_len, 5);
    assert_in_range(order->deadline_ms, loop_now_ms(&w.worker.loop),
                    loop_now_ms(&w.worker.loop) + 500);
    assert_int_equal(results(&w.logics[0], &done), 0);
    finish(order, 10);
    assert_true(until(results(&w.logics[0], &done) == 1, run(1, NULL, 0)));
    assert_true(done.number == 77 && done.handles == 10 && done.sessions == 1);
    assert_true(done.session_full == 2 && done.comet_full == 3 && done.undecided == 4);
    ask(REQUEST_DISCONNECT, 2); /* it is told once */
    run(50, NULL, 0);
    assert_int_equal(results(&w.logics[0], &done), 1);
}

/* Another life of this comet has other sessions, with the same handles perhaps. */
static void orders_for_others_are_not_taken(void **state)
{
    (void)state;
    meet(1, 5);
    logic_orders(&w.logics[0], 1, "comet-1", 4);
    logic_orders(&w.logics[0], 2, "comet-1", 6);
    logic_orders(&w.logics[0], 3, "comet-2", 5);
    logic_orders(&w.logics[0], 4, "comet-1", 0);
    logic_orders(&w.logics[0], 6, "comet-1", 5);
    run(SOON_MS, &w.n_orders, 1);
    assert_int_equal(w.orders[0]->number, 6);
    assert_true(w.orders[0]->leave);
    finish(w.orders[0], 1);
}

static void the_logic_that_ordered_is_told_and_no_other(void **state)
{
    (void)state;
    Imc__V1__RoomOrderDone done;
    meet(3, 5);
    logic_orders(&w.logics[0], 1, "comet-1", 5);
    run(SOON_MS, &w.n_orders, 1);
    logic_orders(&w.logics[1], 2, "comet-1", 5);
    run(SOON_MS, &w.n_orders, 2);
    finish(w.orders[1], 1);
    finish(w.orders[0], 1);
    assert_true(until(results(&w.logics[0], &done) == 1, run(1, NULL, 0)));
    assert_int_equal(done.number, 1);
    assert_true(until(results(&w.logics[1], &done) == 1, run(1, NULL, 0)));
    assert_int_equal(done.number, 2);
}

static void nobody_is_told_of_what_no_loop_handle_is_in(void **state)
{
    (void)state;
    Imc__V1__RoomOrderDone done;
    meet(1, 5);
    logic_orders(&w.logics[0], 1, "comet-1", 5);
    run(SOON_MS, &w.n_orders, 1);
    finish(w.orders[0], 0);
    run(50, NULL, 0);
    assert_int_equal(results(&w.logics[0], &done), 0);
}

static void a_logic_that_goes_is_not_told(void **state)
{
    (void)state;
    Imc__V1__RoomOrderDone done;
    meet(1, 5);
    logic_orders(&w.logics[0], 1, "comet-1", 5);
    logic_orders(&w.logics[0], 3, "comet-1", 5);
    run(SOON_MS, &w.n_orders, 2);
    finish(w.orders[0], 1); /* waits for a batch */
    see(2, 5);
    assert_null(w.orders[1]->of);
    finish(w.orders[1], 1);
    run(50, NULL, 0);
    assert_int_equal(results(&w.logics[1], &done), 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(an_order_and_its_result),
        TEST(orders_for_others_are_not_taken),
        TEST(the_logic_that_ordered_is_told_and_no_other),
        TEST(nobody_is_told_of_what_no_loop_handle_is_in),
        TEST(a_logic_that_goes_is_not_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
