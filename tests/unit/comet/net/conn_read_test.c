/* WebSocket connections over real sockets: JSON mode, control frames, violations, close handshakes.
 */
#include "tests/unit/lib/frontend_fixture.h"

#include "tests/unit/lib/freed.h"

static char text[70000];
static size_t text_len;

static void expect_ws(int fd, int first, const char *expected)
{
    assert_int_equal(client_read_ws(fd, text, sizeof text, &text_len), first);
    assert_string_equal(text, expected);
}

/* A close frame with CODE and REASON, then the end of the stream. */
static void expect_close(int fd, int code, const char *reason)
{
    assert_int_equal(client_read_ws(fd, text, sizeof text, &text_len), 0x88);
    if (code == 0) {
        assert_int_equal(text_len, 0);
    } else {
        assert_int_equal((uint8_t)text[0] << 8 | (uint8_t)text[1], code);
        assert_string_equal(text + 2, reason);
    }
}

static void expect_end(int fd)
{
    assert_int_equal(client_read_all(fd, text, sizeof text), 0);
    close(fd);
    step_until(frontend_connections(&fixture) == 0);
}

static int json_login(void)
{
    int fd = client_upgrade(LISTENER_WS);
    client_send_text(fd, "{\"ver\":1,\"op\":7,\"seq\":77,\"body\":\"token\"}");
    expect_ws(fd, 0x81, "[{\"ver\":1,\"op\":8,\"seq\":77,\"body\":{}}]");
    return fd;
}

static void json_mode_answers_as_imgo(void **state)
{
    (void)state;
    int fd = json_login();
    assert_string_equal(session_notes.token, "token");
    client_send_text(fd, "{\"ver\":1,\"op\":2,\"seq\":78,\"body\":{}}");
    expect_ws(fd, 0x81, "[{\"ver\":1,\"op\":3,\"seq\":78,\"body\":{}}]");
    client_send_ws(fd, 0x82, "{\"op\":254}", 10); /* JSON in a binary message */
    expect_ws(fd, 0x81, "[{\"ver\":0,\"op\":255,\"seq\":0,\"body\":{\"test\":\"come on\"}}]");
    client_send_text(fd, "{\"ver\":1,\"op\":4,\"seq\":5,\"body\":\"hi\"}");
    expect_ws(fd, 0x81, "[{\"ver\":1,\"op\":5,\"seq\":5,\"body\":{}}]");
    assert_null(session_notes.last->ws);
    assert_null(session_notes.last->in);
    close(fd);
}

static void a_token_is_overwritten(void **state)
{
    (void)state;
    static const char auth[] = "{\"op\":7,\"body\":\"" FREED_SECRET "\"}";
    freed_watch(true);
    int fd = client_upgrade(LISTENER_WS);
    client_send_ws(fd, 0x01, auth, sizeof auth - 3); /* the token, and not all of the message */
    client_send_ws(fd, 0x80, auth + sizeof auth - 3, 2);
    expect_ws(fd, 0x81, "[{\"ver\":0,\"op\":8,\"seq\":0,\"body\":{}}]");
    const struct frontend *frontend = conn_frontend(session_notes.last);
    assert_null(memmem(frontend->in, frontend->in_ahead + FRONTEND_READ, FREED_SECRET,
                       sizeof FREED_SECRET - 1));
    assert_int_equal(freed_end(), 0);
    close(fd);
}

static void json_login_by_a_binary_message(void **state)
{
    (void)state;
    static const char auth[] = " {\"op\":7,\"body\":\"t\"}";
    int fd = client_upgrade(LISTENER_WS);
    client_send_ws(fd, 0x82, auth, sizeof auth - 1);
    expect_ws(fd, 0x81, "[{\"ver\":0,\"op\":8,\"seq\":0,\"body\":{}}]");
    close(fd);
}

