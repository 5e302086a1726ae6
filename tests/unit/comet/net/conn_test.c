/* Connections over real sockets: state machine, verbs, reasons, deadlines. */
#include "tests/unit/lib/frontend_fixture.h"

static void a_client_logs_in_and_beats(void **state)
{
    (void)state;
    /* Byte for byte what imgo's documents show. */
    static const uint8_t auth[] = "\0\0\0\x15\0\x10\0\x01\0\0\0\x07\0\0\0\x4dtoken";
    static const uint8_t reply[] = "\0\0\0\x10\0\x10\0\x01\0\0\0\x08\0\0\0\x4d";
    uint8_t bytes[32];
    int fd = client_connect(LISTENER_TCP);
    client_send(fd, auth, sizeof auth - 1);
    assert_true(client_read(fd, bytes, 16));
    assert_memory_equal(bytes, reply, 16);
    assert_string_equal(session_notes.token, "token");
    assert_int_equal(session_notes.last->state, CONN_OPEN);

    struct frame frame;
    char body[64];
    client_send_frame(fd, OP_HEARTBEAT, 5, "any body at all");
    assert_int_equal(client_read_frame(fd, &frame, body, sizeof body), OP_HEARTBEAT_REPLY);
    assert_int_equal(frame.seq, 5);
    assert_int_equal(frame.version, 1);
    assert_int_equal(frame.body_len, 0);
    client_send_frame(fd, OP_TEST, 6, "");
    assert_int_equal(client_read_frame(fd, &frame, body, sizeof body), OP_TEST_REPLY);
    assert_string_equal(body, "{\"test\":\"come on\"}");
    client_send_frame(fd, OP_SEND, 7, "to the business");
    assert_int_equal(client_read_frame(fd, &frame, body, sizeof body), OP_SEND_REPLY);
    assert_int_equal(frame.body_len, 0);
    assert_int_equal(fixture_counters[COMET_UPSTREAM_UNHANDLED], 1);
    close(fd);
    step_until(session_notes.closed == 1);
    assert_int_equal(frontend_connections(&fixture), 0);
    assert_int_equal(fixture_counters[COMET_CLOSED_BY_PEER], 1);
}

static void accepted_sockets_have_nodelay(void **state)
{
    (void)state;
    int fd = client_login(), on = 0;
    socklen_t len = sizeof on;
    assert_int_equal(getsockopt(session_notes.last->fd, IPPROTO_TCP, TCP_NODELAY, &on, &len), 0);
    assert_true(on != 0);
    close(fd);
}

static void quotes_around_a_token_are_trimmed(void **state)
{
    (void)state;
    int fd = client_connect(LISTENER_TCP);
    client_send_frame(fd, OP_AUTH, 1, "\"abc\"");
    assert_string_equal(session_notes.token, "abc");
    close(fd);
}

/* Sends one frame to a fresh (or logged in) connection and expects operation 6 with CODE and
 * REASON, then the end. */
static void expect_kick(int fd, int code, const char *reason)
{
    char expected[256], body[512];
    struct frame frame;
    assert_int_equal(client_read_frame(fd, &frame, body, sizeof body), OP_DISCONNECT);
    (void)snprintf(expected, sizeof expected, "{\"code\":%d,\"reason\":\"%s\"}", code, reason);
    assert_string_equal(body, expected);
    assert_int_equal(client_read_all(fd, body, sizeof body), 0);
    assert_int_equal(fixture_counters[COMET_KICKED_1 + code - 1], 1);
    fixture_counters[COMET_KICKED_1 + code - 1] = 0;
    close(fd);
    step_until(frontend_connections(&fixture) == 0);
}

