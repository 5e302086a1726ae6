/* Replays, owners that are owners no more, and what job can do wrong. */
#include "tests/unit/comet/job/job_batches_fixture.h"

/* --- replays and fences --- */

static Imc__V1__PushItem *make_at(int64_t offset, uint64_t fence, int uid)
{
    Imc__V1__PushItem *item = make_uid(100, 0, uid);
    item->partition = 3;
    item->offset = offset;
    item->fence = fence;
    return item;
}

static void a_replay_gets_the_truth(void **state)
{
    (void)state;
    make(1);
    make_at(1, 1, TAKES);
    make_at(2, 1, DROPS);
    make_at(3, 1, KEEPS);
    exchange();
    assert_int_equal(TOTAL(pushes), 3);
    make(2);
    make_at(1, 2, TAKES);
    make_at(2, 2, DROPS);
    make_at(3, 2, KEEPS);
    const Imc__V1__PushReply *reply = exchange();
    assert_result(reply, 0, TAKEN);
    assert_result(reply, 1, GONE);
    assert_int_equal(result_of(reply, 2), PENDING);
    assert_int_equal(TOTAL(pushes), 5); /* the first was not delivered again */
    assert_int_equal(metrics_sum(w.daemon.metrics, COMET_ITEMS_REPEATED), 1);
    side_tells(0, TICKET_WRITTEN);
    assert_int_equal(reply_at(2)->n_late, 2);
    make(3);
    make_at(3, 2, KEEPS);
    assert_result(exchange(), 0, TAKEN);
    assert_int_equal(TOTAL(pushes), 5);
}

static void an_earlier_owner_is_refused(void **state)
{
    (void)state;
    make(1);
    make_at(1, 7, TAKES);
    make_at(2, 6, TAKES);
    Imc__V1__PushItem *item = make_item(IMC__V1__PUSH_ITEM__KIND__POKE, 0);
    aim(item, 0, TAKES);
    item->partition = 3;
    item->fence = 6;
    const Imc__V1__PushReply *reply = exchange();
    assert_result(reply, 0, TAKEN);
    assert_result(reply, 1, REFUSED);
    assert_result(reply, 2, REFUSED);
    assert_int_equal(TOTAL(pushes), 1);
    assert_int_equal(TOTAL(pokes), 0);
    assert_int_equal(metrics_sum(w.daemon.metrics, COMET_ITEMS_FENCED), 2);
}

/* --- what job can do wrong --- */

static void malformed_batches_close_the_stream(void **state)
{
    (void)state;
    static char empty[] = "", longest[ROOM_NAME_MAX + 2];
    memset(longest, 'x', ROOM_NAME_MAX + 1);
    rpc_stream_send(w.stream, msg_copy("\x0a\xff\xff", 3));
    assert_stream_is_closed();
    for (int wrong = 0; wrong < 6; wrong++) {
        make(wrong == 0 ? 0 : 1);
        make_uid(1, 0, TAKES);
        Imc__V1__PushItem *item = make_uid(2, 0, TAKES);
        if (wrong == 1)
            item->message = NULL;
        else if (wrong == 2)
            item->kind = (Imc__V1__PushItem__Kind)17;
        else if (wrong >= 3)
            item->kind = IMC__V1__PUSH_ITEM__KIND__ROOM;
        if (wrong == 4)
            item->room = longest;
        else if (wrong == 3)
            item->room = empty;
        if (wrong == 5) {
            item->kind = IMC__V1__PUSH_ITEM__KIND__ALL;
            item->message = NULL;
        }
        send_made();
        assert_stream_is_closed();
        assert_int_equal(metrics_sum(w.daemon.metrics, COMET_BATCHES_MALFORMED), wrong + 2);
    }
    assert_int_equal(TOTAL(pushes), 0);
    make(2); /* everything else goes on */
    make_uid(1, 0, TAKES);
    assert_result(exchange(), 0, TAKEN);
}

