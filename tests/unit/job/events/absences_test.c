/* Ends of sessions that wait for events.debounce. */
#include "tests/unit/lib/event_log.h"

static void an_end_waits_and_is_told(void **state)
{
    (void)state;
    config.events_debounce_ms = 3001;
    opened("c.1.a");
    ended("c.1.a", false);
    assert_true(event_partition_end(partition, 2));
    event_partition_look(partition);
    SAID(&the_topic, "c.1.a.connected");
    assert_int_equal(the_log.n, 0);
    assert_int_equal(partition->absences.n, 1);
    noon_ms++;
    event_partition_look(partition);
    event_partition_look(partition);
    SAID(&the_log, "c.1.a due");
    report(&the_log, -EAGAIN);
    event_partition_look(partition);
    SAID(&the_log, "c.1.a due", "c.1.a due");
    report(&the_log, 0);
    SAID(&the_topic, "c.1.a.connected");
    due("c.1.a");
    due("c.1.a"); /* the first one was there after all */
    SAID(&the_topic, "c.1.a.connected", "c.1.a.disconnected");
    assert_int_equal(partition->absences.n, 0);
    report(&the_topic, 0);
    SAID(&the_log, "c.1.a due", "c.1.a due", "c.1.a");
}

static void who_comes_back_in_time_was_never_away(void **state)
{
    (void)state;
    config.events_debounce_ms = 3000;
    opened("c.1.a");
    opened("c.1.b");
    opened("c.1.c");
    ended("c.1.a", false);
    ended("c.1.b", false);
    opening_uid = 8;
    opened("c.1.d"); /* is somebody else */
    assert_int_equal(partition->absences.n, 2);
    opening_uid = 7;
    opening_ms = 4999;
    opened("c.1.e");
    assert_int_equal(partition->absences.n, 0);
    assert_int_equal(counters[JOB_EVENTS_REPLACED], 2);
    report(&the_topic, 0);
    SAID(&the_topic, "c.1.a.connected", "c.1.b.connected", "c.1.c.connected", "c.1.d.connected",
         "c.1.e.connected");
    SAID(&the_log, "c.1.a", "c.1.b");
    assert_int_equal(event_partition_position(partition), 6);
    report(&the_log, 0);
    due("c.1.a"); /* was on its way */
    ended("c.1.a", false);
    assert_int_equal(the_topic.n, 5);
    assert_int_equal(partition->table.n_open, 3);
}

static void who_comes_back_late_was_away(void **state)
{
    (void)state;
    config.events_debounce_ms = 3000;
    opened("c.1.a");
    ended("c.1.a", false);
    opening_ms = 5000;
    opened("c.1.b");
    SAID(&the_topic, "c.1.a.connected", "c.1.a.disconnected", "c.1.b.connected");
    report(&the_topic, 0);
    SAID(&the_log, "c.1.a");
}

/* The job dies after it has committed the end that waits. */
static void a_new_owner_knows_who_is_away(void **state)
{
    (void)state;
    config.events_debounce_ms = 3000;
    event_partition_close(partition);
    begin_at(2);
    opened("c.1.a");
    ended("c.1.a", false);
    assert_int_equal(partition->absences.n, 1);
    opening_ms = 3000;
    opened("c.1.b");
    SAID(&the_topic, "c.1.b.connected");
    report(&the_topic, 0);
    SAID(&the_log, "c.1.a");
}

/* The end that is due is all that compaction has left. */
static void a_due_end_alone_tells_both(void **state)
{
    (void)state;
    config.events_debounce_ms = 3000;
    due("c.1.a");
    SAID(&the_topic, "c.1.a.connected", "c.1.a.disconnected");
}

static void an_absent_session_can_be_deleted(void **state)
{
    (void)state;
    config.events_debounce_ms = 3000;
    ended("c.1.a", false);
    ended("c.1.b", false);
    deleted("c.1.a");
    assert_int_equal(partition->absences.n, 1);
    opened("c.1.b");
    assert_int_equal(counters[JOB_EVENTS_LATE], 1);
}

static void only_so_many_are_replaced(void **state)
{
    char key[16];

    (void)state;
    config.events_debounce_ms = 3000;
    for (int i = 0; i < 17; i++) {
        (void)snprintf(key, sizeof key, "c.1.%x", i + 1);
        opened(key);
    }
    for (int i = 0; i < 17; i++) {
        (void)snprintf(key, sizeof key, "c.1.%x", i + 1);
        ended(key, false);
    }
    assert_int_equal(partition->absences.n, 17);
    opened("c.1.ff");
    assert_int_equal(partition->absences.n, 1); /* its end is told as usual */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_end_waits_and_is_told),     TEST(who_comes_back_in_time_was_never_away),
        TEST(who_comes_back_late_was_away), TEST(a_new_owner_knows_who_is_away),
        TEST(a_due_end_alone_tells_both),   TEST(an_absent_session_can_be_deleted),
        TEST(only_so_many_are_replaced),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
