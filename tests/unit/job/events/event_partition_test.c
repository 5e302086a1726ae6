/* What records of the log mean. */
#include "tests/unit/lib/event_log.h"

static void joined(const char *key)
{
    Imc__V1__SessionRecord record;
    imc__v1__session_record__init(&record);

    record.what = IMC__V1__SESSION_RECORD__WHAT__JOINED;
    record.uid = 7;
    record.room = (char[]){"r"};
    record.at_ms = 1500;
    take(key, &record);
}

/* --- tests --- */

static void a_session_is_told_and_deleted(void **state)
{
    (void)state;
    opened("c.1.a");
    ended("c.1.a", false);
    SAID(&the_topic, "c.1.a.connected", "c.1.a.disconnected");
    assert_int_equal(the_log.n, 0);
    assert_int_equal(event_partition_position(partition), 0);
    report(&the_topic, 0);
    SAID(&the_log, "c.1.a");
    assert_int_equal(event_partition_position(partition), 1); /* it is not deleted yet */
    report(&the_log, -EAGAIN);
    SAID(&the_log, "c.1.a", "c.1.a");
    report(&the_log, 0);
    assert_int_equal(event_partition_position(partition), 2);
}

static void what_comes_twice_is_told_once(void **state)
{
    (void)state;
    opened("c.1.a");
    opened("c.1.a");
    ended("c.1.a", false);
    ended("c.1.a", false);
    SAID(&the_topic, "c.1.a.connected", "c.1.a.disconnected");
    report(&the_topic, 0);
    SAID(&the_log, "c.1.a"); /* once, behind all of them */
    deleted("c.1.a");
    ended("c.1.a", false);
    SAID(&the_topic, "c.1.a.connected", "c.1.a.disconnected");
    SAID(&the_log, "c.1.a", "c.1.a");
}

static void what_is_opened_after_its_end_stays_closed(void **state)
{
    (void)state;
    opened("c.1.a");
    ended("c.1.a", false);
    report(&the_topic, 0);
    opened("c.1.a");
    assert_int_equal(counters[JOB_EVENTS_LATE], 1);
    assert_int_equal(partition->table.n_open, 0);
    SAID(&the_log, "c.1.a", "c.1.a"); /* the deletion is the last word again */
}

static void an_end_alone_tells_both(void **state)
{
    (void)state;
    ended("c.1.a", false);
    SAID(&the_topic, "c.1.a.connected", "c.1.a.disconnected");
}

static void an_end_of_anybody_ends_what_is_open(void **state)
{
    (void)state;
    ended("c.1.a", true);
    assert_int_equal(the_topic.n, 0);
    SAID(&the_log, "c.1.a");
    opened("c.1.a"); /* too late: written by a logic that stood still */
    opened("c.1.b");
    ended("c.1.b", true);
    SAID(&the_topic, "c.1.b.connected", "c.1.b.disconnected");
}

static void what_fails_is_sent_again_in_order(void **state)
{
    (void)state;
    opened("c.1.a");
    opened("c.1.b");
    the_topic.refuses = true;
    report(&the_topic, -EAGAIN);
    opened("c.1.c");
    assert_int_equal(event_partition_position(partition), 0);
    the_topic.refuses = false;
    event_partition_pump(partition);
    SAID(&the_topic, "c.1.a.connected", "c.1.b.connected", "c.1.a.connected", "c.1.b.connected",
         "c.1.c.connected");
    report(&the_topic, 0);
    assert_int_equal(event_partition_position(partition), 3);
}

/* One was confirmed before the other failed: only that one is sent again. */
static void what_was_confirmed_is_not_sent_again(void **state)
{
    (void)state;
    opened("c.1.a");
    opened("c.1.b");
    struct event_parcel *second = the_topic.parcels[1];
    second->done(second, 0);
    the_topic.parcels[0]->done(the_topic.parcels[0], -EAGAIN);
    the_topic.taken = 2;
    event_partition_pump(partition);
    SAID(&the_topic, "c.1.a.connected", "c.1.b.connected", "c.1.a.connected");
    report(&the_topic, 0);
    assert_int_equal(event_partition_position(partition), 2);
}

