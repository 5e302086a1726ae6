/* Which address a connection comes from, with proxies before it, and how many each may have. */
#include "comet/net/addresses.h"
#include "comet/net/client_address.h"
#include "tests/unit/lib/frontend_fixture.h"

static char proxies[] = "127.0.0.9, 10.0.0.0/8", trusted[] = "127.0.0.7";

static int limited(void **state)
{
    (void)state;
    fixture_defaults();
    fixture_config.per_address = 2;
    fixture_config.conn_trusted = trusted;
    return fixture_open();
}

static int rated(void **state)
{
    (void)state;
    fixture_defaults();
    fixture_config.rate_per_address = 1;
    fixture_config.rate_burst = 3;
    return fixture_open();
}

static int behind_http(void **state)
{
    (void)state;
    fixture_defaults();
    fixture_config.per_address = 2;
    fixture_config.proxy_trusted = proxies;
    return fixture_open();
}

static int behind_proxy(void **state)
{
    (void)state;
    fixture_defaults();
    fixture_config.per_address = 2;
    fixture_config.proxy_trusted = proxies;
    fixture_config.proxy_protocol = true;
    return fixture_open();
}

static int no_address_is_left(void **state)
{
    frontend_hang_up(&fixture);
    assert_int_equal(addresses_with_sessions(), 0);
    return fixture_teardown(state);
}

/* The connection was reset; whether a word came before, nobody is told. */
static void expect_reset(int fd)
{
    char byte;
    ssize_t n;

    while ((n = recv(fd, &byte, 1, MSG_DONTWAIT)) < 0 && errno == EAGAIN)
        step();
    assert_int_equal(n, -1);
    assert_int_equal(errno, ECONNRESET);
    close(fd);
}

static void expect_end(int fd, size_t connections)
{
    step_until(frontend_connections(&fixture) == connections);
    close(fd);
}

static void expect_peer(const char *address)
{
    char text[64];

    conn_peer(session_notes.last, text, sizeof text);
    assert_string_equal(text, address);
}

static void expect_auth(int fd)
{
    struct frame frame;
    char body[64];

    client_send_frame(fd, OP_AUTH, 1, "token");
    assert_int_equal(client_read_frame(fd, &frame, body, sizeof body), OP_AUTH_REPLY);
}

/* --- limits --- */

static void an_address_at_the_limit_is_refused_one_more(void **state)
{
    (void)state;
    int one = client_connect_from(LISTENER_TCP, 2), two = client_connect_from(LISTENER_WS, 2);
    expect_reset(client_connect_from(LISTENER_TCP, 2));
    expect_reset(client_connect_from(LISTENER_WS, 2));
    assert_int_equal(fixture_counters[COMET_REFUSED_ADDRESS], 2);
    int other = client_connect_from(LISTENER_TCP, 3);
    expect_auth(other);
    expect_peer("127.0.0.3");
    close(one);
    step_until(frontend_connections(&fixture) == 2);
    one = client_connect_from(LISTENER_TCP, 2);
    expect_auth(one);
    assert_int_equal(fixture_counters[COMET_REFUSED_ADDRESS], 2);
    close(one);
    close(two);
    close(other);
}

static void a_trusted_address_has_no_limit(void **state)
{
    int fds[10];

    (void)state;
    for (int i = 0; i < 10; i++)
        fds[i] = client_connect_from(LISTENER_TCP, 7);
    assert_int_equal(fixture_counters[COMET_REFUSED_ADDRESS], 0);
    assert_int_equal(frontend_connections(&fixture), 10);
    for (int i = 0; i < 10; i++)
        close(fds[i]);
}

static void who_connects_too_often_has_to_wait(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++) {
        close(client_connect_from(LISTENER_TCP, 2));
        step_until(frontend_connections(&fixture) == 0);
    }
    expect_reset(client_connect_from(LISTENER_TCP, 2));
    assert_int_equal(fixture_counters[COMET_REFUSED_RATE], 1);
    int other = client_connect_from(LISTENER_TCP, 3);
    assert_int_equal(fixture_counters[COMET_REFUSED_RATE], 1);
    step_for(1000);
    int again = client_connect_from(LISTENER_TCP, 2);
    assert_int_equal(fixture_counters[COMET_REFUSED_RATE], 1);
    expect_reset(client_connect_from(LISTENER_TCP, 2));
    close(other);
    close(again);
}

