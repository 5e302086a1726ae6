/* What logic asks about sessions of a real frontend: what they are like, and who is in a room. */
#include "tests/unit/lib/frontend_fixture.h"

#include "comet/net/goim_client.h"
#include "comet/net/sendq.h"
#include "comet/session/asked_sessions.h"

enum { CLIENTS = 400, SLOT_MASK = (1 << HANDLE_SLOT_BITS) - 1 };

static struct {
    uint32_t taken, after;
    size_t n;
    bool more;
    uint64_t handles[CLIENTS];
    uint32_t more_rooms;
    size_t n_rooms;
    char text[200]; /* of the first session */
    bool chooses;
    size_t n_accepts, n_declines;
    int32_t op; /* the first one */
    uint32_t more_ops;
    uint64_t unsent;
} told;
static int n_told, clients[2 * CLIENTS], n_clients;
static struct questions *const some_logic = (struct questions *)(void *)&told;

static void finish(struct question *question)
{
    memset(&told, 0, sizeof told);
    told.taken = question->taken;
    told.after = question->after;
    told.more = question->more;
    told.n = question->n;
    for (size_t i = 0; i < question->n; i++)
        told.handles[i] = question->sessions[i]->handle;
    if (question->n > 0) {
        const Imc__V1__AskedSession *first = question->sessions[0];
        told.more_rooms = first->more_rooms;
        told.n_rooms = first->n_rooms;
        told.chooses = first->chooses;
        told.n_accepts = first->n_accepts;
        told.n_declines = first->n_declines;
        told.op = first->n_accepts > 0    ? first->accepts[0]
                  : first->n_declines > 0 ? first->declines[0]
                                          : 0;
        told.more_ops = first->more_operations;
        told.unsent = first->unsent;
        snprintf(told.text, sizeof told.text, "uid=%d ws=%d tls=%d ack=%d address=%s rooms=%s,%s",
                 (int)first->uid, first->websocket, first->tls, first->acked, first->address,
                 first->n_rooms > 0 ? first->rooms[0] : "",
                 first->n_rooms > 1 ? first->rooms[1] : "");
    }
    n_told++;
    arena_free(&question->arena);
    free(question);
}

static struct conn *visit(int64_t uid)
{
    int pair[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
    clients[n_clients++] = pair[1];
    session_notes.hold = false;
    struct conn *conn = conn_accept(fixture.frontend, pair[0], false);
    session_connect(conn, (const uint8_t *)"t", 1, 1);
    conn->uid = uid;
    return conn;
}

static void leave(struct conn *conn)
{
    conn_kick(conn, CLOSE_GOING_AWAY, "test");
}

static int setup(void **state)
{
    n_clients = n_told = 0;
    int err = fixture_setup(state);
    fixture.room_pages = room_pages_open(&fixture, ROOM_PAGES_SORTED, ROOM_PAGES_SLICE);
    return err;
}

static int teardown(void **state)
{
    for (int i = 0; i < n_clients; i++)
        close(clients[i]);
    int err = fixture_teardown(state);
    room_pages_close(fixture.room_pages);
    return err;
}

static struct question *question_new(const char *room, size_t n_handles)
{
    struct question *question = mem_zalloc(sizeof *question + n_handles * sizeof(uint64_t));