static void json_kicks_name_what_is_wrong(void **state)
{
    (void)state;
    static const struct {
        bool login;
        const char *sent;
        int code;
        const char *reason;
    } cases[] = {
        {false, "{\"op\":2}", 3, "operation 2 before auth (operation 7)"},
        {false, "{\"op\":7}", 3, "auth: the body must be a token string"},
        {false, "{\"op\":7,\"body\":7}", 3, "auth: the body must be a token string"},
        {false, "{\"op\":7,\"body\":{\"mid\":99999999999999999999}}", 3,
         "auth: a number in the object has more than 64 bits"},
        {true, "{\"op\":18,\"seq\":1}", 13, "unknown operation 18"},
        {true, "[{\"op\":2}]", 3, "JSON: one object a message is expected, not an array"},
        {true, "{\"op\":true}", 3,
         "JSON: op must be a whole number from -2147483648 to 2147483647"},
        {true, "{\"op\":99}", 13, "unknown operation 99"},
        {true, "{\"op\":7}", 3, "auth: the body must be a token string"},
    };
    char expected[512];
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int fd = cases[i].login ? json_login() : client_upgrade(LISTENER_WS);
        client_send_text(fd, cases[i].sent);
        (void)snprintf(expected, sizeof expected,
                       "[{\"ver\":1,\"op\":6,\"seq\":0,\"body\":{\"code\":%d,\"reason\":\"%s\"}}]",
                       cases[i].code, cases[i].reason);
        expect_ws(fd, 0x81, expected);
        expect_close(fd, 4000 + cases[i].code, cases[i].reason);
        client_send_ws(fd, 0x88, "\x0f\xa3", 2);
        expect_end(fd);
    }
}

static void goims_binary_mode_is_answered_in_its_own_form(void **state)
{
    (void)state;
    static const char auth[] = "\0\0\0\x12\0\x10\0\1\0\0\0\7\0\0\0\1{}";
    static const char reply[] = "\0\0\0\x10\0\x10\0\1\0\0\0\x08\0\0\0\1";
    int fd = client_upgrade(LISTENER_WS);
    client_send_ws(fd, 0x82, auth, sizeof auth - 1);
    assert_int_equal(client_read_ws(fd, text, sizeof text, &text_len), 0x82);
    assert_int_equal(text_len, 16);
    assert_memory_equal(text, reply, 16);
    assert_string_equal(session_notes.token, "{}");
    client_send_ws(fd, 0x82, auth, sizeof auth - 2);
    assert_int_equal(client_read_ws(fd, text, sizeof text, &text_len), 0x82);
    assert_int_equal(text[11], OP_DISCONNECT);
    expect_close(fd, 4003, "a binary message must be one frame, header and body");
    close(fd);
}

static void limits_of_a_message(void **state)
{
    (void)state;
    static char sent[20000];
    int fd = json_login();
    /* A string body at the limit, every byte of it escaped. */
    int at = snprintf(sent, sizeof sent, "{\"op\":2,\"body\":\"");
    for (int i = 0; i < 4096; i++)
        at += snprintf(sent + at, sizeof sent - (size_t)at, "\\n");
    (void)snprintf(sent + at, sizeof sent - (size_t)at, "\"}");
    client_send_text(fd, sent);
    expect_ws(fd, 0x81, "[{\"ver\":0,\"op\":3,\"seq\":0,\"body\":{}}]");
    (void)snprintf(sent + at, sizeof sent - (size_t)at, "x\"}");
    client_send_text(fd, sent);
    expect_ws(fd, 0x81,
              "[{\"ver\":1,\"op\":6,\"seq\":0,\"body\":{\"code\":4,\"reason\":\"body longer than "
              "4096 bytes\"}}]");
    expect_close(fd, 4004, "body longer than 4096 bytes");
    close(fd);
    fd = json_login();
    memset(sent, ' ', sizeof sent);
    client_send_ws(fd, 0x81, sent, sizeof sent);
    expect_ws(
        fd, 0x81,
        "[{\"ver\":1,\"op\":6,\"seq\":0,\"body\":{\"code\":4,\"reason\":\"message too big\"}}]");
    assert_int_equal(session_notes.last->end_code, CLOSE_BODY_TOO_LARGE);
    expect_close(fd, 1009, "message too big");
    expect_end(fd);
}

static void pings_are_answered_before_auth_too(void **state)
{
    (void)state;
    int fd = client_upgrade(LISTENER_WS);
    client_send_ws(fd, 0x89, "abc", 3);
    expect_ws(fd, 0x8a, "abc");
    client_send_ws(fd, 0x8a, "unasked", 7);
    client_send_ws(fd, 0x89, "", 0);
    expect_ws(fd, 0x8a, "");
    client_send_text(fd, "{\"op\":7,\"body\":\"t\"}");
    expect_ws(fd, 0x81, "[{\"ver\":0,\"op\":8,\"seq\":0,\"body\":{}}]");
    for (int i = 0; i < 100; i++) {
        client_send_ws(fd, 0x89, "x", 1); /* as many as it likes */
        expect_ws(fd, 0x8a, "x");
    }
    close(fd);
}