/* --- PROXY protocol --- */

static int proxy_says(enum listener_kind kind, const char *header, size_t len)
{
    int fd = client_connect_from(kind, 9);

    client_send(fd, header, len);
    return fd;
}

#define PROXY_SAYS(kind, header) proxy_says(kind, header, sizeof(header) - 1)

static void a_header_names_the_client(void **state)
{
    (void)state;
    int one = PROXY_SAYS(LISTENER_TCP, "PROXY TCP4 192.0.2.7 192.0.2.1 1 2\r\n");
    expect_auth(one);
    expect_peer("192.0.2.7");
    int two =
        PROXY_SAYS(LISTENER_TCP, "\r\n\r\n\0\r\nQUIT\n\x21\x21\0\x24\x20\x01\x0d\xb8\0\0\0\0"
                                 "\0\0\0\0\0\0\0\x07\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1\0\1\0\2");
    expect_auth(two);
    expect_peer("2001:db8::7");
    int three = PROXY_SAYS(LISTENER_WS, "PROXY TCP4 192.0.2.7 192.0.2.1 1 2\r\n");
    int four = PROXY_SAYS(LISTENER_TCP, "PROXY TCP4 192.0.2.7 192.0.2.1 1 2\r\n"); /* his third */
    expect_end(four, 3);
    assert_int_equal(fixture_counters[COMET_REFUSED_ADDRESS], 1);
    close(one);
    close(two);
    close(three);
}

static void what_follows_the_header_is_the_clients(void **state)
{
    uint8_t bytes[256] = "PROXY TCP4 192.0.2.7 192.0.2.1 1 2\r\n";
    size_t at = strlen((char *)bytes);
    struct frame frame;
    char body[64];

    (void)state;
    frame_header(bytes + at, 1, OP_AUTH, 1, 5);
    memcpy(bytes + at + FRAME_HEADER, "token", 5);
    int fd = client_connect_from(LISTENER_TCP, 9);
    client_send(fd, bytes, at + FRAME_HEADER + 5);
    assert_int_equal(client_read_frame(fd, &frame, body, sizeof body), OP_AUTH_REPLY);
    expect_peer("192.0.2.7");
    close(fd);
}

static void a_header_may_come_byte_by_byte(void **state)
{
    static const char header[] = "PROXY TCP6 2001:db8::7 2001:db8::1 1 2\r\n";

    (void)state;
    int fd = client_connect_from(LISTENER_TCP, 9);
    for (size_t i = 0; i < sizeof header - 1; i++)
        client_send(fd, header + i, 1);
    expect_auth(fd);
    expect_peer("2001:db8::7");
    close(fd);
}

/* Half a header stays in the kernel's queue, and must not wake the loop again and again. */
static void half_a_header_does_not_spin(void **state)
{
    (void)state;
    int fd = PROXY_SAYS(LISTENER_TCP, "PROXY TCP4 192.");
    struct pollfd poller = {.fd = uv_backend_fd(&fixture.loop.uv), .events = POLLIN};
    step();
    assert_int_equal(poll(&poller, 1, 50), 0);
    shutdown(fd, SHUT_WR);
    step_until(frontend_connections(&fixture) == 0);
    assert_int_equal(fixture_counters[COMET_REFUSED_HEADER], 1);
    close(fd);
}

static void what_is_no_header_is_refused(void **state)
{
    (void)state;
    expect_end(PROXY_SAYS(LISTENER_TCP, "GET /sub HTTP/1.1\r\n"), 0);
    expect_end(PROXY_SAYS(LISTENER_WS, "PROXY TCP4 192.0.2.7 192.0.2.1 1\r\n"), 0);
    assert_int_equal(fixture_counters[COMET_REFUSED_HEADER], 2);
    int fd = client_connect_from(LISTENER_TCP, 9);
    step_for(5200);
    expect_end(fd, 0);
    assert_int_equal(fixture_counters[COMET_REFUSED_HEADER], 3);
    fd = client_connect_from(LISTENER_TCP, 9);
    shutdown(fd, SHUT_WR); /* a port scan is no fault of a proxy */
    expect_end(fd, 0);
    assert_int_equal(fixture_counters[COMET_REFUSED_HEADER], 3);
}

