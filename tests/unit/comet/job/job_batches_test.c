/* Items for users: answers at once and late, pokes; how a stream ends. */
#include "tests/unit/comet/job/job_batches_fixture.h"

/* --- users --- */

static void sessions_take_drop_or_are_not_there(void **state)
{
    (void)state;
    make(1);
    make_uid(10, 0, TAKES);
    make_uid(11, 1, TAKES);
    make_uid(12, 0, DROPS);
    make_uid(13, 0, TAKES)->handles[0] += 1ULL << 24;   /* the slot's next life */
    make_uid(14, 1, TAKES)->handles[0] |= 200ULL << 56; /* no such loop */
    make_uid(15, 1, TAKES)->uid = DROPS;                /* somebody else's */
    make_item(IMC__V1__PUSH_ITEM__KIND__UID, 16);       /* for nobody */
    const Imc__V1__PushReply *reply = exchange();
    assert_result(reply, 0, TAKEN);
    assert_result(reply, 1, TAKEN);
    for (uint32_t i = 2; i < 7; i++)
        assert_result(reply, i, GONE);
    assert_int_equal(reply->n_pending + reply->n_refused + reply->n_late, 0);
    assert_int_equal(TOTAL(pushes), 3);
    assert_int_equal(metrics_sum(w.daemon.metrics, COMET_ITEMS_GONE), 5);
}

static void an_item_is_taken_if_one_session_takes_it(void **state)
{
    (void)state;
    make(1);
    aim(make_uid(10, 0, DROPS), 1, DROPS);
    Imc__V1__PushItem *item = make_uid(11, 0, DROPS);
    aim(item, 1, DROPS);
    item->handles[1] += 1ULL << 24;
    item = make_uid(12, 0, TAKES);
    aim(item, 1, TAKES);
    item->handles[0] += 1ULL << 24; /* only the other loop's */
    aim(make_uid(13, 0, TAKES), 1, TAKES);
    const Imc__V1__PushReply *reply = exchange();
    assert_result(reply, 0, GONE);
    assert_result(reply, 1, GONE);
    assert_result(reply, 2, TAKEN);
    assert_result(reply, 3, TAKEN);
    assert_int_equal(TOTAL(pushes), 2 + 1 + 1 + 2);
}

static void another_life_of_ours_is_gone(void **state)
{
    (void)state;
    make(1);
    make_uid(10, 0, TAKES)->epoch = EPOCH - 1;
    make_uid(11, 0, TAKES)->epoch = EPOCH + 1;
    const Imc__V1__PushReply *reply = exchange();
    assert_int_equal(reply->n_gone, 2);
    assert_int_equal(TOTAL(pushes), 0);
}

static void a_message_without_id_is_gone(void **state)
{
    (void)state;
    make(1);
    make_uid(0, 0, TAKES);
    assert_result(exchange(), 0, GONE);
    assert_int_equal(TOTAL(pushes), 0);
}

static void what_is_not_known_yet_is_told_late(void **state)
{
    (void)state;
    make(5);
    make_uid(10, 0, TAKES);
    make_uid(11, 0, KEEPS);
    make_uid(12, 1, KEEPS);
    aim(make_uid(13, 1, KEEPS), 0, KEEPS);
    const Imc__V1__PushReply *reply = exchange();
    assert_result(reply, 0, TAKEN);
    assert_int_equal(reply->n_pending, 3);
    side_tells(0, TICKET_WRITTEN);
    reply = reply_at(1);
    assert_int_equal(reply->seq, 0);
    assert_int_equal(reply->n_late, 1); /* item 3 waits for its other loop */
    assert_int_equal(reply->late[0]->seq, 5);
    assert_int_equal(reply->late[0]->index, 1);
    assert_int_equal(reply->late[0]->result, IMC__V1__PUSH_RESULT__TAKEN);
    side_tells(1, TICKET_DROPPED);
    reply = reply_at(2);
    assert_int_equal(reply->n_late, 2); /* one message for the whole turn */
    assert_int_equal(reply->late[0]->index, 2);
    assert_int_equal(reply->late[0]->result, IMC__V1__PUSH_RESULT__GONE);
    assert_int_equal(reply->late[1]->index, 3);
    assert_int_equal(reply->late[1]->result, IMC__V1__PUSH_RESULT__TAKEN);
}

/* The answer of a large batch takes its time; meanwhile the other loop tells what is pending in it.
 */
