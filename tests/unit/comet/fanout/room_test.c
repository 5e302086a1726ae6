/* The rooms that a session is in: its main one and those beside it, their limits, and what is noted
 * for those who count. */
#include "tests/unit/lib/frontend_fixture.h"

static int client; /* the other end of the connection that visit() made last */

static struct conn *visit(void)
{
    int pair[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
    client = pair[1];
    struct conn *conn = conn_accept(fixture.frontend, pair[0], false);
    session_connect(conn, (const uint8_t *)"t", 1, 1);
    return conn;
}

static void leave(void)
{
    close(client);
    step_until(frontend_connections(&fixture) == 0);
}

static void joining_another_main_room_leaves_the_first(void **state)
{
    (void)state;
    size_t len;
    struct conn *conn = visit();
    room_join(&fixture, conn, "one", 3);
    room_join(&fixture, conn, "one", 3);
    assert_int_equal(members_of("one"), 1);
    assert_memory_equal(room_name(conn->main.room, &len), "one", 3);
    room_join(&fixture, conn, "two", 3);
    assert_int_equal(members_of("one"), 0);
    assert_int_equal(members_of("two"), 1);
    assert_int_equal(fixture_counters[COMET_ROOMS], 1);
    room_leave(conn);
    assert_int_equal(fixture_counters[COMET_ROOMS], 0);
    assert_string_equal(room_name(NULL, &len), "");
    leave();
}

static void a_main_room_and_those_beside_it(void **state)
{
    (void)state;
    size_t len;
    struct conn *conn = visit();
    assert_int_equal(room_join_beside(&fixture, conn, "a", 1), ROOM_OK);
    assert_int_equal(room_join_beside(&fixture, conn, "b", 1), ROOM_OK);
    assert_int_equal(room_join(&fixture, conn, "a", 1), ROOM_OK); /* now its main one */
    assert_memory_equal(room_name(conn->main.room, &len), "a", 1);
    assert_int_equal(conn->seats->n, 1);
    assert_int_equal(room_join_beside(&fixture, conn, "a", 1), ROOM_OK);
    room_leave_named(conn, "a", 1);
    room_leave_named(conn, "nowhere", 7);
    assert_null(conn->main.room);
    assert_int_equal(fixture_counters[COMET_ROOMS], 1);
    leave();
    assert_int_equal(fixture_counters[COMET_ROOMS], 0);
}

static void a_session_and_a_loop_have_so_many_rooms(void **state)
{
    (void)state;
    size_t len;
    struct conn *conn = visit();
    assert_int_equal(room_join(&fixture, conn, "a", 1), ROOM_OK);
    for (int i = 1; i < 4; i++) /* rooms_per_session is 4 */
        assert_int_equal(room_join_beside(&fixture, conn, &"abcd"[i], 1), ROOM_OK);
    assert_int_equal(room_join_beside(&fixture, conn, "e", 1), ROOM_SESSION_FULL);
    assert_int_equal(room_join_beside(&fixture, conn, "d", 1), ROOM_OK);
    fixture_config.rooms_max = 4;
    assert_int_equal(room_join(&fixture, conn, "e", 1), ROOM_NODE_FULL);
    assert_memory_equal(room_name(conn->main.room, &len), "a", 1);
    assert_int_equal(fixture_counters[COMET_ROOMS_REFUSED_SESSION], 1);
    assert_int_equal(fixture_counters[COMET_ROOMS_REFUSED_NODE], 1);
    fixture_config.rooms_max = 1000;
    leave();
}

static int told;

static void on_changed(struct worker *worker)
{
    assert_ptr_equal(worker, &fixture);
    told++;
}

static void changes_are_taken_once_and_a_left_room_waits_for_that(void **state)
{
    (void)state;
    struct room_change change;
    told = 0;
    rooms_watch(&fixture, on_changed);
    struct conn *conn = visit();
    room_join(&fixture, conn, "a", 1);
    room_join_beside(&fixture, conn, "b", 1);
    room_leave_named(conn, "b", 1);
    assert_int_equal(told, 1);
    assert_int_equal(fixture_counters[COMET_ROOMS], 2);
    assert_true(room_take_change(&fixture, &change));
    assert_string_equal(change.name, "a");
    assert_int_equal(change.members, 1);
    assert_false(room_take_change(&fixture, &change)); /* nobody heard of b */
    assert_int_equal(fixture_counters[COMET_ROOMS], 1);
    room_leave(conn);
    assert_true(room_take_change(&fixture, &change));
    assert_string_equal(change.name, "a");
    assert_int_equal(change.members, 0);
    assert_int_equal(fixture_counters[COMET_ROOMS], 0);
    room_join(&fixture, conn, "a", 1);
    assert_true(room_take_change(&fixture, &change) && change.members == 1);
    rooms_mark_all(&fixture);
    room_mark(&fixture, "gone", 4);
    assert_int_equal(told, 4);
    assert_true(room_take_change(&fixture, &change) && change.members == 1);
    leave(); /* what is not taken goes with the loop */
}

int main(void)
{
#define ROOM_TEST(test) cmocka_unit_test_setup_teardown(test, fixture_setup, fixture_teardown)
    const struct CMUnitTest tests[] = {
        ROOM_TEST(joining_another_main_room_leaves_the_first),
        ROOM_TEST(a_main_room_and_those_beside_it),
        ROOM_TEST(a_session_and_a_loop_have_so_many_rooms),
        ROOM_TEST(changes_are_taken_once_and_a_left_room_waits_for_that),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