/* Who has not authenticated and reads nothing must not make us queue, here or in the kernel. */
static void a_stranger_who_only_pings_is_refused(void **state)
{
    (void)state;
    static uint8_t pings[1000 * 131];
    char payload[125];
    size_t len = 0;
    memset(payload, 'p', sizeof payload);
    for (int i = 0; i < 1000; i++)
        len += ws_client_frame(pings + len, 0x89, payload, sizeof payload);
    int fd = client_upgrade(LISTENER_WS);
    client_send(fd, pings, len);
    for (int i = 0; i < 4; i++)
        assert_int_equal(client_read_ws(fd, text, sizeof text, &text_len), 0x8a);
    expect_ws(fd, 0x81,
              "[{\"ver\":1,\"op\":6,\"seq\":0,\"body\":{\"code\":3,\"reason\":\"too many pings "
              "before auth (operation 7)\"}}]");
    expect_close(fd, 4003, "too many pings before auth (operation 7)");
    client_send_ws(fd, 0x88, "", 0);
    expect_end(fd);
    assert_int_equal(fixture_counters[COMET_STRANGERS_PINGS], 1);
}

static void the_peers_close_is_answered(void **state)
{
    (void)state;
    int fd = json_login();
    client_send_ws(fd, 0x88,
                   "\x03\xe9"
                   "going",
                   7);
    expect_close(fd, 1001, "");
    expect_end(fd);
    assert_int_equal(fixture_counters[COMET_CLOSED_BY_PEER], 1);
    fd = client_upgrade(LISTENER_WS);
    client_send_ws(fd, 0x88, "", 0);
    expect_close(fd, 0, "");
    expect_end(fd);
}

static void violations_close_with_their_code(void **state)
{
    (void)state;
    int fd = json_login();
    client_send(fd, "\x81\x02{}", 4);
    expect_close(fd, 1002, "frame is not masked");
    expect_end(fd);
    fd = json_login();
    client_send_ws(fd, 0x81, "\xff", 1);
    expect_close(fd, 1007, "text is not valid UTF-8");
    expect_end(fd);
    assert_int_equal(fixture_counters[COMET_WS_FAILED], 2);
}

static void http_errors_are_answered(void **state)
{
    (void)state;
    static const char request[] = "GET /elsewhere HTTP/1.1\r\nHost: x\r\n\r\n";
    int fd = client_connect(LISTENER_WS);
    client_send(fd, request, sizeof request - 1);
    size_t len = client_read_all(fd, text, sizeof text - 1);
    assert_true(len < sizeof text);
    text[len] = '\0';
    assert_int_equal(strncmp(text, "HTTP/1.1 404 Not Found\r\n", 24), 0);
    assert_non_null(strstr(text, "Connection: close\r\n"));
    assert_non_null(strstr(text, "\r\n\r\nnothing here; WebSocket clients connect to /sub\n"));
    assert_int_equal(fixture_counters[COMET_HTTP_REFUSED], 1);
    close(fd);
}

static void frames_right_behind_the_handshake_are_not_lost(void **state)
{
    (void)state;
    uint8_t bytes[512];
    static const char request[] = "GET /sub?x=y HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n"
                                  "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                                  "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    static const char auth[] = "{\"op\":7,\"body\":\"t\"}";
    int fd = client_connect(LISTENER_WS);
    memcpy(bytes, request, sizeof request - 1);
    size_t len = sizeof request - 1 +
                 ws_client_frame(bytes + sizeof request - 1, 0x81, auth, sizeof auth - 1);
    client_send(fd, bytes, len);
    assert_true(client_read(fd, text, 129));
    expect_ws(fd, 0x81, "[{\"ver\":0,\"op\":8,\"seq\":0,\"body\":{}}]");
    close(fd);
}

/* Browsers send their cookies along. LEN bytes, if need be without the end. */
static size_t long_handshake(char *out, size_t len)
{
    static const char end[4] = {'\r', '\n', '\r', '\n'};
    static const char begin[] = "GET /sub HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n"
                                "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                                "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nCookie: c=";
    size_t at = sizeof begin - 1;
    memcpy(out, begin, at);
    memset(out + at, 'c', len - at);
    memcpy(out + len - sizeof end, end, sizeof end);
    return len;
}

