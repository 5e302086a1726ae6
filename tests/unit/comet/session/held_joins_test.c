/* Replies to joins that wait until jobs know of the room, and what the client sends meanwhile. */
#include "comet/fanout/room_claims.h"
#include "comet/session/held_joins.h"
#include "tests/unit/lib/frontend_fixture.h"

static uint64_t posted;
static struct conn *admitted;
static bool said_hello;

static void on_post(struct worker *worker, struct claims_post *post)
{
    (void)worker;
    posted = post->number;
    free(post);
}

static int setup(void **state)
{
    fixture_setup(state);
    fixture_config.rooms_linger_ms = 30000;
    room_claims_open(&fixture, on_post, held_joins_known);
    held_joins_open(&fixture);
    posted = 0;
    admitted = NULL;
    return 0;
}

static int teardown(void **state)
{
    fixture_teardown(state);
    assert_int_equal(fixture_counters[COMET_JOINS_WAITING], 0);
    return 0;
}

static void jobs_know(uint64_t number)
{
    room_claims_release(&fixture, number, false);
}

static bool comes(int fd)
{
    uint8_t byte;
    for (int i = 0; i < 20; i++) {
        step();
        if (recv(fd, &byte, 1, MSG_DONTWAIT | MSG_PEEK) == 1)
            return true;
    }
    return false;
}

static void expect(int fd, int32_t op, int32_t seq)
{
    struct frame frame = {0};
    char body[64];
    assert_int_equal(client_read_frame(fd, &frame, body, sizeof body), op);
    assert_int_equal(frame.seq, seq);
}

static uint8_t *put(uint8_t *at, int32_t op, int32_t seq, const char *body)
{
    size_t len = strlen(body);
    frame_header(at, 1, op, seq, len);
    memcpy(at + FRAME_HEADER, body, len); /* NOLINT(bugprone-not-null-terminated-result) */
    return at + FRAME_HEADER + len;
}

static void a_join_is_answered_when_jobs_know(void **state)
{
    (void)state;
    int fd = client_login();
    client_send_frame(fd, OP_JOIN, 5, "a,b");
    assert_int_equal(members_of("a"), 0); /* beside the main one: it is in it, and not yet told */
    assert_int_equal(fixture_counters[COMET_ROOMS], 2);
    assert_false(comes(fd));
    assert_int_equal(posted, 1);
    assert_int_equal(fixture_counters[COMET_JOINS_WAITING], 1);
    clock_move(20);
    step();
    jobs_know(1);
    expect(fd, OP_JOIN_REPLY, 5);
    assert_int_equal(fixture_counters[COMET_JOINS_HELD], 1);
    assert_int_equal(fixture_counters[COMET_JOINS_HELD_MS], 20);
    client_send_frame(fd, OP_JOIN, 6, "b,a"); /* they are known */
    expect(fd, OP_JOIN_REPLY, 6);
    assert_int_equal(fixture_counters[COMET_JOINS_HELD], 1);
    close(fd);
}

static void others_in_a_known_room_wait_for_nothing(void **state)
{
    (void)state;
    int first = client_login(), second = client_login();
    client_send_frame(first, OP_JOIN, 1, "a");
    client_send_frame(second, OP_JOIN, 2, "a"); /* not known yet */
    assert_false(comes(first) || comes(second));
    jobs_know(1);
    expect(first, OP_JOIN_REPLY, 1);
    expect(second, OP_JOIN_REPLY, 2);
    client_send_frame(first, OP_LEAVE, 3, "a");
    expect(first, OP_LEAVE_REPLY, 3);
    client_send_frame(second, OP_LEAVE, 4, "a");
    expect(second, OP_LEAVE_REPLY, 4);
    client_send_frame(first, OP_JOIN, 5, "a"); /* it lingers */
    expect(first, OP_JOIN_REPLY, 5);
    assert_int_equal(posted, 1);
    close(first);
    close(second);
}