static void a_late_result_never_comes_before_its_answer(void **state)
{
    (void)state;
    int lates = 0;
    for (uint64_t round = 1; round <= 20; round++) {
        make(round);
        make_uid(1, 1, TAKES_SOON);
        while (m.batch.n_items < ITEMS_MAX - 1)
            make_uid(2, 0, TAKES)->handles[0] += 1ULL << 24;
        make_uid(3, 0, TAKES);
        const Imc__V1__PushReply *reply = exchange(); /* is the answer */
        assert_int_equal(reply->n_gone, ITEMS_MAX - 2);
        if (reply->n_pending == 0)
            continue; /* it was quicker than that */
        reply = reply_at((int)round + lates);
        lates++;
        assert_int_equal(reply->n_late, 1);
        assert_int_equal(reply->late[0]->seq, round);
    }
    print_message("%d of 20 came late\n", lates);
}

/* --- pokes --- */

static void a_poke_reaches_sessions_that_can_fetch(void **state)
{
    (void)state;
    uint64_t ids[] = {8, 9};
    w.sides[1].conns[TAKES].state = CONN_CLOSING;
    make(1);
    for (int i = 0; i < 2; i++) {
        Imc__V1__PushItem *item = make_item(IMC__V1__PUSH_ITEM__KIND__POKE, 0);
        item->message = NULL;
        item->ids = ids;
        item->n_ids = 2;
        aim(item, i, TAKES);
    }
    const Imc__V1__PushReply *reply = exchange();
    assert_result(reply, 0, TAKEN);
    assert_result(reply, 1, GONE);
    assert_int_equal(TOTAL(pokes), 1);
    assert_int_equal(w.sides[0].poked[1], 9);
    /* One that is leaving, or has left, is owed nothing. */
    assert_int_equal(w.n_waived, 2);
    assert_int_equal(w.waived.handle, w.sides[1].conns[TAKES].handle);
    assert_int_equal(w.waived.uid, TAKES);
    assert_int_equal(w.waived_ids[0], 8);
    assert_int_equal(w.waived_ids[1], 9);
    make(2); /* pokes may be repeated */
    Imc__V1__PushItem *item = make_item(IMC__V1__PUSH_ITEM__KIND__POKE, 0);
    aim(item, 0, TAKES);
    exchange();
    assert_int_equal(TOTAL(pokes), 2);
}

/* --- the end --- */

static void a_stream_that_breaks_leaves_nothing_behind(void **state)
{
    (void)state;
    make(1);
    make_uid(1, 0, KEEPS);
    make_uid(2, 1, KEEPS);
    exchange();
    rpc_stream_close(w.stream);
    assert_stream_is_closed();
    side_tells(0, TICKET_WRITTEN);
    make(2);
    make_uid(3, 0, TAKES);
    assert_int_equal(exchange()->seq, 2); /* no late result of the stream before */
} /* and item 1 is told when everything is closed */

static void batches_that_come_too_late_are_only_freed(void **state)
{
    (void)state;
    make(1);
    make_uid(1, 0, KEEPS);
    aim(make_uid(2, 0, KEEPS), 1, KEEPS);
    exchange();
    loops_stop();
    make(2);
    make_uid(3, 0, TAKES);
    make_uid(4, 1, TAKES);
    static char lobby[] = "lobby";
    make_item(IMC__V1__PUSH_ITEM__KIND__ROOM, 1)->room = lobby;
    send_made();
    /* A batch for nobody comes behind it on the same stream and is answered by the rpc thread. */
    make(3);
    send_made();
    assert_int_equal(reply_at(1)->seq, 3);
    rpc_server_close(w.server, 0);
    w.server = NULL;
    for (int i = 0; i < LOOPS; i++)
        uv_run(&w.workers[i].loop.uv, UV_RUN_NOWAIT);
    assert_int_equal(TOTAL(pushes), 3);
    assert_int_equal(TOTAL(rooms), 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(sessions_take_drop_or_are_not_there),
        TEST(an_item_is_taken_if_one_session_takes_it),
        TEST(another_life_of_ours_is_gone),
        TEST(a_message_without_id_is_gone),
        TEST(what_is_not_known_yet_is_told_late),
        TEST(a_late_result_never_comes_before_its_answer),
        TEST(a_poke_reaches_sessions_that_can_fetch),
        TEST(a_stream_that_breaks_leaves_nothing_behind),
        TEST(batches_that_come_too_late_are_only_freed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
