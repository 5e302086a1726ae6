/* What a loop owes the log of sessions, against logics that answer as the test says. */
#include "comet/base/cluster_view.h"
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

enum { MOST = 16, EPOCH = 5, NEXT = 6 };

/* needs MOST */
#include "tests/unit/lib/sent_requests.h"

static struct worker worker;
static _Atomic int64_t counters[COMET_METRIC_COUNT];
static struct cluster_view view;
static struct conn conn;

/* --- what is around it --- */

void conn_peer(const struct conn *of, char *out, size_t len)
{
    (void)of;
    (void)snprintf(out, len, "192.0.2.1");
}

/* A change of a room is unanswered: what is to be called then. */
static bool room_is_asked;
static void (*room_answered)(void *arg);
static void *room_arg;
static int anew;

bool room_events_end(struct worker *of, uint64_t handle, void (*then)(void *arg), void *arg)
{
    (void)of, (void)handle;
    room_answered = then;
    room_arg = arg;
    return room_is_asked;
}

void room_events_anew(struct worker *of, struct conn *which)
{
    (void)of;
    assert_ptr_equal(which, &conn);
    anew++;
}

const char *room_name(const struct room *room, size_t *len)
{
    (void)room;
    *len = 3;
    return "r7-of";
}

/* Runs tasks that are due, and timers if MS have to pass. */
static void turn(unsigned ms)
{
    if (ms > 0)
        uv_sleep(ms);
    for (int i = 0; i < 3; i++)
        uv_run(&worker.loop.uv, UV_RUN_NOWAIT);
}

/* What was asked last, and not answered yet. */
static const struct session_event *asked(void)
{
    turn(0);
    assert_int_equal(n_sent, n_answered + 1);
    return sent[n_answered]->event;
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
    turn(0);
}

static void admit(uint64_t epoch)
{
    const struct admission admission = {.uid = 7, .logged = true};
    const struct logic_answer result = {.answered = true, .epoch = epoch, .connect = &admission};

    conn = (struct conn){.worker = &worker, .uid = 7};
    conn.handle = handle_table_add(worker.table, &conn);
    session_log_admitted(worker.session_log, &conn, &result);
    assert_true(conn.logged);
}

static uint64_t leave(void)
{
    uint64_t handle = conn.handle;

    session_log_closed(worker.session_log, &conn);
    handle_table_remove(worker.table, handle);
    assert_false(conn.logged);
    return handle;
}

static void begin_epoch(uint64_t epoch)
{
    view.comet_epoch = epoch;
    session_log_update(worker.session_log);
}

static int setup(void **state)
{
    (void)state;
    worker = (struct worker){.counters = counters, .view = &view};
    memset(counters, 0, sizeof counters);
    n_sent = n_answered = 0;
    room_is_asked = false;
    anew = 0;
    assert_int_equal(loop_init(&worker.loop, "test", 0), 0);
    worker.table = handle_table_open(0);
    worker.session_log = session_log_open(&worker);
    begin_epoch(EPOCH);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    while (n_answered < n_sent)
        answer(false, 0);
    session_log_close(worker.session_log);
    handle_table_close(worker.table);
    turn(0);
    loop_close(&worker.loop);
    return 0;
}

/* --- tests --- */

static void an_end_is_said_until_it_is_there(void **state)
{
    (void)state;
    admit(EPOCH);
    nothing_is_asked();
    conn.end_code = CLOSE_KICKED;
    uint64_t handle = leave();
    for (int i = 0; i < 3; i++) {
        const struct session_event *event = asked();
        assert_true(event->ended && !event->anybody && !event->refused);
        assert_int_equal(sent[n_answered]->handle, handle);
        assert_int_equal(event->uid, 7);
        assert_int_equal(event->epoch, EPOCH);
        assert_int_equal(event->code, CLOSE_KICKED);
        assert_string_equal(event->address, "192.0.2.1");
        assert_string_equal(event->room, "r7-");
        assert_int_equal(session_log_pending(worker.session_log), 1);
        if (i < 2) {
            answer(i == 0, LOGIC_UNAVAILABLE);
            nothing_is_asked();
            turn(300);
        }
    }
    answer(true, LOGIC_OK);
    nothing_is_asked();
    assert_int_equal(session_log_pending(worker.session_log), 0);
    assert_int_equal(counters[COMET_EVENTS_AGAIN], 2);
    assert_int_equal(counters[COMET_EVENTS_SAID], 1);
}

