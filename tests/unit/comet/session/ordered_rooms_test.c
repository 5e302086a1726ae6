/* Orders about rooms, carried out on sessions of a real frontend. */
#include "tests/unit/lib/frontend_fixture.h"

#include "comet/session/ordered_rooms.h"

/* The result that was told last. */
static struct {
    uint32_t taken, sessions, session_full, comet_full, undecided;
} told;
static int n_told;
static struct room_orders *const some_logic = (struct room_orders *)(void *)&told;

static void finish(struct room_order *order)
{
    told.taken = order->taken;
    told.sessions = order->sessions;
    told.session_full = order->session_full;
    told.comet_full = order->comet_full;
    told.undecided = order->undecided;
    n_told++;
    free(order);
}

static int clients[8], n_clients;

static struct conn *visit(int64_t uid, bool admitted)
{
    int pair[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
    clients[n_clients++] = pair[1];
    session_notes.hold = !admitted;
    struct conn *conn = conn_accept(fixture.frontend, pair[0], false);
    session_connect(conn, (const uint8_t *)"t", 1, 1);
    conn->uid = uid;
    return conn;
}

static int setup(void **state)
{
    n_clients = n_told = 0;
    memset(&told, 0, sizeof told);
    int err = fixture_setup(state);
    fixture.ordered_rooms = ordered_rooms_open(&fixture);
    return err;
}

static int teardown(void **state)
{
    ordered_rooms_close(fixture.ordered_rooms);
    for (int i = 0; i < n_clients; i++)
        close(clients[i]);
    return fixture_teardown(state);
}

/* An order for user 42, with the handles whose end is 0. */
static struct room_order *order(const char *room, bool leave, const uint64_t *handles)
{
    size_t n = 0;