static void who_is_no_proxy_is_refused(void **state)
{
    (void)state;
    expect_reset(client_connect_from(LISTENER_TCP, 2));
    assert_int_equal(fixture_counters[COMET_REFUSED_PROXY], 1);
    assert_int_equal(frontend_connections(&fixture), 0);
}

static void a_health_check_is_the_proxy_itself(void **state)
{
    int fds[5];

    (void)state;
    for (int i = 0; i < 5; i++) {
        fds[i] = i % 2 == 0 ? PROXY_SAYS(LISTENER_TCP, "\r\n\r\n\0\r\nQUIT\n\x20\0\0\0")
                            : PROXY_SAYS(LISTENER_TCP, "PROXY UNKNOWN\r\n");
        expect_auth(fds[i]);
        expect_peer("127.0.0.9");
    }
    for (int i = 0; i < 5; i++)
        close(fds[i]);
}

/* --- X-Forwarded-For --- */

/* The status of the answer to a handshake from 127.0.0.HOST with LINES, then an auth if it is 101.
 */
static int upgrade(uint8_t host, const char *before, const char *lines, int *out)
{
    static const char head[] = "GET /sub HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n"
                               "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                               "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    char bytes[2048], answer[13] = "";
    int fd = client_connect_from(LISTENER_WS, host);
    int len = snprintf(bytes, sizeof bytes, "%s%s%s\r\n", before, head, lines);

    client_send(fd, bytes, (size_t)len);
    assert_true(client_read(fd, answer, sizeof answer - 1));
    int status = (int)strtol(answer + 9, NULL, 10);
    if (status == 101) {
        assert_true(client_read(fd, bytes, 129 - 12));
        client_send_text(fd, "{\"op\":7,\"body\":\"token\"}");
    }
    *out = fd;
    return status;
}

static void expect_forwarded(uint8_t host, const char *lines, const char *peer)
{
    int fd;

    assert_int_equal(upgrade(host, "", lines, &fd), 101);
    expect_peer(peer);
    close(fd);
    step_until(frontend_connections(&fixture) == 0);
}

static void a_proxy_names_the_client(void **state)
{
    (void)state;
    expect_forwarded(9, "X-Forwarded-For: 192.0.2.7\r\n", "192.0.2.7");
    expect_forwarded(9, "x-forwarded-for: 2001:db8::7\r\n", "2001:db8::7");
    expect_forwarded(9, "X-Forwarded-For: 192.0.2.7, 10.1.2.3, 10.3.2.1\r\n", "192.0.2.7");
    expect_forwarded(9, "X-Forwarded-For: 192.0.2.7\r\nX-Forwarded-For: 10.0.0.1\r\n", "192.0.2.7");
    expect_forwarded(9, "X-Forwarded-For: 10.0.0.2, 10.0.0.1\r\n", "10.0.0.2");
    expect_forwarded(9, "", "127.0.0.9");
}

static void what_a_client_made_up_is_not_believed(void **state)
{
    (void)state;
    expect_forwarded(2, "X-Forwarded-For: 192.0.2.7\r\n", "127.0.0.2"); /* it is no proxy */
    expect_forwarded(9, "X-Forwarded-For: 10.9.9.9, 192.0.2.7\r\n", "192.0.2.7");
    expect_forwarded(9, "X-Forwarded-For: evil\r\nX-Forwarded-For: 192.0.2.7\r\n", "192.0.2.7");
    expect_forwarded(9,
                     "X-Forwarded-For: 1.1.1.1\r\nX-Forwarded-For: 1.1.1.2\r\n"
                     "X-Forwarded-For: 1.1.1.3\r\nX-Forwarded-For: 1.1.1.4\r\n"
                     "X-Forwarded-For: 1.1.1.5\r\nX-Forwarded-For: 192.0.2.7\r\n",
                     "192.0.2.7");
    expect_forwarded(9, "X-Forwarded-For: evil\r\n", "127.0.0.9");
    expect_forwarded(9, "X-Forwarded-For: 192.0.2.7, evil, 10.0.0.1\r\n", "127.0.0.9");
    expect_forwarded(9, "Forwarded: for=192.0.2.7\r\n", "127.0.0.9");
}

