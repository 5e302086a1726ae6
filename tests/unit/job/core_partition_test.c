/* When a partition is read on, what is skipped in it, and how it is left. */
#include "common/base/time.h"
#include "tests/unit/job/core_fixture.h"

static void refused_partition_is_left_to_its_owner(void **state)
{
    (void)state;
    push(1, "0:1");
    wait_for(position() == 1);
    fake_comet_tell(bench.comets[0], FAKE_REFUSED, false);
    push(2, "0:1");
    push(3, "");
    fake_logic_tell(bench.logics[0], "UUUU", "", 0);
    wait_for(counter(JOB_REFUSED) == 1);
    assert_true(bench.partition.refused);
    assert_false(partition_wants(&bench.partition));
    assert_int_equal(position(), 1);
    assert_int_equal(windows_unresolved(&bench.job.windows), 0);
    turn_for(150); /* what is still answered is ignored */
    assert_int_equal(position(), 1);
}

static void comet_hears(uint64_t fence)
{
    pthread_mutex_lock(&bench.comets[0]->lock);
    bench.comets[0]->fence = fence;
    pthread_mutex_unlock(&bench.comets[0]->lock);
}

/* job would ask for one above it, and not get that: nor one above those that are. */
static void a_fence_that_cannot_be_is_not_believed_of_a_comet(void **state)
{
    (void)state;
    uint64_t now_ms = time_unix_ms();
    fake_comet_tell(bench.comets[0], FAKE_REFUSED, false);
    comet_hears(now_ms);
    push(7, "0:1");
    wait_for(counter(JOB_REFUSED) == 1);
    assert_int_equal(bench.job.fence_heard, now_ms);
    partition_own(&bench.partition, now_ms + 1);
    comet_hears(UINT64_MAX);
    push(7, "0:1");
    wait_for(counter(JOB_REFUSED) == 2);
    assert_int_equal(bench.job.fence_heard, now_ms);
    assert_int_equal(counter(JOB_MALFORMED_ANSWER), 1);
}

static void malformed_envelopes_are_skipped(void **state)
{
    (void)state;
    Imc__V1__PushMsg envelope;
    static const uint8_t garbage[] = {0xff, 0xff, 0xff};
    uint8_t large[4097] = {0};
    char key[] = "device-1", *keys[] = {key};

    dispatch_message(&bench.partition, bench.offset++, garbage, sizeof garbage);
    dispatch_message(&bench.partition, bench.offset++, NULL, 0);
    imc__v1__push_msg__init(&envelope);
    consume(&envelope); /* uid push without uid */
    envelope.n_keys = 1;
    envelope.keys = keys;
    consume(&envelope);
    char foreign[] = "goim-comet-1"; /* no comet of ours: goim's job serves it */
    envelope.server = foreign;
    consume(&envelope);
    char ours[] = "comet-0";
    envelope.server = ours;
    consume(&envelope);
    envelope.type = IMC__V1__PUSH_MSG__TYPE__ROOM; /* without room */
    consume(&envelope);
    char room[130];
    memset(room, 'r', sizeof room - 1);
    room[sizeof room - 1] = '\0';
    envelope.room = room; /* a comet would close the stream, again and again */
    consume(&envelope);
    envelope.type = (Imc__V1__PushMsg__Type)17;
    consume(&envelope);
    envelope.type = IMC__V1__PUSH_MSG__TYPE__BROADCAST;
    envelope.msg = (ProtobufCBinaryData){sizeof large, large};
    consume(&envelope);
    assert_int_equal(position(), 10);
    assert_int_equal(counter(JOB_MALFORMED), 7);
    assert_int_equal(counter(JOB_KEYS), 2);
    assert_int_equal(counter(JOB_FOREIGN), 1);
    push(7, "0:1");
    wait_for(position() == 11);
}

static void full_window_stops_reading_until_three_quarters(void **state)
{
    (void)state;
    bench.config.window = 8;
    bench.job.windows.events = &windows_events;
    rooms = 0;
    fake_comet_tell(bench.comets[0], FAKE_PENDING, false);
    for (int i = 0; i < 8; i++) {
        assert_true(partition_wants(&bench.partition));
        push(i, "0:1");
    }
    assert_false(partition_wants(&bench.partition));
    wait_for(comet_has_seen(0, "u7@7:1"));
    uint64_t seq = fake_comet_seq(bench.comets[0]);
    for (uint32_t i = 0; i < 3; i++) {
        fake_comet_late(bench.comets[0], seq, i, FAKE_TAKEN);
        wait_for(windows_unresolved(&bench.job.windows) == 7 - i);
        assert_int_equal(partition_wants(&bench.partition), i == 2);
    }
    assert_int_equal(rooms, 1);
}

static void short_memory_makes_windows_small_but_never_stops_reading(void **state)
{
    (void)state;
    bench.config.window = 33;
    bench.job.windows.events = &windows_events;
    rooms = 0;
    fake_comet_tell(bench.comets[0], FAKE_PENDING, false);
    for (int i = 0; i < 8; i++)
        push(i, "0:1");
    assert_true(partition_wants(&bench.partition));
    windows_set_memory(&bench.job.windows, true);
    assert_false(partition_wants(&bench.partition));
    windows_set_memory(&bench.job.windows, false);
    assert_true(partition_wants(&bench.partition));
    assert_int_equal(rooms, 1);
    windows_set_memory(&bench.job.windows, true);
    wait_for(comet_has_seen(0, "u7@7:1"));
    uint64_t seq = fake_comet_seq(bench.comets[0]);
    for (uint32_t i = 0; i < 8; i++) {
        assert_false(partition_wants(&bench.partition));
        fake_comet_late(bench.comets[0], seq, i, FAKE_TAKEN);
        wait_for(windows_unresolved(&bench.job.windows) == 7 - i);
        if (i == 6) /* a sixteenth, rounded up, is three: two are less, one is less than 3/4 */
            break;
    }
    assert_true(partition_wants(&bench.partition));
    assert_int_equal(rooms, 2);
    push(8, "0:1");
    assert_true(partition_wants(&bench.partition));
    push(9, "0:1");
    assert_false(partition_wants(&bench.partition));
    windows_set_memory(&bench.job.windows, false);
    assert_true(partition_wants(&bench.partition));
}

static void forgotten_partition_ignores_answers_and_keeps_its_position(void **state)
{
    (void)state;
    fake_comet_tell(bench.comets[0], FAKE_TAKEN, true);
    push(7, "0:1");
    push(7, "1:1");
    wait_for(comet_has_seen(0, "u7@0:1"));
    partition_forget(&bench.partition);
    assert_int_equal(position(), 0);
    assert_int_equal(windows_unresolved(&bench.job.windows), 0);
    assert_int_equal(counter(JOB_DROPPED), 2);
    fake_comet_tell(bench.comets[0], FAKE_TAKEN, false);
    fake_comet_break(bench.comets[0]);
    turn_for(300);
    assert_false(comet_has_seen(1, "u7"));
    assert_int_equal(counter(JOB_DELIVERED_UID), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        core_test(refused_partition_is_left_to_its_owner),
        core_test(a_fence_that_cannot_be_is_not_believed_of_a_comet),
        core_test(malformed_envelopes_are_skipped),
        core_test(full_window_stops_reading_until_three_quarters),
        core_test(short_memory_makes_windows_small_but_never_stops_reading),
        core_test(forgotten_partition_ignores_answers_and_keeps_its_position),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
