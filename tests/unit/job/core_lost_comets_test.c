/* Comets that are taken for dead, and are not: what is kept for them, and what they are told. */
#include "tests/unit/job/core_fixture.h"

/* --- comets that are taken for dead, and are not --- */

static int setup_with_processes(void **state)
{
    setup(state);
    bench.config.hold_ms = 60000;
    bench.config.hold_bytes = 1 << 20;
    members_are(0, 1);
    for (int i = 0; i < COMETS; i++)
        bench.comet_members[i].process = 1000 + (uint64_t)i;
    members_are(3, 1);
    return 0;
}

struct word {
    int standings;
    uint64_t link, process;
    bool missed_rooms, missed_all;
};

static struct word word_of(int i)
{
    struct fake_comet *comet = bench.comets[i];

    pthread_mutex_lock(&comet->lock);
    struct word word = {comet->standings, comet->link, comet->process, comet->missed_rooms,
                        comet->missed_all};
    pthread_mutex_unlock(&comet->lock);
    return word;
}

static void comet_is_back(int i)
{
    bench.comet_members[i].epoch++;
    members_are(3, 1);
}

static void room_items_are_kept_for_a_comet_that_stands_still(void **state)
{
    (void)state;
    wait_for(word_of(1).standings == 1);
    struct word before = word_of(1);
    assert_int_equal(before.process, 1001);
    fake_comet_tell(bench.comets[1], FAKE_TAKEN, true);
    push_room(IMC__V1__PUSH_MSG__TYPE__ROOM, "lobby", 0); /* on its way when it is lost */
    push(7, "1:4");
    wait_for(comet_has_seen(1, "u7@1:4"));
    comet_saw(1);
    members_are(1, 1);
    wait_for(position() == 2);
    push_room(IMC__V1__PUSH_MSG__TYPE__ROOM, "lobby", 0);
    push_room(IMC__V1__PUSH_MSG__TYPE__BROADCAST, "", 0);
    wait_for(position() == 4); /* nobody waits for it */
    assert_int_equal(counter(JOB_KEPT), 3);
    assert_true(comets_kept_bytes(bench.job.comets) > 0);
    fake_comet_break(bench.comets[1]);
    fake_comet_tell(bench.comets[1], FAKE_TAKEN, false);
    comet_is_back(1);
    push_room(IMC__V1__PUSH_MSG__TYPE__ROOM, "lobby", 0);
    wait_for(position() == 5 && word_of(1).standings == 2);
    const char *all = comet_saw(1), *last = strstr(all, "r:lobby@4");
    assert_non_null(last);
    assert_non_null(strstr(all, "r:lobby@0 r:lobby@2 a@3/0 "));
    assert_true(strstr(all, "a@3/0") < last);
    assert_int_equal(word_of(1).link, before.link);
    assert_false(word_of(1).missed_rooms || word_of(1).missed_all);
    assert_int_equal(comets_kept_bytes(bench.job.comets), 0);
    assert_int_equal(counter(JOB_KEPT_DROPPED), 0);
}

/* The partition's owner before us may have kept items for it: nobody may vouch for what came then.
 */
static void a_comet_lost_soon_after_a_partition_came_gets_another_link(void **state)
{
    (void)state;
    wait_for(word_of(1).standings == 1);
    uint64_t before = word_of(1).link;
    bench.config.daemon.lease_renew_ms = 60000; /* the partition came less than two of them ago */
    members_are(1, 1);
    comet_is_back(1);
    push_room(IMC__V1__PUSH_MSG__TYPE__ROOM, "lobby", 0);
    wait_for(comet_has_seen(1, "r:lobby@0") && word_of(1).link != before);
    bench.config.daemon.lease_renew_ms = 0;
}

/* Redis has lost the leases, but its stream answers. */
static void a_lost_comet_that_listens_gets_room_items_at_once(void **state)
{
    (void)state;
    members_are(0, 1);
    push_room(IMC__V1__PUSH_MSG__TYPE__ROOM, "lobby", 0);
    assert_int_equal(position(), 1);
    wait_for(comet_has_seen(0, "r:lobby@0") && comet_has_seen(1, "r:lobby@0"));
    wait_for(comets_kept_bytes(bench.job.comets) == 0);
}