static void behind_a_proxy_the_limit_is_the_clients(void **state)
{
    static const char client[] = "X-Forwarded-For: 192.0.2.7\r\n";
    int fds[5];

    (void)state;
    assert_int_equal(upgrade(9, "", client, &fds[0]), 101);
    assert_int_equal(upgrade(9, "", client, &fds[1]), 101);
    assert_int_equal(upgrade(9, "", client, &fds[2]), 429);
    assert_int_equal(fixture_counters[COMET_REFUSED_ADDRESS], 1);
    assert_int_equal(upgrade(9, "", "X-Forwarded-For: 192.0.2.8\r\n", &fds[3]), 101);
    close(fds[0]);
    close(fds[2]);
    step_until(frontend_connections(&fixture) == 2);
    assert_int_equal(upgrade(9, "", client, &fds[4]), 101);
    close(fds[1]);
    close(fds[3]);
    close(fds[4]);
}

static void a_header_may_name_a_proxy_that_forwards(void **state)
{
    int fd;

    (void)state;
    assert_int_equal(
        upgrade(9, "PROXY TCP4 10.0.0.1 192.0.2.1 1 2\r\n", "X-Forwarded-For: 192.0.2.7\r\n", &fd),
        101);
    expect_peer("192.0.2.7");
    close(fd);
    assert_int_equal(
        upgrade(9, "PROXY TCP4 192.0.2.8 192.0.2.1 1 2\r\n", "X-Forwarded-For: 192.0.2.7\r\n", &fd),
        101);
    expect_peer("192.0.2.8");
    close(fd);
}

/* --- settings --- */

static void settings_that_make_no_sense_are_named(void **state)
{
    struct comet_config config = {.conn_trusted = trusted, .proxy_trusted = proxies};
    static char bad[] = "10.0.0.1, proxy.example", empty[] = "";
    char err[256];

    (void)state;
    assert_int_equal(client_address_check(&config, err, sizeof err), 0);
    config.proxy_protocol = true;
    assert_int_equal(client_address_check(&config, err, sizeof err), 0);
    config.proxy_trusted = empty;
    assert_int_equal(client_address_check(&config, err, sizeof err), -EINVAL);
    assert_non_null(strstr(err, "proxy.trusted is empty"));
    config.proxy_trusted = bad;
    assert_int_equal(client_address_check(&config, err, sizeof err), -EINVAL);
    assert_non_null(strstr(err, "proxy.trusted: proxy.example"));
    config.conn_trusted = bad;
    assert_int_equal(client_address_check(&config, err, sizeof err), -EINVAL);
    assert_non_null(strstr(err, "conn.trusted: proxy.example"));
}

int main(void)
{
#define TEST(test, setup) cmocka_unit_test_setup_teardown(test, setup, no_address_is_left)
    const struct CMUnitTest tests[] = {
        TEST(an_address_at_the_limit_is_refused_one_more, limited),
        TEST(a_trusted_address_has_no_limit, limited),
        TEST(who_connects_too_often_has_to_wait, rated),
        TEST(a_header_names_the_client, behind_proxy),
        TEST(what_follows_the_header_is_the_clients, behind_proxy),
        TEST(a_header_may_come_byte_by_byte, behind_proxy),
        TEST(half_a_header_does_not_spin, behind_proxy),
        TEST(what_is_no_header_is_refused, behind_proxy),
        TEST(who_is_no_proxy_is_refused, behind_proxy),
        TEST(a_health_check_is_the_proxy_itself, behind_proxy),
        TEST(a_header_may_name_a_proxy_that_forwards, behind_proxy),
        TEST(a_proxy_names_the_client, behind_http),
        TEST(what_a_client_made_up_is_not_believed, behind_http),
        TEST(behind_a_proxy_the_limit_is_the_clients, behind_http),
        cmocka_unit_test(settings_that_make_no_sense_are_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