static void a_handshake_of_32_kib_is_taken(void **state)
{
    (void)state;
    static char request[32 * 1024];
    size_t len = long_handshake(request, sizeof request), half = len / 2;
    int fd = client_connect(LISTENER_WS);
    client_send(fd, request, half);
    assert_true(fixture_counters[COMET_STRANGER_BYTES] >= (int64_t)half);
    client_send(fd, request + half, len - half);
    assert_true(client_read(fd, text, 129));
    assert_int_equal(strncmp(text, "HTTP/1.1 101 ", 13), 0);
    assert_int_equal(fixture_counters[COMET_STRANGER_BYTES], 0);
    close(fd);
}

static void the_end_of_a_handshake_may_come_in_pieces(void **state)
{
    (void)state;
    char request[300];
    size_t len = long_handshake(request, sizeof request);
    int fd = client_connect(LISTENER_WS);
    client_send(fd, request, len - 5);
    for (size_t i = len - 5; i < len; i++)
        client_send(fd, request + i, 1);
    assert_true(client_read(fd, text, 129));
    close(fd);
}

static int few_bytes_for_strangers(void **state)
{
    (void)state;
    fixture_defaults();
    fixture_config.strangers = 20000;
    fixture_config.max_body = 16384;
    return fixture_open();
}

static void strangers_share_what_they_may_keep(void **state)
{
    (void)state;
    static char request[16 * 1024];
    uint8_t frame[4096];
    size_t len = long_handshake(request, sizeof request);
    int first = client_connect(LISTENER_WS), second = client_connect(LISTENER_WS);
    int third = client_connect(LISTENER_TCP);
    client_send(first, request, len - 4);
    client_send(second, request, len - 4);
    size_t n = client_read_all(second, text, sizeof text - 1);
    assert_true(n < sizeof text);
    assert_int_equal(strncmp(text, "HTTP/1.1 503 ", 13), 0);
    assert_int_equal(fixture_counters[COMET_STRANGERS_BYTES], 1);
    assert_in_range(fixture_counters[COMET_STRANGER_BYTES], len - 4, 20000);
    /* Half an auth frame is no different, but whoever asks for little is let in. */
    frame_header(frame, 1, OP_AUTH, 1, 4000);
    memset(frame + FRAME_HEADER, 't', 4000);
    client_send(third, frame, 4000);
    client_send(third, frame + 4000, 16);
    assert_int_equal(session_notes.connects, 0);
    assert_int_equal(fixture_counters[COMET_STRANGERS_BYTES], 2);
    int little = client_login();
    client_send(first, "\r\n\r\n", 4);
    assert_true(client_read(first, text, 129));
    close(first);
    close(second);
    close(third);
    close(little);
}

/* conn.max_body may be large for those who are known. */
static void a_stranger_sends_no_long_body(void **state)
{
    (void)state;
    static char sent[12000];
    char body[64];
    struct frame frame;
    int fd = client_connect(LISTENER_TCP);
    client_send(fd, "\0\0\x10\x11\0\x10\0\1\0\0\0\7\0\0\0\0", 16);
    assert_int_equal(client_read_frame(fd, &frame, text, sizeof text), OP_DISCONNECT);
    assert_string_equal(text, "{\"code\":4,\"reason\":\"body longer than 4096 bytes\"}");
    close(fd);
    fd = client_upgrade(LISTENER_WS);
    client_send(fd, "\x01\xfe\x44\x01\0\0\0\0", 8); /* 4 * 4096 + 1024 and one more */
    expect_ws(
        fd, 0x81,
        "[{\"ver\":1,\"op\":6,\"seq\":0,\"body\":{\"code\":4,\"reason\":\"message too big\"}}]");
    close(fd);
    fd = client_login();
    frame_header((uint8_t *)sent, 1, OP_HEARTBEAT, 1, sizeof sent - FRAME_HEADER);
    client_send(fd, sent, sizeof sent);
    assert_int_equal(client_read_frame(fd, &frame, body, sizeof body), OP_HEARTBEAT_REPLY);
    close(fd);
}

static int short_handshake(void **state)
{
    (void)state;
    fixture_defaults();
    fixture_config.handshake_ms = 300;
    return fixture_open();
}

