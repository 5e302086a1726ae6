/* Which rooms sessions enter and leave, against logics that answer as the test says. */
#include "comet/base/metrics.h"
#include "comet/base/worker.h"
#include "comet/fanout/room.h"
#include "comet/logic/logic_requests.h"
#include "comet/net/conn.h"
#include "comet/net/handle_table.h"
#include "comet/session/room_events.h"
#include "comet/session/session_log.h"
#include "common/base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* needs the above */
#include <cmocka.h>

enum { MOST = 64, EPOCH = 5, RETRY_MS = 300 };

/* needs MOST */
#include "tests/unit/lib/sent_requests.h"

static struct worker worker;
static _Atomic int64_t counters[COMET_METRIC_COUNT];
static struct conn conn;
static uint64_t epoch; /* in which the log has the session; 0: not yet */
static void (*moved)(struct conn *conn, const struct room *room, bool entered);
static int thens;

/* --- what is around it --- */

uint64_t session_log_epoch(const struct session_log *log, const struct conn *of)
{
    (void)log;
    assert_ptr_equal(of, &conn);
    return epoch;
}

void rooms_watch_members(struct worker *of,
                         void (*fn)(struct conn *conn, const struct room *room, bool entered))
{
    (void)of;
    moved = fn;
}

/* A room is its name. */
static struct room *room_of(const char *name)
{
    return mem_unconst(name);
}

const char *room_name(const struct room *room, size_t *len)
{
    const char *name = (const char *)room;

    *len = strlen(name);
    return name;
}

/* --- what is said and answered --- */

/* Runs tasks that are due, and timers if MS have to pass. */
static void turn(unsigned ms)
{
    if (ms > 0)
        uv_sleep(ms);
    for (int i = 0; i < 3; i++)
        uv_run(&worker.loop.uv, UV_RUN_NOWAIT);
}

static void enter(const char *name)
{
    moved(&conn, room_of(name), true);
}

static void leave(const char *name)
{
    moved(&conn, room_of(name), false);
}

/* One change is asked: WHAT, of the room NAME. */
static const struct session_event *asked(enum session_change what, const char *name)
{
    turn(0);
    assert_int_equal(n_sent, n_answered + 1);
    const struct session_event *event = sent[n_answered]->event;
    assert_int_equal(sent[n_answered]->handle, conn.handle);
    assert_int_equal(event->uid, 7);
    assert_int_equal(event->change, what);
    assert_string_equal(event->room, name);
    return event;
}

static void nothing_is_asked(void)
{
    turn(0);
    assert_int_equal(n_sent, n_answered);
}

static void answer(bool answered, uint32_t status)
{
    struct logic_request *request = sent[n_answered++];
    const struct logic_answer result = {.answered = answered, .status = status};

    request->done(&worker, request, &result);
    free(request);
}

static void on_then(void *arg)
{
    assert_ptr_equal(arg, &thens);
    thens++;
}

static bool ends(void)
{
    return room_events_end(&worker, conn.handle, on_then, &thens);
}

static int setup(void **state)
{
    (void)state;
    worker = (struct worker){.counters = counters};
    memset(counters, 0, sizeof counters);
    n_sent = n_answered = 0;
    thens = 0;
    epoch = EPOCH;
    moved = NULL;
    assert_int_equal(loop_init(&worker.loop, "test", 0), 0);
    worker.table = handle_table_open(0);
    worker.room_events = room_events_open(&worker);
    conn = (struct conn){.worker = &worker, .uid = 7, .logged = true, .state = CONN_OPEN};
    conn.handle = handle_table_add(worker.table, &conn);
    room_events_want(&worker);
    assert_non_null(moved);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    while (n_answered < n_sent)
        answer(false, 0);
    handle_table_remove(worker.table, conn.handle);
    room_events_close(worker.room_events);
    handle_table_close(worker.table);
    turn(0);
    loop_close(&worker.loop);
    return 0;
}

/* --- tests --- */

static void one_change_is_asked_at_a_time(void **state)
{
    (void)state;
    enter("a");
    enter("b");
    leave("c");
    uint64_t number = asked(EVENT_ENTERED, "a")->number;
    assert_int_equal(asked(EVENT_ENTERED, "a")->epoch, EPOCH);
    answer(true, LOGIC_OK);
    assert_true(asked(EVENT_ENTERED, "b")->number > number);
    answer(true, LOGIC_OK);
    asked(EVENT_EXITED, "c");
    answer(true, LOGIC_OK);
    nothing_is_asked();
    assert_int_equal(counters[COMET_EVENTS_SAID], 3);
}

