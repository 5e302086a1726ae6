/* Answers that come before the body does. */
#include "tests/unit/common/http/server_fixture.h"

#define IN_SOCKETS (16 << 20) /* no more fits the buffers of two sockets */

static void test_expect_continue(void **state)
{
    struct client client;
    char line[64] = "";
    dial(&client, *state);
    put(&client,
        "POST /e HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n");
    assert_int_equal(recv(client.fd, line, 25, MSG_WAITALL), 25);
    assert_string_equal(line, "HTTP/1.1 100 Continue\r\n\r\n");
    put(&client, "abc");
    expect(&client, 200, "body=abc");
    /* HTTP/1.0 knows no 100: the answer itself is the first line. */
    put(&client, "POST /e HTTP/1.0\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\nabc");
    expect(&client, 200, "body=abc");
    expect_end(&client);
    hang_up(&client);
}

/* The head is enough, and the connection lives on behind a small body. */
static void test_refused_at_the_head(void **state)
{
    struct client client;
    dial(&client, *state);
    put(&client, "POST /secret HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\n");
    expect(&client, 401, "no");
    put(&client, "bodyGET /a HTTP/1.1\r\nHost: x\r\n\r\n");
    expect(&client, 200, "path=/a");
    put(&client, "POST /secret HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nbody"
                 "GET /secret HTTP/1.1\r\nHost: x\r\n\r\n"
                 "GET /b HTTP/1.1\r\nHost: x\r\n\r\n");
    expect(&client, 401, "no");
    expect(&client, 401, "no");
    expect(&client, 200, "path=/b");
    put(&client, "POST /secret HTTP/1.0\r\nContent-Length: 4\r\n\r\nbody");
    expect(&client, 401, "no");
    expect_end(&client);
    hang_up(&client);
}

/* A body that never comes does not keep the connection. */
static void test_refused_and_silent(void **state)
{
    struct client client;
    dial(&client, *state);
    int64_t start = now_ms();
    put(&client, "POST /secret HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\n");
    expect(&client, 401, "no");
    comes_after(&client, start, BODY_MS);
    expect_end(&client);
    hang_up(&client);
}

/* A long body is not waited for: the connection ends, but no reset takes the answer away from who
 * reads it only after sending all. */
static void test_refused_with_a_long_body(void **state)
{
    static const char *const heads[] = {"Content-Length: 1000000", "Transfer-Encoding: chunked",
                                        "Content-Length: 3\r\nExpect: 100-continue"};
    struct client client;
    char text[256], body[4096] = "f0000\r\n";
    for (size_t i = 0; i < sizeof(heads) / sizeof(heads[0]); i++) {
        dial(&client, *state);
        snprintf(text, sizeof(text), "POST /secret HTTP/1.1\r\nHost: x\r\n%s\r\n\r\n", heads[i]);
        put(&client, text);
        for (int n = 0; n < 200; n++)
            assert_int_equal(send(client.fd, body, sizeof(body), MSG_NOSIGNAL), sizeof(body));
        expect(&client, 401, "no");
        expect_end(&client);
        hang_up(&client);
    }
    expect_alive(*state);
}

/* Who never stops sending is not read from until the linger is over. */
static void test_refused_and_endless(void **state)
{
    static char body[65536];
    struct client client;
    size_t sent = 0;
    ssize_t n;
    dial(&client, *state);
    put(&client, "POST /secret HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000000\r\n\r\n");
    while ((n = send(client.fd, body, sizeof(body), MSG_NOSIGNAL)) > 0) {
        sent += (size_t)n;
        assert_in_range(sent, 0, HTTP_LINGER_BYTES + IN_SOCKETS);
    }
    assert_true(errno == ECONNRESET || errno == EPIPE);
    hang_up(&client);
    expect_alive(*state);
}

static void test_default_refusal_on_second(void **state)
{
    struct fixture *fixture = *state;
    struct client client;
    assert_int_not_equal(http_server_port(fixture->server), http_server_port(fixture->second));
    dial_port(&client, http_server_port(fixture->second));
    put(&client, "GET /s HTTP/1.1\r\nHost: x\r\n\r\nPOST /s HTTP/1.1\r\nHost: x\r\nContent-Length: "
                 "x\r\n\r\n");
    expect(&client, 200, "path=/s");
    expect(&client, 400, "malformed request: Invalid character in Content-Length\n");
    hang_up(&client);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SERVER_TEST(test_expect_continue),
        SERVER_TEST(test_refused_at_the_head),
        cmocka_unit_test_setup_teardown(test_refused_and_silent, open_impatient, close_fixture),
        SERVER_TEST(test_refused_with_a_long_body),
        SERVER_TEST(test_refused_and_endless),
        SERVER_TEST(test_default_refusal_on_second),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