/* Neither pings nor bytes that trickle in give a stranger more time. */
static void nothing_prolongs_a_handshake(void **state)
{
    (void)state;
    char request[4096];
    long_handshake(request, sizeof request);
    int pinging = client_upgrade(LISTENER_WS), trickling = client_connect(LISTENER_WS);
    int half = client_upgrade(LISTENER_WS);
    client_send(half, "\x01\x84\0\0\0\0{\"op", 10);
    for (int i = 0; i < 20; i++) {
        if (i % 7 == 0 && i < 14)
            client_send_ws(pinging, 0x89, "", 0);
        if (fixture_counters[COMET_CLOSED_BY_US] == 0 && i < 10)
            client_send(trickling, request + i, 1);
        if (i < 10)
            client_send(half, "\x00\x81\0\0\0\0 ", 7);
        step_for(30);
    }
    assert_int_equal(fixture_counters[COMET_KICKED_2], 2);
    assert_int_equal(fixture_counters[COMET_HTTP_REFUSED], 1);
    close(pinging);
    close(trickling);
    close(half);
}

static void a_subprotocol_is_taken_up(void **state)
{
    (void)state;
    static const char request[] = "GET /sub HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n"
                                  "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                                  "Sec-WebSocket-Protocol: imgo, json\r\n"
                                  "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    int fd = client_connect(LISTENER_WS);
    client_send(fd, request, sizeof request - 1);
    assert_true(client_read(fd, text, 129 + sizeof "Sec-WebSocket-Protocol: imgo\r\n" - 1));
    assert_non_null(strstr(text, "\r\nSec-WebSocket-Protocol: imgo\r\n\r\n"));
    close(fd);
}

/* --- pings of ours --- */

static int pings_after_four_seconds(void **state)
{
    (void)state;
    fixture_defaults();
    fixture_config.ping_ms = 4000;
    return fixture_open();
}

static void silent_sessions_are_pinged(void **state)
{
    (void)state;
    int fd = json_login(), tcp = client_login();
    step_for(2000);
    assert_int_equal(fixture_counters[COMET_PINGS], 0);
    step_for(2200);
    assert_int_equal(fixture_counters[COMET_PINGS], 1); /* none on TCP */
    expect_ws(fd, 0x89, "");
    step_for(4100); /* unanswered: again */
    assert_int_equal(fixture_counters[COMET_PINGS], 2);
    expect_ws(fd, 0x89, "");
    client_send_ws(fd, 0x8a, "", 0);
    step_for(2000);
    assert_int_equal(fixture_counters[COMET_PINGS], 2);
    for (int i = 0; i < 8; i++) { /* who speaks is not */
        client_send_text(fd, "{\"op\":2}");
        expect_ws(fd, 0x81, "[{\"ver\":0,\"op\":3,\"seq\":0,\"body\":{}}]");
        step_for(1500);
    }
    assert_int_equal(fixture_counters[COMET_PINGS], 2);
    close(fd);
    close(tcp);
}

static void a_pong_is_a_sign_of_life_and_its_absence_none(void **state)
{
    (void)state;
    fixture_config.heartbeat_ms = 9000;
    int good = json_login(), bad = json_login();
    for (int i = 0; i < 25; i++) {
        step_for(1000);
        if (i % 4 == 3)
            client_send_ws(good, 0x8a, "", 0);
    }
    assert_int_equal(fixture_counters[COMET_KICKED_11], 1);
    assert_int_equal(frontend_connections(&fixture), 1);
    close(good);
    close(bad);
}

static void a_crowd_is_not_pinged_at_once(void **state)
{
    (void)state;
    int fds[40];
    for (int i = 0; i < 40; i++)
        fds[i] = json_login();
    step_for(3000);
    int64_t before = fixture_counters[COMET_PINGS], most = 0;
    for (int i = 0; i < 12; i++) {
        int64_t was = fixture_counters[COMET_PINGS];
        step_for(100);
        most =
            fixture_counters[COMET_PINGS] - was > most ? fixture_counters[COMET_PINGS] - was : most;
    }
    assert_true(before < 20);
    assert_true(most <= 20);
    assert_true(fixture_counters[COMET_PINGS] >= 40);
    for (int i = 0; i < 40; i++)
        close(fds[i]);
}

/* What waits in its queue keeps the proxies awake, or cannot be sent past. */
static void a_session_that_is_behind_is_not_pinged(void **state)
{
    (void)state;
    static char big[8 << 20];
    int fd = json_login();
    struct iovec iov = {big, sizeof big};
    assert_int_equal(conn_write(session_notes.last, &iov, 1, TICKET_NONE), WRITE_QUEUED);
    step_for(9000);
    assert_int_equal(fixture_counters[COMET_PINGS], 0);
    close(fd);
}