/* Another job has the partition now: what can be taken back is, and nothing is left behind. Nor is
 * what the business has, and whose deletion is on its way. */
static void what_is_under_way_is_cancelled(void **state)
{
    (void)state;
    cancels = true;
    opened("c.1.a");
    opened("c.1.b");
    ended("c.1.a", false);
    report(&the_topic, 0);
    SAID(&the_log, "c.1.a");
    opened("c.1.c");
    assert_int_equal(outlets.waiting, 2);
    event_partition_close(partition);
    assert_int_equal(outlets.waiting, 0);
    assert_null(the_topic.parcels[3]);
    begin_at(2);
}

static void a_new_owner_tells_what_the_old_one_had_not(void **state)
{
    (void)state;
    event_partition_close(partition);
    begin_at(3);
    opened("c.1.a");
    opened("c.1.b");
    ended("c.1.b", false);
    assert_int_equal(the_topic.n, 0);
    assert_int_equal(event_partition_position(partition), 3);
    ended("c.1.a", false);
    SAID(&the_topic, "c.1.a.disconnected");
    assert_true(event_partition_end(partition, 4));
    event_partition_look(partition);
    SAID(&the_log, "c.1.b due"); /* the old one committed that, and did not tell it */
    report(&the_topic, 0);
    SAID(&the_log, "c.1.b due", "c.1.a");
    due("c.1.b");
    SAID(&the_topic, "c.1.a.disconnected", "c.1.b.disconnected");
}

static void a_new_owner_does_not_tell_what_was_deleted(void **state)
{
    (void)state;
    event_partition_close(partition);
    begin_at(3);
    opened("c.1.a");
    ended("c.1.a", false);
    deleted("c.1.a");
    assert_true(event_partition_end(partition, 3));
    event_partition_look(partition);
    assert_int_equal(the_topic.n + the_log.n, 0);
}

/* --- rooms --- */

static void what_is_no_session_is_told_and_deleted(void **state)
{
    (void)state;
    opened("c.1.a");
    joined("c.1.a.1.joined");
    SAID(&the_topic, "c.1.a.connected", "c.1.a.1.joined");
    report(&the_topic, 0);
    SAID(&the_log, "c.1.a.1.joined");
    assert_int_equal(event_partition_position(partition), 1);
    report(&the_log, 0);
    assert_int_equal(event_partition_position(partition), 2);
    take("c.1.a.1.joined", NULL);
    assert_int_equal(the_log.n, 1);
}

static void rooms_that_are_not_wanted_are_deleted(void **state)
{
    (void)state;
    outlets.types = 3;
    joined("c.1.a.1.joined");
    assert_int_equal(the_topic.n, 0);
    SAID(&the_log, "c.1.a.1.joined");
}

/* A logic that stood still may write late what a comet said, and compaction removes a beginning
 * whose end is there: the end says that the session is in no room. */
static void rooms_of_a_session_that_is_not_open_are_not_told(void **state)
{
    (void)state;
    joined("c.1.b.1.joined");
    opened("c.1.a");
    joined("c.1.a.1.joined");
    ended("c.1.a", false);
    joined("c.1.a.2.joined");
    SAID(&the_topic, "c.1.a.connected", "c.1.a.1.joined", "c.1.a.disconnected");
    SAID(&the_log, "c.1.b.1.joined", "c.1.a.2.joined");
    assert_int_equal(counters[JOB_EVENTS_LATE], 2);
}

static void rooms_of_a_session_whose_end_waits_are_not_told(void **state)
{
    (void)state;
    config.events_debounce_ms = 1000;
    opened("c.1.a");
    ended("c.1.a", false);
    joined("c.1.a.1.joined");
    SAID(&the_topic, "c.1.a.connected");
}