/* All of it came in one read: what is behind the join waits with it, and so the order stays. */
static void what_is_sent_behind_a_join_waits(void **state)
{
    (void)state;
    uint8_t bytes[3 * FRAME_HEADER + 2], *at = bytes;
    int fd = client_login();
    at = put(at, OP_JOIN, 1, "a");
    at = put(at, OP_LEAVE, 2, "a");
    put(at, OP_HEARTBEAT, 3, "");
    client_send(fd, bytes, sizeof bytes);
    assert_false(comes(fd));
    assert_int_equal(fixture_counters[COMET_ROOMS], 1);
    client_send_frame(fd, OP_TEST, 4, ""); /* the kernel keeps it */
    assert_false(comes(fd));
    jobs_know(1);
    expect(fd, OP_JOIN_REPLY, 1);
    expect(fd, OP_LEAVE_REPLY, 2);
    expect(fd, OP_HEARTBEAT_REPLY, 3);
    expect(fd, OP_TEST_REPLY, 4);
    assert_int_equal(fixture_counters[COMET_ROOMS], 0);
    close(fd);
}

/* As much as one read takes, and the next read finds the rest of it in the buffer. */
static void a_full_buffer_behind_a_join_waits(void **state)
{
    (void)state;
    enum { FRAMES = 20000, MOST = FRAMES * FRAME_HEADER };
    static uint8_t bytes[MOST + FRAME_HEADER + 1];
    uint8_t *at = put(bytes, OP_JOIN, 0, "a");
    int fd = client_login(), seq = 0;
    size_t sent = 0;
    for (int i = 1; i <= FRAMES; i++)
        at = put(at, OP_HEARTBEAT, i, "");
    size_t len = (size_t)(at - bytes);
    while (sent < len) {
        ssize_t n = send(fd, bytes + sent, len - sent, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n <= 0)
            break;
        sent += (size_t)n;
        step();
    }
    assert_false(comes(fd));
    jobs_know(1);
    expect(fd, OP_JOIN_REPLY, 0);
    for (size_t left = len - sent; left > 0;) {
        ssize_t n = send(fd, bytes + len - left, left, MSG_DONTWAIT | MSG_NOSIGNAL);
        left -= n > 0 ? (size_t)n : 0;
        expect(fd, OP_HEARTBEAT_REPLY, ++seq);
    }
    while (seq < FRAMES)
        expect(fd, OP_HEARTBEAT_REPLY, ++seq);
    close(fd);
}

static void websocket_waits_as_well(void **state)
{
    (void)state;
    char body[256];
    size_t len;
    int fd = client_upgrade(LISTENER_WS);
    client_send_text(fd, "{\"ver\":1,\"op\":7,\"seq\":1,\"body\":\"token\"}");
    assert_true(client_read_ws(fd, body, sizeof body, &len) > 0);
    client_send_text(fd, "{\"ver\":1,\"op\":20,\"seq\":2,\"body\":\"a\"}");
    client_send_text(fd, "{\"ver\":1,\"op\":2,\"seq\":3}");
    assert_false(comes(fd));
    jobs_know(1);
    assert_true(client_read_ws(fd, body, sizeof body, &len) > 0);
    assert_non_null(strstr(body, "\"op\":21"));
    if (strstr(body, "\"op\":3") == NULL)
        assert_true(client_read_ws(fd, body, sizeof body, &len) > 0);
    assert_non_null(strstr(body, "\"op\":3"));
    close(fd);
}

static void who_leaves_meanwhile_gets_nothing(void **state)
{
    (void)state;
    int gone = client_login(), kicked = client_login();
    uint8_t all[512];
    client_send_frame(gone, OP_JOIN, 1, "a");
    client_send_frame(kicked, OP_JOIN, 2, "b");
    conn_kick(session_notes.last, CLOSE_GOING_AWAY, "gone");
    close(gone);
    step_until(frontend_connections(&fixture) == 1);
    jobs_know(1);
    jobs_know(posted);
    size_t len = 0;
    shutdown(kicked, SHUT_WR);
    len = client_read_all(kicked, all, sizeof all);
    assert_true(len > FRAME_HEADER && all[11] == OP_DISCONNECT);
    assert_int_equal(fixture_counters[COMET_JOINS_HELD], 2);
    close(kicked);
}

