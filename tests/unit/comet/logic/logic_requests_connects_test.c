/* The link for Connects, where a logic asks the business, and what else it must not do. */
#include "comet/base/metrics.h"
#include "tests/unit/comet/logic/logic_requests_fixture.h"

static int asked, gave_way;

static void on_hook(struct worker *worker, bool rooms)
{
    (void)rooms;
    assert_ptr_equal(worker, &w.worker);
    asked++;
}

static void on_give_way(struct worker *worker, int64_t uid, const uint64_t *handles, size_t n,
                        enum give_way_why why)
{
    (void)worker;
    (void)uid;
    (void)handles;
    (void)n;
    (void)why;
    gave_way++;
}

static void reopen(bool connects)
{
    struct logic_link link = {.asks = asks, .connects = connects, .window = 2, .timeout_ms = 2000};
    link.asks.hook = on_hook;
    link.asks.give_way = on_give_way;
    link_close();
    w.worker.logic = logic_requests_open(&w.worker, &link);
    asked = gave_way = 0;
}

/* So that its stream is there. */
static void greet(uint64_t handle)
{
    int before = w.n_done;
    see(1, 1);
    ask(REQUEST_CONNECT, handle);
    run(SOON_MS, &w.n_done, before + 1);
}

static void tell(bool business)
{
    Imc__V1__SessionReply reply = IMC__V1__SESSION_REPLY__INIT;
    Imc__V1__AsksBusiness asks_business = IMC__V1__ASKS_BUSINESS__INIT;
    Imc__V1__GiveWay way = IMC__V1__GIVE_WAY__INIT, *ways[] = {&way};
    reply.give_way = ways;
    reply.n_give_way = 1;
    if (business)
        reply.asks_business = &asks_business;
    rpc_stream_send(w.logics[0].stream, msg_pack(&reply.base));
}

static void the_main_link_tells_that_the_business_is_asked(void **state)
{
    (void)state;
    reopen(false);
    greet(1);
    tell(false);
    run(SOON_MS, &gave_way, 1);
    assert_int_equal(asked, 0);
    tell(true);
    run(SOON_MS, &asked, 1);
    assert_int_equal(gave_way, 2);
}

static void the_link_for_connects_leaves_orders_to_the_other(void **state)
{
    (void)state;
    reopen(true);
    greet(1);
    tell(true);
    greet(2); /* what was told before came, too */
    assert_int_equal(asked, 0);
    assert_int_equal(gave_way, 0);
    assert_int_equal(atomic_load(&w.worker.logic_access), LOGIC_UNREACHED); /* the other one says */
}

static void headers_go_along(void **state)
{
    static const char headers[] = "cookie: a=1\n";
    struct logic_request *made;
    const Imc__V1__SessionBatch *batch;
    (void)state;
    reopen(true);
    see(1, 1);
    made = request(REQUEST_CONNECT, 7);
    made->headers = msg_copy(headers, sizeof headers - 1);
    msg_is_secret(made->headers);
    logic_requests_send(w.worker.logic, made);
    run(SOON_MS, &w.n_done, 1);
    batch = logic_batch(&w.logics[0], logic_batches(&w.logics[0]) - 1);
    assert_int_equal(batch->n_connects, 1);
    assert_int_equal(batch->connects[0]->headers.len, sizeof headers - 1);
    assert_memory_equal(batch->connects[0]->headers.data, headers, sizeof headers - 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_main_link_tells_that_the_business_is_asked),
        TEST(the_link_for_connects_leaves_orders_to_the_other),
        TEST(headers_go_along),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