static void sessions_of_a_dead_comet_end(void **state)
{
    (void)state;
    opened("c.1.a");
    opened("d.1.a");
    event_partition_look(partition);
    assert_int_equal(the_log.n, 0); /* there may be more to read */
    assert_true(event_partition_end(partition, 2));
    event_partition_look(partition);
    SAID(&the_log, "d.1.a lost");
    event_partition_look(partition);
    SAID(&the_log, "d.1.a lost"); /* is under way */
    report(&the_log, -EAGAIN);
    event_partition_look(partition);
    SAID(&the_log, "d.1.a lost", "d.1.a lost");
    report(&the_log, 0);
    SAID(&the_topic, "c.1.a.connected", "d.1.a.connected"); /* only what is read is told */
    ended("d.1.a", false);
    SAID(&the_topic, "c.1.a.connected", "d.1.a.connected", "d.1.a.disconnected");
    comet.epoch = 2;
    event_partition_look(partition);
    SAID(&the_log, "d.1.a lost", "d.1.a lost", "c.1.a lost");
}

/* Kafka tells of no end while something is written all the time. */
static void a_log_that_never_rests_has_an_end(void **state)
{
    (void)state;
    opened("d.1.a");
    assert_false(event_partition_reached(partition, -1));
    assert_false(event_partition_reached(partition, 3));
    opened("c.1.a");
    assert_false(event_partition_reached(partition, 5));
    event_partition_look(partition);
    assert_int_equal(the_log.n, 0);
    opened("c.1.b");
    assert_true(event_partition_reached(partition, 9)); /* all that was there at first */
    assert_true(event_partition_end(partition, partition->goal));
    event_partition_look(partition);
    SAID(&the_log, "d.1.a lost");
    assert_false(event_partition_reached(partition, 9));
}

/* Nothing is read of it, so its end is not reached, until it is known what was committed. */
static void an_end_is_not_reached_too_early(void **state)
{
    (void)state;
    event_partition_close(partition);
    partition = event_partition_open(&outlets, 3);
    opened("c.1.a");
    assert_false(event_partition_reached(partition, 1));
    event_partition_known(partition, 2);
    assert_false(event_partition_reached(partition, 3));
    opened("c.1.a");
    assert_false(event_partition_reached(partition, 3));
}

static void pass(int ms)
{
    loop.uv.time += (uint64_t)ms;
}

/* What job writes has to come back. */
static void a_partition_is_silent_if_what_must_come_does_not(void **state)
{
    (void)state;
    pass(30000);
    assert_true(event_partition_is_silent(partition)); /* its end */
    opened("d.1.a");
    assert_false(event_partition_is_silent(partition));
    pass(30000);
    event_partition_heard(partition);
    assert_false(event_partition_is_silent(partition));
    assert_true(event_partition_end(partition, 1));
    pass(30000);
    assert_false(event_partition_is_silent(partition));
    event_partition_look(partition);
    report(&the_log, -EAGAIN);
    assert_int_equal(partition->n_ending, 0);
    event_partition_look(partition);
    assert_int_equal(partition->n_ending, 1);
    report(&the_log, 0);
    assert_true(event_partition_is_silent(partition));
    ended("d.1.a", false);
    assert_int_equal(partition->n_ending, 0);
    pass(30000);
    assert_false(event_partition_is_silent(partition));
}

/* A due end counts likewise, whoever's is read, and whatever becomes of ours then. */
static void an_end_counts_until_one_is_read(void **state)
{
    (void)state;
    config.events_debounce_ms = 1000;
    opened("c.1.a");
    ended("c.1.a", false);
    assert_true(event_partition_end(partition, 2));
    event_partition_look(partition);
    SAID(&the_log, "c.1.a due");
    assert_int_equal(partition->n_ending, 1);
    due("c.1.a");
    assert_int_equal(partition->n_ending, 0);
    report(&the_log, -EAGAIN);
    assert_int_equal(partition->n_ending, 0);
    opened("d.1.a");
    event_partition_look(partition);
    assert_int_equal(partition->n_ending, 1);
    deleted("d.1.a");
    assert_int_equal(partition->n_ending, 0);
}