static void a_new_epoch_opens_it_again(void **state)
{
    (void)state;
    admit(EPOCH);
    begin_epoch(NEXT);
    assert_false(asked()->ended);
    assert_int_equal(asked()->epoch, NEXT);
    assert_int_equal(session_log_epoch(worker.session_log, &conn), 0);
    answer(true, LOGIC_OK);
    assert_int_equal(session_log_epoch(worker.session_log, &conn), NEXT);
    assert_int_equal(anew, 1);
    nothing_is_asked();
    leave();
    assert_true(asked()->ended);
    assert_int_equal(asked()->epoch, NEXT);
    answer(true, LOGIC_OK);
    assert_int_equal(session_log_pending(worker.session_log), 0);
}

static void its_end_waits_for_what_is_said_of_its_rooms(void **state)
{
    (void)state;
    admit(EPOCH);
    room_is_asked = true;
    leave();
    nothing_is_asked();
    assert_int_equal(session_log_pending(worker.session_log), 1);
    room_answered(room_arg);
    assert_true(asked()->ended);
    answer(true, LOGIC_OK);
    assert_int_equal(session_log_pending(worker.session_log), 0);
}

/* Whether or not the log has it as open: its end comes behind that. */
static void it_ends_while_it_is_opened_again(void **state)
{
    (void)state;
    for (int ok = 0; ok < 2; ok++) {
        admit(EPOCH + (uint64_t)ok);
        begin_epoch(NEXT + (uint64_t)ok);
        assert_false(asked()->ended);
        leave();
        turn(0);
        assert_int_equal(n_sent, n_answered + 1);
        answer(ok != 0, LOGIC_OK);
        assert_true(asked()->ended);
        assert_int_equal(asked()->epoch, NEXT + ok);
        answer(true, LOGIC_OK);
    }
    assert_int_equal(session_log_pending(worker.session_log), 0);
}

/* Nobody was asked to open it in the new epoch: it ends in the earlier one. */
static void it_ends_before_it_is_opened_again(void **state)
{
    (void)state;
    admit(EPOCH - 1); /* logic answered when the epoch had changed */
    leave();
    assert_true(asked()->ended);
    assert_int_equal(asked()->epoch, EPOCH - 1);
}

static void an_epoch_may_change_twice(void **state)
{
    (void)state;
    admit(EPOCH);
    begin_epoch(NEXT);
    assert_int_equal(asked()->epoch, NEXT);
    begin_epoch(NEXT + 1);
    answer(true, LOGIC_OK);
    assert_false(asked()->ended);
    assert_int_equal(asked()->epoch, NEXT + 1);
    answer(true, LOGIC_OK);
    nothing_is_asked();
}

static void what_nobody_knows_is_undone(void **state)
{
    (void)state;
    session_log_undo(worker.session_log, 77);
    assert_true(asked()->ended && asked()->anybody);
    assert_int_equal(sent[n_answered]->handle, 77);
    answer(true, LOGIC_UNAVAILABLE);
    turn(300);
    assert_true(asked()->anybody);
    answer(true, LOGIC_NOT_CONFIGURED); /* no log: nothing is in it */
    turn(300);
    nothing_is_asked();
    assert_int_equal(counters[COMET_EVENTS_DROPPED], 1);
}

static void what_was_refused_is_ended(void **state)
{
    const struct admission admission = {.uid = 9, .logged = true};
    const struct logic_answer result = {
        .answered = true, .status = CLOSE_UNAVAILABLE, .epoch = EPOCH, .connect = &admission};

    (void)state;
    session_log_unopened(worker.session_log, 78, &result);
    assert_true(asked()->ended && asked()->refused && !asked()->anybody);
    assert_int_equal(asked()->uid, 9);
    answer(true, LOGIC_OK);
}

/* A logic without events.log may be one that is restarted soon. */
static void a_logic_without_a_log_is_asked_again(void **state)
{
    (void)state;
    admit(EPOCH);
    leave();
    asked();
    answer(true, LOGIC_NOT_CONFIGURED);
    turn(300);
    asked();
    answer(true, LOGIC_OK);
    assert_int_equal(counters[COMET_EVENTS_DROPPED], 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_end_is_said_until_it_is_there), TEST(its_end_waits_for_what_is_said_of_its_rooms),
        TEST(an_end_is_said_until_it_is_there), TEST(a_new_epoch_opens_it_again),
        TEST(it_ends_while_it_is_opened_again), TEST(it_ends_before_it_is_opened_again),
        TEST(an_epoch_may_change_twice),        TEST(what_nobody_knows_is_undone),
        TEST(what_was_refused_is_ended),        TEST(a_logic_without_a_log_is_asked_again),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
