/* WebSocket connections over real sockets: JSON mode, control frames, violations, close handshakes,
 * the echo listener. */
#include "edge_fixture.h"

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
    step_for(5);
    assert_int_equal(edge_connections(&fixture), 0);
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
        {false, "{\"op\":7,\"body\":{\"mid\":1}}", 3,
         "auth: goim v2 sessions are not supported yet, send an imgo token string"},
        {true, "[{\"op\":2}]", 3, "JSON: one object a message is expected, not an array"},
        {true, "{\"op\":true}", 3,
         "JSON: op must be a whole number from -2147483648 to 2147483647"},
        {true, "{\"op\":99}", 13, "unknown operation 99"},
        {true, "{\"op\":7,\"body\":\"x\"}", 3, "a second auth"},
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

static void goims_binary_mode_is_refused_in_its_own_form(void **state)
{
    (void)state;
    static const char frame[] = "\0\0\0\x12\0\x10\0\1\0\0\0\7\0\0\0\1{}";
    int fd = client_upgrade(LISTENER_WS);
    client_send_ws(fd, 0x82, frame, sizeof frame - 1);
    assert_int_equal(client_read_ws(fd, text, sizeof text, &text_len), 0x82);
    assert_int_equal(text[11], OP_DISCONNECT);
    assert_non_null(
        strstr(text + 16, "goim v2 sessions (binary WebSocket messages) are not supported yet"));
    expect_close(fd, 4003, "goim v2 sessions (binary WebSocket messages) are not supported yet");
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
    close(fd);
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

static void the_echo_listener_echoes(void **state)
{
    (void)state;
    static char sent[60000];
    memset(sent, 'e', sizeof sent);
    int fd = client_upgrade(LISTENER_ECHO);
    client_send_text(fd, "hello");
    expect_ws(fd, 0x81, "hello");
    client_send_ws(fd, 0x02, "\xff", 1);
    client_send_ws(fd, 0x80, "\xfe", 1);
    expect_ws(fd, 0x82, "\xff\xfe");
    client_send_ws(fd, 0x82, sent, sizeof sent);
    assert_int_equal(client_read_ws(fd, text, sizeof text, &text_len), 0x82);
    assert_int_equal(text_len, sizeof sent);
    client_send_ws(fd, 0x81, "\xc0", 1);
    expect_close(fd, 1007, "text is not valid UTF-8");
    expect_end(fd);
    assert_int_equal(session_notes.connects, 0);
}

int main(void)
{
#define EDGE_TEST(test) cmocka_unit_test_setup_teardown(test, fixture_setup, fixture_teardown)
    const struct CMUnitTest tests[] = {
        EDGE_TEST(json_mode_answers_as_imgo),
        EDGE_TEST(json_login_by_a_binary_message),
        EDGE_TEST(json_kicks_name_what_is_wrong),
        EDGE_TEST(goims_binary_mode_is_refused_in_its_own_form),
        EDGE_TEST(limits_of_a_message),
        EDGE_TEST(pings_are_answered_before_auth_too),
        EDGE_TEST(the_peers_close_is_answered),
        EDGE_TEST(violations_close_with_their_code),
        EDGE_TEST(http_errors_are_answered),
        EDGE_TEST(frames_right_behind_the_handshake_are_not_lost),
        EDGE_TEST(the_echo_listener_echoes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