static void another_process_is_not_given_what_was_kept(void **state)
{
    (void)state;
    fake_comet_tell(bench.comets[1], FAKE_TAKEN, true);
    wait_for(word_of(1).process == 1001);
    members_are(1, 1);
    push_room(IMC__V1__PUSH_MSG__TYPE__ROOM, "lobby", 0);
    wait_for(comet_has_seen(1, "r:lobby@0") && word_of(1).process == 1001);
    comet_saw(1);
    fake_comet_tell(bench.comets[1], FAKE_TAKEN, false);
    bench.comet_members[1].process = 2001;
    comet_is_back(1);
    push_room(IMC__V1__PUSH_MSG__TYPE__ROOM, "lobby", 0);
    wait_for(position() == 2);
    assert_string_equal(comet_saw(1), "r:lobby@1 ");
    assert_int_equal(word_of(1).process, 2001);
    assert_int_equal(comets_kept_bytes(bench.job.comets), 0);
}

static void beyond_hold_bytes_it_is_told_what_it_missed(void **state)
{
    (void)state;
    bench.config.hold_bytes = 250; /* two and a half */
    fake_comet_tell(bench.comets[1], FAKE_TAKEN, true);
    members_are(1, 1);
    for (int i = 0; i < 10; i++)
        push_room(IMC__V1__PUSH_MSG__TYPE__ROOM, "lobby", 0);
    wait_for(position() == 10);
    assert_true(comets_kept_bytes(bench.job.comets) <= 250);
    assert_true(counter(JOB_KEPT_DROPPED) >= 7);
    fake_comet_break(bench.comets[1]);
    fake_comet_tell(bench.comets[1], FAKE_TAKEN, false);
    comet_is_back(1);
    wait_for(word_of(1).missed_rooms);
    assert_false(word_of(1).missed_all);
    push_room(IMC__V1__PUSH_MSG__TYPE__ROOM, "lobby", 0);
    wait_for(comet_has_seen(1, "r:lobby@10"));
}

static void after_hold_it_is_told_what_it_missed(void **state)
{
    (void)state;
    bench.config.hold_ms = 1;
    fake_comet_tell(bench.comets[1], FAKE_TAKEN, true);
    members_are(1, 1);
    push_room(IMC__V1__PUSH_MSG__TYPE__BROADCAST, "", 0);
    wait_for(counter(JOB_KEPT_DROPPED) == 1);
    push_room(IMC__V1__PUSH_MSG__TYPE__BROADCAST, "", 0);
    assert_int_equal(counter(JOB_KEPT_DROPPED), 2);
    assert_int_equal(comets_kept_bytes(bench.job.comets), 0);
    fake_comet_tell(bench.comets[1], FAKE_TAKEN, false);
    comet_is_back(1);
    wait_for(word_of(1).missed_all);
    assert_false(word_of(1).missed_rooms);
}

static void a_comet_is_told_of_each_partition(void **state)
{
    (void)state;
    struct partition more;
    wait_for(word_of(0).standings == 1);
    partition_init(&more, &bench.job, 4);
    more.fence = 11;
    comets_state(bench.job.comets);
    wait_for(word_of(0).standings == 2 && word_of(1).standings == 2);
    partition_free(&more);
}

/* --- put off --- */

#define PROCESS_TEST(name) cmocka_unit_test_setup_teardown(name, setup_with_processes, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        PROCESS_TEST(room_items_are_kept_for_a_comet_that_stands_still),
        PROCESS_TEST(a_comet_lost_soon_after_a_partition_came_gets_another_link),
        PROCESS_TEST(a_lost_comet_that_listens_gets_room_items_at_once),
        PROCESS_TEST(another_process_is_not_given_what_was_kept),
        PROCESS_TEST(beyond_hold_bytes_it_is_told_what_it_missed),
        PROCESS_TEST(after_hold_it_is_told_what_it_missed),
        PROCESS_TEST(a_comet_is_told_of_each_partition),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