    while (handles[n] != 0)
        n++;
    struct room_order *made = mem_zalloc(sizeof *made + n * sizeof *handles);
    made->of = some_logic;
    made->finish = finish;
    made->uid = 42;
    made->leave = leave;
    made->deadline_ms = loop_now_ms(&fixture.loop) + 1000;
    made->room = room;
    made->room_len = strlen(room);
    made->n_handles = n;
    memcpy(made->handles, handles, n * sizeof *handles);
    return made;
}

#define ORDER(room, leave, ...) \
    ordered_rooms_take(&fixture, order(room, leave, (const uint64_t[]){__VA_ARGS__, 0}))

static uint32_t in_room(const char *name)
{
    struct room *room = room_find(&fixture, name, strlen(name));

    return room == NULL ? 0 : room_members(room);
}

static void sessions_join_and_leave(void **state)
{
    (void)state;
    struct conn *a = visit(42, true), *b = visit(42, true);
    for (int i = 1; i <= 2; i++) {
        ORDER("r", false, a->handle, b->handle);
        assert_true(n_told == i && told.sessions == 2 && told.taken == 2);
        assert_int_equal(in_room("r"), 2);
    }
    ORDER("r", true, b->handle);
    assert_int_equal(told.sessions, 1);
    assert_int_equal(in_room("r"), 1);
    ORDER("r", true, b->handle); /* it is not in the room: so it is as was wanted */
    assert_int_equal(told.sessions, 1);
    room_join(&fixture, a, "main", 4);
    ORDER("main", true, a->handle);
    assert_null(a->main.room);
    assert_int_equal(fixture_counters[COMET_ORDERED_DONE], 7);
}

static void who_is_gone_or_not_the_user_is_left_alone(void **state)
{
    (void)state;
    struct conn *a = visit(42, true), *other = visit(43, true);
    uint64_t gone = a->handle;
    conn_kick(a, CLOSE_GOING_AWAY, "test"); /* it lingers */
    ORDER("r", false, gone, other->handle, gone + (1ULL << HANDLE_SLOT_BITS));
    assert_int_equal(n_told, 1);
    assert_int_equal(told.taken, 3);
    assert_int_equal(told.sessions + told.session_full + told.comet_full + told.undecided, 0);
    assert_int_equal(in_room("r"), 0);
}

static void handles_of_other_loops_are_theirs(void **state)
{
    (void)state;
    const struct conn *a = visit(42, true);
    ORDER("r", false, 1ULL << 56 | a->handle, a->handle);
    assert_true(told.taken == 1 && told.sessions == 1);
    ORDER("r", false, 1ULL << 56 | a->handle);
    assert_true(n_told == 2 && told.taken == 0 && told.sessions == 0);
}

static void limits_are_told_and_nobody_is_kicked(void **state)
{
    (void)state;
    static const char *const rooms[] = {"a", "b", "c", "d"};
    struct conn *full = visit(42, true), *free_one = visit(42, true);
    for (size_t i = 0; i < 4; i++) /* rooms_per_session is 4 */
        ORDER(rooms[i], false, full->handle);
    ORDER("e", false, full->handle, free_one->handle);
    assert_true(told.sessions == 1 && told.session_full == 1 && told.comet_full == 0);
    fixture_config.rooms_max = 5;
    ORDER("f", false, full->handle, free_one->handle);
    assert_true(told.sessions == 0 && told.session_full == 1 && told.comet_full == 1);
    assert_true(full->state == CONN_OPEN && free_one->state == CONN_OPEN);
    assert_int_equal(fixture_counters[COMET_ORDERED_FULL], 3);
}

/* Its token may put it into a main room when it is admitted: the order comes after that. */
static void a_session_that_is_connecting_is_waited_for(void **state)
{
    (void)state;
    struct conn *open = visit(42, true), *late = visit(42, false);
    ORDER("r", true, late->handle);
    ORDER("r", false, open->handle, late->handle);
    assert_int_equal(in_room("r"), 1); /* whoever is there need not wait */
    step_for(500);
    assert_int_equal(n_told, 0);
    assert_int_equal(fixture_counters[COMET_ORDERS_WAITING], 2);
    conn_opened(late);
    room_join(&fixture, late, "r", 1);
    step_for(20);
    assert_int_equal(n_told, 2);
    assert_true(told.sessions == 2 && told.taken == 2 && told.undecided == 0);
    assert_int_equal(in_room("r"), 2); /* the first order took it out, the second one let it in */
    assert_null(late->main.room);
    assert_int_equal(fixture_counters[COMET_ORDERS_WAITING], 0);
}

static void a_session_that_goes_while_connecting_is_not_counted(void **state)
{
    (void)state;
    struct conn *late = visit(42, false);
    ORDER("r", false, late->handle);
    conn_kick(late, CLOSE_BAD_TOKEN, "test");
    step_for(20);
    assert_true(n_told == 1 && told.taken == 1 && told.sessions == 0 && told.undecided == 0);
}

static void the_wait_has_an_end(void **state)
{
    (void)state;
    struct conn *open = visit(42, true), *late = visit(42, false);
    ORDER("r", false, open->handle, late->handle);
    step_for(980);
    assert_int_equal(n_told, 0);
    step_for(40);
    assert_true(n_told == 1 && told.sessions == 1 && told.undecided == 1);
    conn_opened(late);
    step_for(100);
    assert_int_equal(in_room("r"), 1); /* not any more */
    assert_int_equal(fixture_counters[COMET_ORDERED_UNDECIDED], 1);
}

static void an_order_of_a_logic_that_has_gone_does_not_wait(void **state)
{
    (void)state;
    const struct conn *late = visit(42, false);
    struct room_order *made = order("r", false, (const uint64_t[]){late->handle, 0});
    ordered_rooms_take(&fixture, made);
    made->of = NULL;
    step_for(20);
    assert_int_equal(n_told, 1);
}

static void so_many_orders_wait(void **state)
{
    (void)state;
    struct conn *late = visit(42, false);
    for (int i = 0; i < ORDERED_ROOMS_WAITING_MAX; i++)
        ORDER("r", false, late->handle);
    assert_int_equal(n_told, 0);
    ORDER("r", false, late->handle);
    assert_true(n_told == 1 && told.undecided == 1);
    conn_opened(late);
    ORDER("r", false, late->handle); /* who need not wait is not refused */
    assert_true(n_told == 2 && told.sessions == 1);
    step_for(20);
    assert_int_equal(n_told, ORDERED_ROOMS_WAITING_MAX + 2);
}

/* Anybody may reach the port of a logic that we ask: a bad order does no harm. */
static void what_is_no_name_is_not_joined(void **state)
{
    (void)state;
    char name[ROOM_NAME_MAX + 2];
    const struct conn *a = visit(42, true);
    ORDER("", false, a->handle);
    ORDER("a\nb", false, a->handle);
    memset(name, 'r', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    ORDER(name, false, a->handle);
    assert_true(n_told == 3 && told.taken == 1 && told.sessions == 0);
    assert_int_equal(fixture_counters[COMET_ROOMS], 0);
    name[ROOM_NAME_MAX] = '\0';
    ORDER(name, false, a->handle);
    assert_int_equal(told.sessions, 1);
}

static void orders_that_wait_end_with_the_loop(void **state)
{
    (void)state;
    const struct conn *late = visit(42, false);
    ORDER("r", false, late->handle);
    ordered_rooms_close(fixture.ordered_rooms);
    assert_true(n_told == 1 && told.undecided == 1);
    fixture.ordered_rooms = ordered_rooms_open(&fixture);
}

/* --- jobs have to know of the room --- */

static uint64_t posted;

static void on_post(struct worker *worker, struct claims_post *post)
{
    (void)worker;
    posted = post->number;
    free(post);
}

static void on_known(struct worker *worker, bool outwaited)
{
    (void)outwaited;
    ordered_rooms_known(worker->ordered_rooms);
}

static void a_join_is_done_when_jobs_know_of_the_room(void **state)
{
    (void)state;
    room_claims_open(&fixture, on_post, on_known);
    const struct conn *a = visit(42, true);
    ORDER("r", false, a->handle);
    step();
    assert_true(n_told == 0 && posted == 1 && in_room("r") == 1);
    room_claims_release(&fixture, posted, false);
    assert_true(n_told == 1 && told.sessions == 1 && told.undecided == 0);
    ORDER("r", false, a->handle);
    assert_int_equal(n_told, 2);
    ORDER("s", false, a->handle);
    ORDER("r", true, a->handle); /* waits for nothing */
    assert_int_equal(n_told, 3);
    step_for(1100); /* the order's time is over */
    assert_true(n_told == 4 && told.sessions == 0 && told.undecided == 1);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_join_is_done_when_jobs_know_of_the_room),
        TEST(sessions_join_and_leave),
        TEST(who_is_gone_or_not_the_user_is_left_alone),
        TEST(handles_of_other_loops_are_theirs),
        TEST(limits_are_told_and_nobody_is_kicked),
        TEST(a_session_that_is_connecting_is_waited_for),
        TEST(a_session_that_goes_while_connecting_is_not_counted),
        TEST(the_wait_has_an_end),
        TEST(an_order_of_a_logic_that_has_gone_does_not_wait),
        TEST(so_many_orders_wait),
        TEST(what_is_no_name_is_not_joined),
        TEST(orders_that_wait_end_with_the_loop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
