/* Items for rooms. */
#include "tests/unit/comet/job/job_batches_fixture.h"

static void a_room_item_goes_once_to_each_loop(void **state)
{
    (void)state;
    static char lobby[] = "lobby";
    make(1);
    Imc__V1__PushItem *item = make_item(IMC__V1__PUSH_ITEM__KIND__ROOM, 1);
    item->room = lobby;
    item->epoch = 1; /* rooms are meant for whoever is here */
    item->offset = 4;
    item = make_item(IMC__V1__PUSH_ITEM__KIND__ALL, 2);
    item->speed = 9;
    item->offset = 5;
    make_uid(3, 0, TAKES);
    const Imc__V1__PushReply *reply = exchange();
    for (uint32_t i = 0; i < 3; i++)
        assert_result(reply, i, TAKEN);
    assert_int_equal(TOTAL(rooms), LOOPS);
    assert_int_equal(TOTAL(alls), LOOPS);
    assert_int_equal(metrics_sum(w.daemon.metrics, COMET_ITEMS_ROOM), LOOPS);
    make(2);
    item = make_item(IMC__V1__PUSH_ITEM__KIND__ROOM, 1);
    item->room = lobby;
    item->offset = 4;
    assert_result(exchange(), 0, TAKEN);
    assert_int_equal(TOTAL(rooms), LOOPS);
}

static void a_room_item_that_waits_for_its_walk_is_not_taken_twice(void **state)
{
    (void)state;
    static char lobby[] = "lobby";
    for (int i = 0; i < LOOPS; i++)
        atomic_store(&w.sides[i].room, ROOM_KEEPS);
    for (uint64_t seq = 1; seq <= 2; seq++) {
        make(seq);
        make_item(IMC__V1__PUSH_ITEM__KIND__ROOM, 1)->room = lobby;
        m.items[0].offset = 70;
        make_item(IMC__V1__PUSH_ITEM__KIND__ALL, 2)->speed = 9;
        m.items[1].offset = 71;
        assert_int_equal(exchange()->n_pending, seq == 1 ? 2 : 0);
    }
    assert_int_equal(TOTAL(rooms), LOOPS);
    assert_int_equal(TOTAL(alls), LOOPS);
    for (int i = 0; i < LOOPS; i++)
        side_tells(i, TICKET_WRITTEN);
}

static void a_room_item_is_answered_when_every_loop_walks(void **state)
{
    (void)state;
    static char lobby[] = "lobby";
    atomic_store(&w.sides[1].room, ROOM_KEEPS);
    make(1);
    make_item(IMC__V1__PUSH_ITEM__KIND__ROOM, 1)->room = lobby;
    assert_int_equal(result_of(exchange(), 0), PENDING);
    side_tells(1, TICKET_WRITTEN);
    const Imc__V1__PushReply *reply = reply_at(1);
    assert_int_equal(reply->n_late, 1);
    assert_int_equal(reply->late[0]->result, IMC__V1__PUSH_RESULT__TAKEN);
}

/* What begins at the end of the turn is in the answer: most rooms' items need no second message. */
static void the_answer_waits_for_walks_of_the_same_turn(void **state)
{
    (void)state;
    static char lobby[] = "lobby";
    for (int i = 0; i < LOOPS; i++)
        atomic_store(&w.sides[i].room, ROOM_WALKS);
    for (uint64_t seq = 1; seq <= 20; seq++) {
        make(seq);
        make_item(IMC__V1__PUSH_ITEM__KIND__ROOM, 1)->room = lobby;
        make_item(IMC__V1__PUSH_ITEM__KIND__ALL, 2)->speed = 9;
        make_uid(3, 1, TAKES);
        const Imc__V1__PushReply *reply = exchange();
        assert_int_equal(reply->n_pending + reply->n_gone + reply->n_late, 0);
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_room_item_goes_once_to_each_loop),
        TEST(a_room_item_that_waits_for_its_walk_is_not_taken_twice),
        TEST(a_room_item_is_answered_when_every_loop_walks),
        TEST(the_answer_waits_for_walks_of_the_same_turn),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