    arena_init(&question->arena);
    question->of = some_logic;
    question->finish = finish;
    question->uid = 42;
    question->room = room;
    question->room_len = strlen(room);
    question->n_handles = n_handles;
    return question;
}

static void ask(const uint64_t *handles, size_t n)
{
    struct question *question = question_new("", n);

    memcpy(question->handles, handles, n * sizeof *handles);
    asked_sessions_take(&fixture, question);
}

static void ask_page(const char *room, uint32_t after, uint32_t limit)
{
    struct question *question = question_new(room, 0);
    int before = n_told;

    question->after = after;
    question->limit = limit;
    asked_sessions_take(&fixture, question);
    while (n_told == before)
        uv_run(&fixture.loop.uv, UV_RUN_NOWAIT);
}

static void a_session_is_told_with_its_rooms(void **state)
{
    (void)state;
    struct conn *conn = visit(42);
    room_join_beside(&fixture, conn, "beside", 6);
    room_join(&fixture, conn, "main", 4);
    ask(&conn->handle, 1);
    assert_true(told.taken == 1 && told.n == 1 && told.handles[0] == conn->handle);
    assert_non_null(strstr(told.text, "uid=42 ws=0 tls=0 ack=0 "));
    assert_non_null(strstr(told.text, "rooms=main,beside"));
    assert_int_equal(told.more_rooms, 0);
}

static void who_is_gone_or_of_another_user_is_left_out(void **state)
{
    (void)state;
    struct conn *gone = visit(42), *other = visit(43), *here = visit(42);
    const uint64_t handles[] = {gone->handle, other->handle, here->handle,
                                here->handle | 1ULL << 56};
    leave(gone);
    ask(handles, 4);
    assert_true(told.taken == 3 && told.n == 1);
    assert_int_equal(told.handles[0], handles[2]);
    ask(&handles[3], 1);
    assert_true(told.taken == 0 && told.n == 0);
}

static void what_a_session_has_chosen_is_told(void **state)
{
    (void)state;
    struct conn *conn = visit(42);
    ask(&conn->handle, 1);
    assert_true(!told.chooses && told.n_accepts == 0 && told.n_declines == 0);
    conn->goim = goim_client_new("phone");
    assert_int_equal(goim_client_unsubscribe(conn->goim, (const uint8_t *)"7", 1), 0);
    ask(&conn->handle, 1);
    assert_true(!told.chooses && told.n_accepts == 0 && told.n_declines == 1 && told.op == 7);
    goim_client_accept_only(conn->goim, (const int32_t[]){1000, 1001}, 2);
    ask(&conn->handle, 1);
    assert_true(told.chooses && told.n_accepts == 2 && told.n_declines == 0 && told.op == 1000);
    struct question *question = question_new("", 1);
    question->handles[0] = conn->handle;
    question->n_ops = QUESTION_OPS_MAX - 1;
    asked_sessions_take(&fixture, question);
    assert_true(told.chooses && told.n_accepts == 1 && told.more_ops == 1);
    goim_client_free(conn->goim);
    conn->goim = NULL;
}

static void what_a_device_has_not_taken_is_told(void **state)
{
    (void)state;
    static char bytes[10000];
    struct conn *conn = visit(42);
    ask(&conn->handle, 1);
    uint64_t before = told.unsent; /* of the auth reply */
    conn_write(conn, &(struct iovec){bytes, sizeof bytes}, 1, TICKET_NONE);
    ask(&conn->handle, 1);
    assert_true(!conn_has_queued(conn) && told.unsent >= before + sizeof bytes); /* in the kernel */
    while (!conn_has_queued(conn))
        conn_write(conn, &(struct iovec){bytes, sizeof bytes}, 1, TICKET_NONE);
    uint64_t queued = conn->out->bytes;
    ask(&conn->handle, 1);
    assert_true(told.unsent >= before + sizeof bytes + queued);
}

static void an_answer_names_so_many_rooms(void **state)
{
    (void)state;
    struct conn *conn = visit(42);
    struct question *question = question_new("", 1);
    room_join(&fixture, conn, "a", 1);
    room_join_beside(&fixture, conn, "b", 1);
    question->handles[0] = conn->handle;
    question->n_rooms = QUESTION_ROOMS_MAX - 1;
    asked_sessions_take(&fixture, question);
    assert_true(told.n_rooms == 1 && told.more_rooms == 1);
}

/* Every second one of CLIENTS is in the room. */
static void fill(struct conn *conns[CLIENTS])
{
    for (int i = 0; i < CLIENTS; i++) {
        conns[i] = visit(i);
        if (i % 2 == 0)
            room_join_beside(&fixture, conns[i], "r", 1);
    }
}

/* Pages of 7, small room or large, while some leave, and others come into their slots. */
static void churn(void)
{
    struct conn *conns[CLIENTS];
    unsigned seen[CLIENTS] = {0};
    uint32_t after = 0;

    fill(conns);
    for (unsigned round = 0;; round++) {
        ask_page("r", after, 7);
        assert_true(told.n <= 7);
        for (size_t i = 0; i < told.n; i++) {
            const struct conn *conn = handle_table_find(fixture.table, told.handles[i]);
            assert_true((told.handles[i] & SLOT_MASK) >= after);
            assert_non_null(conn);
            if (conn != NULL && conn->uid < CLIENTS)
                seen[conn->uid]++;
        }
        if (!told.more)
            break;
        assert_true(told.after > after);
        after = told.after;
        struct conn *leaver = conns[round * 12 % CLIENTS];
        if (leaver != NULL)
            leave(leaver);
        conns[round * 12 % CLIENTS] = NULL;
        while (uv_run(&fixture.loop.uv, UV_RUN_NOWAIT) != 0 && fixture.sessions > CLIENTS)
            continue;
        room_join_beside(&fixture, visit(CLIENTS + round), "r", 1);
    }
    for (int i = 0; i < CLIENTS; i++) {
        if (conns[i] != NULL)
            assert_int_equal(seen[i], i % 2 == 0);
        else
            assert_in_range(seen[i], 0, 1);
    }
}

static void pages_of_a_small_room(void **state)
{
    (void)state;
    churn();
}

/* Few slots per turn, so that others have theirs between. */
static void pages_of_a_large_room(void **state)
{
    (void)state;
    room_pages_close(fixture.room_pages);
    fixture.room_pages = room_pages_open(&fixture, 10, 5);
    churn();
}

/* Its logic goes, and so does the room, while it is walked. */
static void a_walk_that_nobody_waits_for_ends(void **state)
{
    struct conn *conns[CLIENTS];
    struct question *question = question_new("r", 0);

    (void)state;
    room_pages_close(fixture.room_pages);
    fixture.room_pages = room_pages_open(&fixture, 10, 5);
    fill(conns);
    question->limit = 100;
    asked_sessions_take(&fixture, question);
    uv_run(&fixture.loop.uv, UV_RUN_NOWAIT);
    assert_int_equal(n_told, 0);
    question->of = NULL;
    while (n_told == 0)
        uv_run(&fixture.loop.uv, UV_RUN_NOWAIT);
    assert_true(told.n < 10 && !told.more);

    question = question_new("r", 0);
    question->limit = 100;
    asked_sessions_take(&fixture, question);
    uv_run(&fixture.loop.uv, UV_RUN_NOWAIT);
    for (int i = 0; i < CLIENTS; i++)
        rooms_leave(conns[i]);
    while (n_told == 1)
        uv_run(&fixture.loop.uv, UV_RUN_NOWAIT);
    assert_true(told.taken == 1 && !told.more);
}

static void a_room_that_nobody_is_in(void **state)
{
    (void)state;
    visit(1);
    ask_page("nobody", 0, 10);
    assert_true(told.taken == 1 && told.n == 0 && !told.more);
    ask_page("nobody", 1000000, 10);
    assert_true(told.taken == 1 && told.n == 0 && !told.more);
}

static void the_last_page_is_the_last(void **state)
{
    (void)state;
    struct conn *a = visit(1), *b = visit(2);
    room_join(&fixture, a, "r", 1);
    room_join(&fixture, b, "r", 1);
    ask_page("r", 0, 2);
    assert_true(told.n == 2 && !told.more);
    ask_page("r", 0, 1);
    assert_true(told.n == 1 && told.more && told.after == (b->handle & SLOT_MASK));
    ask_page("r", told.after, 1);
    assert_true(told.n == 1 && !told.more && told.handles[0] == b->handle);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_session_is_told_with_its_rooms),
        TEST(who_is_gone_or_of_another_user_is_left_out),
        TEST(what_a_session_has_chosen_is_told),
        TEST(what_a_device_has_not_taken_is_told),
        TEST(an_answer_names_so_many_rooms),
        TEST(pages_of_a_small_room),
        TEST(pages_of_a_large_room),
        TEST(a_walk_that_nobody_waits_for_ends),
        TEST(a_room_that_nobody_is_in),
        TEST(the_last_page_is_the_last),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