static int short_auths(void **state)
{
    (void)state;
    fixture_defaults();
    fixture_config.max_auth = 64;
    return fixture_open();
}

/* conn.max_auth holds for the auth only, on TCP and in JSON. */
static void an_auth_at_the_limit_is_taken(void **state)
{
    (void)state;
    char token[66], json[256], body[256];
    struct frame frame;
    size_t len;
    memset(token, 'x', sizeof token);
    token[64] = '\0';
    int fd = client_connect(LISTENER_TCP);
    client_send_frame(fd, OP_AUTH, 1, token);
    assert_int_equal(client_read_frame(fd, &frame, body, sizeof body), OP_AUTH_REPLY);
    (void)snprintf(body, sizeof body, "%s%s", token, token);
    client_send_frame(fd, OP_HEARTBEAT, 2, body); /* conn.max_body holds now */
    assert_int_equal(client_read_frame(fd, &frame, body, sizeof body), OP_HEARTBEAT_REPLY);
    close(fd);
    fd = client_upgrade(LISTENER_WS);
    (void)snprintf(json, sizeof json, "{\"op\":7,\"body\":\"%s\"}", token);
    client_send_text(fd, json);
    assert_int_equal(client_read_ws(fd, body, sizeof body, &len), 0x81);
    assert_non_null(strstr(body, "\"op\":8"));
    close(fd);
    step_until(frontend_connections(&fixture) == 0);
    token[64] = 'x';
    token[65] = '\0';
    fd = client_connect(LISTENER_TCP);
    client_send_frame(fd, OP_AUTH, 1, token);
    assert_int_equal(client_read_frame(fd, &frame, body, sizeof body), OP_DISCONNECT);
    assert_string_equal(body, "{\"code\":4,\"reason\":\"body longer than 64 bytes\"}");
    close(fd);
    fd = client_upgrade(LISTENER_WS);
    (void)snprintf(json, sizeof json, "{\"op\":7,\"body\":\"%s\"}", token);
    client_send_text(fd, json);
    assert_int_equal(client_read_ws(fd, body, sizeof body, &len), 0x81);
    assert_non_null(strstr(body, "\"code\":4"));
    close(fd);
}

int main(void)
{
#define FRONTEND_TEST(test) cmocka_unit_test_setup_teardown(test, fixture_setup, fixture_teardown)
#define PING_TEST(test) \
    cmocka_unit_test_setup_teardown(test, pings_after_four_seconds, fixture_teardown)
    const struct CMUnitTest tests[] = {
        FRONTEND_TEST(json_mode_answers_as_imgo),
        FRONTEND_TEST(a_token_is_overwritten),
        FRONTEND_TEST(json_login_by_a_binary_message),
        FRONTEND_TEST(json_kicks_name_what_is_wrong),
        FRONTEND_TEST(goims_binary_mode_is_answered_in_its_own_form),
        FRONTEND_TEST(limits_of_a_message),
        cmocka_unit_test_setup_teardown(an_auth_at_the_limit_is_taken, short_auths,
                                        fixture_teardown),
        FRONTEND_TEST(pings_are_answered_before_auth_too),
        FRONTEND_TEST(a_stranger_who_only_pings_is_refused),
        FRONTEND_TEST(the_peers_close_is_answered),
        FRONTEND_TEST(violations_close_with_their_code),
        FRONTEND_TEST(http_errors_are_answered),
        FRONTEND_TEST(frames_right_behind_the_handshake_are_not_lost),
        FRONTEND_TEST(a_handshake_of_32_kib_is_taken),
        FRONTEND_TEST(the_end_of_a_handshake_may_come_in_pieces),
        cmocka_unit_test_setup_teardown(strangers_share_what_they_may_keep, few_bytes_for_strangers,
                                        fixture_teardown),
        cmocka_unit_test_setup_teardown(a_stranger_sends_no_long_body, few_bytes_for_strangers,
                                        fixture_teardown),
        cmocka_unit_test_setup_teardown(nothing_prolongs_a_handshake, short_handshake,
                                        fixture_teardown),
        FRONTEND_TEST(a_subprotocol_is_taken_up),
        PING_TEST(silent_sessions_are_pinged),
        PING_TEST(a_pong_is_a_sign_of_life_and_its_absence_none),
        PING_TEST(a_crowd_is_not_pinged_at_once),
        PING_TEST(a_session_that_is_behind_is_not_pinged),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