static void wrong_frames_get_a_reason(void **state)
{
    (void)state;
    static const struct {
        bool login;
        const char *bytes;
        size_t len;
        int code;
        const char *reason;
    } cases[] = {
        {false, "\0\0\0\x10\0\x10\0\1\0\0\0\2\0\0\0\0", 16, 3,
         "operation 2 before auth (operation 7)"},
        {false, "\0\0\0\x10\0\x10\0\1\0\0\0\x63\0\0\0\0", 16, 3,
         "operation 99 before auth (operation 7)"},
        {false, "\0\0\0\x10\0\x11\0\1\0\0\0\7\0\0\0\0", 16, 3,
         "malformed frame: header length must be 16, packet length at least 16"},
        {false, "\0\0\0\x0f\0\x10\0\1\0\0\0\7\0\0\0\0", 16, 3,
         "malformed frame: header length must be 16, packet length at least 16"},
        {false, "\0\0\x10\x11\0\x10\0\1\0\0\0\7\0\0\0\0", 16, 4, "body longer than 4096 bytes"},
        {false, "\xff\xff\xff\xff\0\x10\0\1\0\0\0\7\0\0\0\0", 16, 4, "body longer than 4096 bytes"},
        {false, "\0\0\0\x10\0\x10\0\1\0\0\0\7\0\0\0\0", 16, 3,
         "auth: the body must be a token string"},
        {false, "\0\0\0\x12\0\x10\0\1\0\0\0\7\0\0\0\0\"\"", 18, 3,
         "auth: the body must be a token string"},
        {true, "\0\0\0\x10\0\x10\0\1\0\0\0\7\0\0\0\0", 16, 3,
         "auth: the body must be a token string"},
        {true, "\0\0\0\x12\0\x10\0\1\0\0\0\7\0\0\0\0{}", 18, 3,
         "auth: an object is goim's; here send a token string"},
        {true, "\0\0\0\x10\0\x10\0\1\0\0\0\x0c\0\0\0\0", 16, 13, "unknown operation 12"},
        {true, "\0\0\0\x10\0\x10\0\1\xff\xff\xff\xff\0\0\0\0", 16, 13, "unknown operation -1"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int fd = cases[i].login ? client_login() : client_connect(LISTENER_TCP);
        client_send(fd, cases[i].bytes, cases[i].len);
        expect_kick(fd, cases[i].code, cases[i].reason);
    }
}

static void a_body_at_the_limit_is_taken(void **state)
{
    (void)state;
    uint8_t bytes[FRAME_HEADER + 4096];
    char body[64];
    struct frame frame;
    int fd = client_login();
    memset(bytes, 'x', sizeof bytes);
    frame_header(bytes, 1, OP_HEARTBEAT, 1, 4096);
    client_send(fd, bytes, sizeof bytes);
    assert_int_equal(client_read_frame(fd, &frame, body, sizeof body), OP_HEARTBEAT_REPLY);
    close(fd);
}

static void what_follows_a_kick_is_ignored(void **state)
{
    (void)state;
    uint8_t bytes[3 * FRAME_HEADER];
    int fd = client_login();
    frame_header(bytes, 1, 99, 1, 0);
    frame_header(bytes + FRAME_HEADER, 1, OP_HEARTBEAT, 2, 0);
    frame_header(bytes + 2 * FRAME_HEADER, 1, OP_HEARTBEAT, 3, 0);
    client_send(fd, bytes, sizeof bytes);
    client_send(fd, bytes, sizeof bytes);
    expect_kick(fd, 13, "unknown operation 99");
}

static void a_hundred_heartbeats_in_one_write_are_answered(void **state)
{
    (void)state;
    uint8_t bytes[100 * FRAME_HEADER];
    struct frame frame;
    char body[8];
    int fd = client_login();
    for (int i = 0; i < 100; i++)
        frame_header(bytes + i * FRAME_HEADER, 1, OP_HEARTBEAT, i, 0);
    int64_t writes = fixture_counters[COMET_WRITES];
    client_send(fd, bytes, sizeof bytes);
    assert_int_equal(fixture_counters[COMET_WRITES], writes + 1);
    for (int i = 0; i < 100; i++) {
        assert_int_equal(client_read_frame(fd, &frame, body, sizeof body), OP_HEARTBEAT_REPLY);
        assert_int_equal(frame.seq, i);
    }
    close(fd);
}

static void replies_before_a_kick_are_sent_before_it(void **state)
{
    (void)state;
    uint8_t bytes[2 * FRAME_HEADER];
    struct frame frame;
    char body[8];
    int fd = client_login();
    frame_header(bytes, 1, OP_HEARTBEAT, 1, 0);
    frame_header(bytes + FRAME_HEADER, 1, 99, 2, 0);
    client_send(fd, bytes, sizeof bytes);
    assert_int_equal(client_read_frame(fd, &frame, body, sizeof body), OP_HEARTBEAT_REPLY);
    expect_kick(fd, 13, "unknown operation 99");
}

static void a_frame_may_come_byte_by_byte(void **state)
{
    (void)state;
    uint8_t bytes[FRAME_HEADER + 5];
    struct frame frame;
    char body[8];
    int fd = client_connect(LISTENER_TCP);
    frame_header(bytes, 1, OP_AUTH, 9, 5);
    memcpy(bytes + FRAME_HEADER, "token", 5);
    for (size_t i = 0; i < sizeof bytes; i++)
        client_send(fd, bytes + i, 1);
    assert_int_equal(client_read_frame(fd, &frame, body, sizeof body), OP_AUTH_REPLY);
    assert_null(session_notes.last->in);
    close(fd);
}

static void frames_sent_while_connecting_wait(void **state)
{
    (void)state;
    uint8_t bytes[FRAME_HEADER * 2 + 5];
    struct frame frame;
    char body[8];
    session_notes.hold = true;
    int fd = client_connect(LISTENER_TCP);
    frame_header(bytes, 1, OP_AUTH, 9, 5);
    memcpy(bytes + FRAME_HEADER, "token", 5);
    frame_header(bytes + FRAME_HEADER + 5, 1, OP_HEARTBEAT, 10, 0);
    client_send(fd, bytes, sizeof bytes); /* one right behind the auth */
    step_for(10);
    assert_int_equal(session_notes.last->state, CONN_CONNECTING);
    client_send_frame(fd, OP_HEARTBEAT, 11, "x"); /* one in a write of its own */
    step_for(10);
    assert_true(recv(fd, body, 1, MSG_DONTWAIT) < 0);
    assert_true(session_notes.last->paused);
    conn_opened(session_notes.last);
    conn_reply(session_notes.last, 1, OP_AUTH_REPLY, 9, NULL, 0);
    assert_int_equal(client_read_frame(fd, &frame, body, sizeof body), OP_AUTH_REPLY);
    assert_int_equal(client_read_frame(fd, &frame, body, sizeof body), OP_HEARTBEAT_REPLY);
    assert_int_equal(frame.seq, 10);
    assert_int_equal(client_read_frame(fd, &frame, body, sizeof body), OP_HEARTBEAT_REPLY);
    assert_int_equal(frame.seq, 11);
    close(fd);
}

static void a_client_that_leaves_while_connecting_is_noticed(void **state)
{
    (void)state;
    session_notes.hold = true;
    for (int i = 0; i < 2; i++) {
        int fd = client_connect(LISTENER_TCP);
        client_send_frame(fd, OP_AUTH, 1, "token");
        if (i == 1)
            client_send_frame(fd, OP_HEARTBEAT, 1, ""); /* paused */
        close(fd);
        step_until(session_notes.closed == i + 1);
        assert_int_equal(frontend_connections(&fixture), 0);
    }
}

static void kick_is_idempotent_and_survives_no_reader(void **state)
{
    (void)state;
    int fd = client_login();
    struct conn *conn = session_notes.last;
    conn_kick(conn, CLOSE_KICKED, "enough");
    conn_kick(conn, CLOSE_REPLACED, "again");
    assert_int_equal(conn->state, CONN_CLOSING);
    expect_kick(fd, 7, "enough");
    assert_int_equal(fixture_counters[COMET_KICKED_5], 0);
    assert_int_equal(session_notes.closed, 1);
}

static void a_reason_is_escaped(void **state)
{
    (void)state;
    int fd = client_login();
    conn_kick(session_notes.last, CLOSE_KICKED, "a \"quote\"");
    expect_kick(fd, 7, "a \\\"quote\\\"");
}

/* --- deadlines --- */

enum {
    DEADLINE_TICK_MS = 100, /* a deadline passes within one after it is due */
    HEARD_MS = 256,         /* so exactly is known when a client was last heard */
};

static int short_deadlines(void **state)
{
    (void)state;
    fixture_defaults();
    fixture_config.handshake_ms = 200;
    fixture_config.heartbeat_ms = 600;
    fixture_config.linger_ms = 300;
    return fixture_open();
}

static void expect_nothing_for(int fd, unsigned ms)
{
    char byte;
    step_for(ms);
    assert_true(recv(fd, &byte, 1, MSG_DONTWAIT) < 0 && errno == EAGAIN);
}

static void silence_and_half_an_auth_time_out(void **state)
{
    (void)state;
    int silent = client_connect(LISTENER_TCP);
    expect_nothing_for(silent, 199);
    step_for(1 + DEADLINE_TICK_MS);
    expect_kick(silent, 2, "no auth (operation 7) in time");
    int half = client_connect(LISTENER_TCP);
    client_send(half, "\0\0\0\x15\0\x10", 6);
    expect_nothing_for(half, 199);
    step_for(1 + DEADLINE_TICK_MS);
    expect_kick(half, 2, "no auth (operation 7) in time");
    session_notes.hold = true;
    int connecting = client_connect(LISTENER_TCP);
    client_send_frame(connecting, OP_AUTH, 1, "token");
    expect_nothing_for(connecting, 199);
    step_for(1 + DEADLINE_TICK_MS);
    expect_kick(connecting, 2, "the service did not answer in time");
}

static void a_slow_http_request_times_out(void **state)
{
    (void)state;
    char text[512];
    int fd = client_connect(LISTENER_WS);
    client_send(fd, "GET /sub HTTP/1.1\r\nHo", 21);
    expect_nothing_for(fd, 199);
    step_for(1 + DEADLINE_TICK_MS);
    size_t len = client_read_all(fd, text, sizeof text - 1);
    assert_true(len < sizeof text);
    text[len] = '\0';
    assert_int_equal(strncmp(text, "HTTP/1.1 408 Request Timeout\r\n", 30), 0);
    assert_int_equal(fixture_counters[COMET_HTTP_REFUSED], 1);
    close(fd);
}

static void heartbeats_keep_a_session_and_their_absence_ends_it(void **state)
{
    (void)state;
    struct frame frame;
    char body[8];
    int fd = client_login();
    for (int i = 0; i < 4; i++) {
        step_for(300);
        client_send_frame(fd, OP_HEARTBEAT, i, "");
        assert_int_equal(client_read_frame(fd, &frame, body, sizeof body), OP_HEARTBEAT_REPLY);
    }
    expect_nothing_for(fd, 599);
    step_for(1 + 2 * HEARD_MS + 2 * DEADLINE_TICK_MS);
    expect_kick(fd, 11, "no heartbeat for 600 ms");
}

static void a_peer_that_does_not_close_is_closed_after_linger(void **state)
{
    (void)state;
    int fd = client_login();
    conn_kick(session_notes.last, CLOSE_KICKED, "enough");
    step_for(299);
    assert_int_equal(frontend_connections(&fixture), 1);
    step_for(1 + DEADLINE_TICK_MS);
    assert_int_equal(frontend_connections(&fixture), 0);
    close(fd);
}

/* Sends pieces of PIECE bytes until we hang up. Returns how many bytes the client got rid of. */
static size_t send_on(int fd, size_t piece)
{
    static char bytes[65536];
    size_t sent = 0;
    while (frontend_connections(&fixture) > 0) {
        ssize_t n = send(fd, bytes, piece, MSG_DONTWAIT | MSG_NOSIGNAL);
        int unsent = n > 0;
        sent += n > 0 ? (size_t)n : 0;
        assert_in_range(sent, 0, 64 << 20);
        do /* a busy kernel hands over later: pieces must not gather meanwhile */
            step();
        while (piece == 1 && frontend_connections(&fixture) > 0 && unsent > 0 &&
               ioctl(fd, SIOCOUTQ, &unsent) == 0);
    }
    close(fd);
    return sent;
}

static void who_sends_on_after_our_last_words_is_not_read_for_ever(void **state)
{
    (void)state;
    enum { ENOUGH = FRONTEND_LINGER_KIB * 1024, IN_SOCKETS = 16 << 20 };
    fixture_config.linger_ms = 60000;
    int fd = client_login();
    conn_kick(session_notes.last, CLOSE_KICKED, "enough");
    assert_in_range(send_on(fd, 65536), ENOUGH, ENOUGH + IN_SOCKETS);
    fd = client_login();
    conn_kick(session_notes.last, CLOSE_KICKED, "enough");
    assert_in_range(send_on(fd, 1), FRONTEND_LINGER_KIB,
                    ENOUGH / 4); /* small pieces cost as much */
    fd = client_connect(LISTENER_WS);
    client_send(fd, "nonsense", 8);
    assert_in_range(send_on(fd, 65536), 1, ENOUGH + IN_SOCKETS);
}

/* --- accepting --- */

static int two_connections_only(void **state)
{
    (void)state;
    fixture_defaults();
    fixture_config.most_clients = 2;
    return fixture_open();
}

static void beyond_the_limit_connections_are_refused(void **state)
{
    (void)state;
    char byte;
    int a = client_login(), b = client_login(), c = client_connect(LISTENER_TCP);
    ssize_t n;
    step_until((n = recv(c, &byte, 1, MSG_DONTWAIT)) >= 0 || errno != EAGAIN);
    assert_true(n == 0 || (n < 0 && errno == ECONNRESET));
    assert_int_equal(fixture_counters[COMET_REFUSED_FULL], 1);
    close(c);
    close(a);
    step_until(frontend_connections(&fixture) == 1);
    c = client_login(); /* there is room again */
    close(b);
    close(c);
}

static void running_out_of_files_refuses_and_does_not_spin(void **state)
{
    (void)state;
    static int hogs[20000];
    int n = 0, client = socket(AF_INET, SOCK_STREAM, 0), fd;
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    to.sin_port = htons((uint16_t)listeners_port(fixture.frontend, LISTENER_TCP));
    while (n < 20000 && (fd = dup(client)) >= 0)
        hogs[n++] = fd;
    bool ran_out = n < 20000;
    assert_int_equal(connect(client, (struct sockaddr *)&to, sizeof to), 0);
    if (ran_out)
        step_until(fixture_counters[COMET_REFUSED_FULL] > 0);
    step_for(20);
    for (int i = 0; i < n; i++)
        close(hogs[i]);
    if (ran_out)
        assert_int_equal(fixture_counters[COMET_REFUSED_FULL], 1);
    close(client);
    close(client_login());
}

static void a_port_in_use_is_explained(void **state)
{
    (void)state;
    char err[256], address[32];
    struct worker other = {.config = &fixture_config, .counters = fixture_counters};
    (void)snprintf(address, sizeof address, "127.0.0.1:%d",
                   listeners_port(fixture.frontend, LISTENER_TCP));
    fixture_config.tcp_listen = address;
    assert_int_equal(loop_init(&other.loop, "other", 0), 0);
    other.table = handle_table_open(0);
    assert_int_equal(frontend_open(&other, &fixture_events, err, sizeof err), -EADDRINUSE);
    assert_non_null(strstr(err, address));
    assert_non_null(strstr(err, "choose another port"));
    assert_null(other.frontend);
    loop_close(&other.loop);
    handle_table_close(other.table);
}

int main(void)
{
#define FRONTEND_TEST(test) cmocka_unit_test_setup_teardown(test, fixture_setup, fixture_teardown)
#define SHORT_TEST(test)    cmocka_unit_test_setup_teardown(test, short_deadlines, fixture_teardown)
    const struct CMUnitTest tests[] = {
        FRONTEND_TEST(a_client_logs_in_and_beats),
        FRONTEND_TEST(accepted_sockets_have_nodelay),
        FRONTEND_TEST(quotes_around_a_token_are_trimmed),
        FRONTEND_TEST(wrong_frames_get_a_reason),
        FRONTEND_TEST(a_body_at_the_limit_is_taken),
        FRONTEND_TEST(what_follows_a_kick_is_ignored),
        FRONTEND_TEST(a_hundred_heartbeats_in_one_write_are_answered),
        FRONTEND_TEST(replies_before_a_kick_are_sent_before_it),
        FRONTEND_TEST(a_frame_may_come_byte_by_byte),
        FRONTEND_TEST(frames_sent_while_connecting_wait),
        FRONTEND_TEST(a_client_that_leaves_while_connecting_is_noticed),
        FRONTEND_TEST(kick_is_idempotent_and_survives_no_reader),
        FRONTEND_TEST(a_reason_is_escaped),
        SHORT_TEST(silence_and_half_an_auth_time_out),
        SHORT_TEST(a_slow_http_request_times_out),
        SHORT_TEST(heartbeats_keep_a_session_and_their_absence_ends_it),
        SHORT_TEST(a_peer_that_does_not_close_is_closed_after_linger),
        SHORT_TEST(who_sends_on_after_our_last_words_is_not_read_for_ever),
        cmocka_unit_test_setup_teardown(beyond_the_limit_connections_are_refused,
                                        two_connections_only, fixture_teardown),
        FRONTEND_TEST(running_out_of_files_refuses_and_does_not_spin),
        FRONTEND_TEST(a_port_in_use_is_explained),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