static void what_is_meant_for_another_process_is_gone(void **state)
{
    (void)state;
    static char lobby[] = "lobby";
    for (uint64_t seq = 1; seq <= 3; seq++) {
        make(seq);
        m.batch.process = seq == 1 ? PROCESS + 1 : seq == 2 ? PROCESS : 0;
        make_uid(1, 0, TAKES)->offset = 5;
        make_item(IMC__V1__PUSH_ITEM__KIND__ROOM, 2)->room = lobby;
        m.items[1].offset = 6;
        const Imc__V1__PushReply *reply = exchange();
        assert_int_equal(reply->n_gone, seq == 1 ? 2 : 0);
        if (seq == 1)
            assert_int_equal(TOTAL(pushes) + TOTAL(rooms), 0);
    }
    assert_int_equal(metrics_sum(w.daemon.metrics, COMET_ITEMS_MISDIRECTED), 2);
}

static void sessions_are_recalled_when_job_dropped_something(void **state)
{
    (void)state;
    Imc__V1__Standing standing;
    imc__v1__standing__init(&standing);
    standing.epoch = EPOCH;
    standing.link = 3;
    for (uint64_t seq = 1; seq <= 3; seq++) {
        standing.missed_rooms = seq > 1;
        standing.missed_all = seq > 2;
        make(seq);
        m.batch.standing = &standing;
        exchange();
        assert_int_equal(w.recalls, seq - 1);
        assert_int_equal(w.recalls_all, seq > 2 ? 1 : 0);
    }
}

/* A job with LINK says that it owns partition 3 with FENCE. */
static void stand(uint64_t seq, uint64_t epoch, uint64_t link, uint64_t fence)
{
    uint32_t partition = 3;
    Imc__V1__Standing standing;
    imc__v1__standing__init(&standing);
    standing.epoch = epoch;
    standing.link = link;
    standing.n_partitions = standing.n_fences = 1;
    standing.partitions = &partition;
    standing.fences = &fence;
    make(seq);
    m.batch.standing = &standing;
    exchange();
}

static void nobody_vouches_with_a_fence_that_cannot_be(void **state)
{
    (void)state;
    stand(1, EPOCH, 3, 10);
    stand(2, EPOCH, 4, UINT64_MAX);
    broadcast_gaps_epoch(w.comet.standings, EPOCH + 1, 0);
    stand(3, EPOCH + 1, 3, 10); /* the owner is the same as before */
    assert_int_equal(w.recalls, 0);
    assert_int_equal(metrics_sum(w.daemon.metrics, COMET_FENCES_IMPLAUSIBLE), 1);
}

/* Nor does somebody whom comet would not let deliver: he is told so, and asks for a new fence. */
static void an_earlier_owner_does_not_vouch(void **state)
{
    (void)state;
    stand(1, EPOCH, 3, 11);
    broadcast_gaps_epoch(w.comet.standings, EPOCH + 1, 0);
    stand(2, EPOCH + 1, 4, 10);
    stand(3, EPOCH + 1, 3, 11);
    assert_int_equal(w.recalls, 0);
    stand(4, EPOCH + 1, 3, 12);
    make(5);
    make_at(1, 11, TAKES);
    assert_result(exchange(), 0, REFUSED);
}

static void an_empty_batch_is_answered(void **state)
{
    (void)state;
    make(9);
    const Imc__V1__PushReply *reply = exchange();
    assert_int_equal(reply->n_gone + reply->n_refused + reply->n_pending, 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_replay_gets_the_truth),
        TEST(an_earlier_owner_is_refused),
        TEST(malformed_batches_close_the_stream),
        TEST(what_is_meant_for_another_process_is_gone),
        TEST(nobody_vouches_with_a_fence_that_cannot_be),
        TEST(an_earlier_owner_does_not_vouch),
        TEST(sessions_are_recalled_when_job_dropped_something),
        TEST(an_empty_batch_is_answered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