/* Under the same number, so the log knows it again. */
static void what_is_not_there_is_said_again(void **state)
{
    (void)state;
    enter("a");
    enter("b");
    uint64_t number = asked(EVENT_ENTERED, "a")->number;
    for (int i = 0; i < 2; i++) {
        answer(i == 0, LOGIC_UNAVAILABLE);
        nothing_is_asked();
        turn(RETRY_MS);
        assert_int_equal(asked(EVENT_ENTERED, "a")->number, number);
    }
    answer(true, LOGIC_OK);
    asked(EVENT_ENTERED, "b");
    assert_int_equal(counters[COMET_EVENTS_AGAIN], 2);
}

static void what_was_not_said_is_undone(void **state)
{
    (void)state;
    enter("a");
    leave("a");
    nothing_is_asked();
    enter("a");
    asked(EVENT_ENTERED, "a");
    leave("a"); /* behind what is asked */
    enter("a");
    leave("a");
    answer(true, LOGIC_OK);
    asked(EVENT_EXITED, "a");
    enter("b");
    leave("b");
    answer(true, LOGIC_OK);
    nothing_is_asked();
}

static void the_room_that_it_is_let_in_with_is_not_told(void **state)
{
    (void)state;
    conn.state = CONN_CONNECTING;
    conn.main.room = room_of("main");
    moved(&conn, conn.main.room, true);
    enter("beside");
    asked(EVENT_ENTERED, "beside");
    answer(true, LOGIC_OK);
    conn.state = CONN_OPEN;
    moved(&conn, conn.main.room, false);
    asked(EVENT_EXITED, "main");
}

static void who_is_not_in_the_log_or_closes_tells_nothing(void **state)
{
    (void)state;
    conn.logged = false;
    enter("a");
    conn.logged = true;
    conn.state = CONN_CLOSING;
    leave("a");
    nothing_is_asked();
}

static void it_waits_for_the_log_to_have_its_session(void **state)
{
    (void)state;
    epoch = 0;
    enter("a");
    nothing_is_asked();
    epoch = EPOCH + 1;
    turn(RETRY_MS);
    assert_int_equal(asked(EVENT_ENTERED, "a")->epoch, EPOCH + 1);
}

static void a_session_that_ends_takes_with_it_what_was_not_said(void **state)
{
    (void)state;
    assert_false(ends());
    enter("a");
    assert_false(ends()); /* due */
    nothing_is_asked();
    enter("a");
    asked(EVENT_ENTERED, "a");
    answer(false, 0);
    assert_false(ends()); /* resting */
    turn(RETRY_MS);
    nothing_is_asked();
    assert_int_equal(thens, 0);
}

static void its_end_waits_for_what_is_asked(void **state)
{
    (void)state;
    for (int ok = 0; ok < 2; ok++) {
        enter("a");
        enter("b");
        asked(EVENT_ENTERED, "a");
        assert_true(ends());
        assert_int_equal(thens, ok);
        answer(ok != 0, LOGIC_OK);
        assert_int_equal(thens, ok + 1);
        turn(RETRY_MS);
        nothing_is_asked();
    }
}

/* In a new epoch it is another session, in the rooms where it is now. */
static void a_new_epoch_tells_the_rooms_anew(void **state)
{
    struct seats *seats = mem_zalloc(sizeof *seats + 2 * sizeof seats->list[0]);

    (void)state;
    enter("a");
    asked(EVENT_ENTERED, "a");
    enter("b");
    leave("c");
    seats->n = seats->cap = 2;
    seats->list[0].room = room_of("a");
    seats->list[1].room = room_of("b");
    conn.seats = seats;
    epoch = EPOCH + 1;
    room_events_anew(&worker, &conn);
    answer(true, LOGIC_OK); /* of the former session */
    assert_int_equal(asked(EVENT_ENTERED, "a")->epoch, EPOCH + 1);
    answer(true, LOGIC_OK);
    asked(EVENT_ENTERED, "b");
    answer(true, LOGIC_OK);
    nothing_is_asked();
    free(seats);
    conn.seats = NULL;
}

static void what_waits_is_freed_at_the_end(void **state)
{
    (void)state;
    epoch = 0;
    enter("a"); /* resting */
    turn(0);
    enter("b");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(one_change_is_asked_at_a_time),
        TEST(what_is_not_there_is_said_again),
        TEST(what_was_not_said_is_undone),
        TEST(the_room_that_it_is_let_in_with_is_not_told),
        TEST(who_is_not_in_the_log_or_closes_tells_nothing),
        TEST(it_waits_for_the_log_to_have_its_session),
        TEST(a_session_that_ends_takes_with_it_what_was_not_said),
        TEST(its_end_waits_for_what_is_asked),
        TEST(a_new_epoch_tells_the_rooms_anew),
        TEST(what_waits_is_freed_at_the_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