static void a_comet_is_not_dead_because_our_list_is_old(void **state)
{
    (void)state;
    config.daemon.lease_ttl_ms = 60000;
    opened("d.1.a");
    opened("c.2.a"); /* younger than the list */
    assert_true(event_partition_end(partition, 2));
    event_partition_look(partition);
    event_partition_look(partition);
    assert_int_equal(the_log.n, 0);
    config.daemon.lease_ttl_ms = 1;
    fresh = false;
    for (int i = 0; i < 3; i++) {
        uv_sleep(3);
        uv_update_time(&loop.uv);
        event_partition_look(partition);
    }
    assert_int_equal(the_log.n, 0);
    fresh = true;
    uv_sleep(3);
    uv_update_time(&loop.uv);
    event_partition_look(partition);
    assert_int_equal(the_log.n, 2);
}

static void only_so_many_are_remembered(void **state)
{
    char key[16];

    (void)state;
    for (int i = 0; i < 10; i++) {
        (void)snprintf(key, sizeof key, "c.1.%d", i);
        opened(key);
        ended(key, false);
    }
    assert_int_equal(partition->table.n_closed, 4);
    assert_int_equal(partition->table.n_open, 0);
    report(&the_topic, 0);
    assert_int_equal(the_log.n, 10);
    report(&the_log, 0);
}

static void another_log_is_noticed(void **state)
{
    (void)state;
    event_partition_close(partition);
    begin_at(5);
    opened("c.1.a");
    assert_false(event_partition_end(partition, 1));
}

static void what_is_no_record_is_counted(void **state)
{
    Imc__V1__SessionRecord record;
    imc__v1__session_record__init(&record);

    (void)state;
    opened("nobody");
    take("c.1.a", &record);
    joined("c.1.a.joined");
    opened("c.1.a.1.joined");
    assert_int_equal(counters[JOB_EVENTS_MALFORMED], 4);
    assert_int_equal(event_partition_position(partition), 4);
}

static void types_that_are_not_wanted_are_not_told(void **state)
{
    (void)state;
    outlets.types = 0;
    opened("c.1.a");
    ended("c.1.a", false);
    assert_int_equal(the_topic.n, 0);
    SAID(&the_log, "c.1.a");
    assert_int_equal(event_partition_position(partition), 2);
}

/* What docs/events.md says of memory. */
static void a_session_takes_little(void **state)
{
    enum { N = 100000 };
    struct session_table table;
    struct session_name name = {"c", 1, 0};

    (void)state;
    session_table_init(&table);
    for (name.handle = 1; name.handle <= N; name.handle++)
        session_table_open(&table, &name, 7, 1000);
    size_t bytes = slab_reserved(table.slab) + session_table_map_bytes(&table);
    print_message("%zu bytes a session\n", bytes / N);
    assert_true(bytes / N <= SESSION_TABLE_BYTES);
    session_table_free(&table);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_session_is_told_and_deleted),
        TEST(what_comes_twice_is_told_once),
        TEST(what_is_opened_after_its_end_stays_closed),
        TEST(an_end_alone_tells_both),
        TEST(an_end_of_anybody_ends_what_is_open),
        TEST(what_fails_is_sent_again_in_order),
        TEST(what_was_confirmed_is_not_sent_again),
        TEST(what_is_under_way_is_cancelled),
        TEST(a_new_owner_tells_what_the_old_one_had_not),
        TEST(a_new_owner_does_not_tell_what_was_deleted),
        TEST(what_is_no_session_is_told_and_deleted),
        TEST(rooms_that_are_not_wanted_are_deleted),
        TEST(rooms_of_a_session_that_is_not_open_are_not_told),
        TEST(rooms_of_a_session_whose_end_waits_are_not_told),
        TEST(sessions_of_a_dead_comet_end),
        TEST(a_log_that_never_rests_has_an_end),
        TEST(an_end_is_not_reached_too_early),
        TEST(a_partition_is_silent_if_what_must_come_does_not),
        TEST(an_end_counts_until_one_is_read),
        TEST(a_comet_is_not_dead_because_our_list_is_old),
        TEST(only_so_many_are_remembered),
        TEST(another_log_is_noticed),
        TEST(what_is_no_record_is_counted),
        TEST(types_that_are_not_wanted_are_not_told),
        cmocka_unit_test(a_session_takes_little),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