/* What was held is handled while the connection closes, and nothing of it is answered. */
static void a_kick_with_input_that_waits(void **state)
{
    (void)state;
    uint8_t bytes[2 * FRAME_HEADER + 1], all[512];
    int fd = client_login();
    put(put(bytes, OP_JOIN, 1, "a"), OP_HEARTBEAT, 2, "");
    client_send(fd, bytes, sizeof bytes);
    conn_kick(session_notes.last, CLOSE_GOING_AWAY, "gone");
    client_send(fd, bytes, sizeof bytes);
    shutdown(fd, SHUT_WR);
    size_t len = client_read_all(fd, all, sizeof all);
    assert_true(len != SIZE_MAX && len > FRAME_HEADER && all[11] == OP_DISCONNECT);
    close(fd);
}

static void on_admit(struct conn *conn, bool hello)
{
    admitted = conn;
    said_hello = hello;
    conn_opened(conn);
}

static void an_admission_waits(void **state)
{
    (void)state;
    session_notes.hold = true;
    int fd = client_connect(LISTENER_TCP);
    client_send_frame(fd, OP_AUTH, 1, "token");
    struct conn *conn = session_notes.last;
    held_joins_admit(conn, on_admit, true); /* in no room */
    assert_ptr_equal(admitted, conn);
    assert_true(said_hello);
    close(fd);
    fd = client_connect(LISTENER_TCP);
    client_send_frame(fd, OP_AUTH, 1, "token");
    conn = session_notes.last;
    admitted = NULL;
    room_join(&fixture, conn, "a", 1);
    held_joins_admit(conn, on_admit, false);
    step();
    assert_null(admitted);
    room_claims_release(&fixture, posted, true);
    assert_ptr_equal(admitted, conn);
    assert_false(said_hello);
    assert_int_equal(fixture_counters[COMET_JOINS_OUTWAITED], 1);
    close(fd);
}

/* Logic has admitted it. What it waits for now has an end of its own. */
static void an_admission_that_waits_is_not_late(void **state)
{
    (void)state;
    session_notes.hold = true;
    int fd = client_connect(LISTENER_TCP), other = client_connect(LISTENER_TCP);
    client_send_frame(fd, OP_AUTH, 1, "token");
    struct conn *conn = session_notes.last;
    client_send_frame(other, OP_AUTH, 1, "token"); /* logic does not answer it */
    room_join(&fixture, conn, "a", 1);
    held_joins_admit(conn, on_admit, false);
    for (int i = 0; i < 2; i++) {
        clock_move((uint64_t)fixture_config.handshake_ms + 500);
        assert_false(comes(fd));
    }
    struct frame frame;
    char body[128];
    assert_int_equal(client_read_frame(other, &frame, body, sizeof body), OP_DISCONNECT);
    assert_non_null(strstr(body, "did not answer in time"));
    jobs_know(posted);
    assert_ptr_equal(admitted, conn);
    client_send_frame(fd, OP_TEST, 4, "");
    expect(fd, OP_TEST_REPLY, 4);
    close(fd);
    close(other);
}

#define held_test(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        held_test(a_join_is_answered_when_jobs_know),
        held_test(others_in_a_known_room_wait_for_nothing),
        held_test(what_is_sent_behind_a_join_waits),
        held_test(a_full_buffer_behind_a_join_waits),
        held_test(websocket_waits_as_well),
        held_test(who_leaves_meanwhile_gets_nothing),
        held_test(a_kick_with_input_that_waits),
        held_test(an_admission_waits),
        held_test(an_admission_that_waits_is_not_late),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
