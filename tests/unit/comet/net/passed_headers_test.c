/* Headers of the WebSocket handshake that the business is to see. */
#include "comet/base/metrics.h"
#include "comet/net/passed_headers.h"
#include "tests/unit/lib/frontend_fixture.h"

static const char begin[] = "GET /sub HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n"
                            "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
enum { ANSWER = 129 };

static int setup(void **state)
{
    static char names[] = "cookie, X-Own";
    (void)state;
    fixture_defaults();
    fixture_config.pass_headers = names;
    int failed = fixture_open();
    session_notes.hold = true;
    return failed;
}

static int upgrade(const char *headers)
{
    char text[2048];
    int fd = client_connect(LISTENER_WS);

    (void)snprintf(text, sizeof text, "%s%s\r\n", begin, headers);
    client_send(fd, text, strlen(text));
    assert_true(client_read(fd, text, ANSWER));
    assert_memory_equal(text, "HTTP/1.1 101 ", 13);
    return fd;
}

static int64_t counted(size_t metric)
{
    return fixture_counters[metric];
}

static void they_are_kept_until_the_auth(void **state)
{
    static const char headers[] = "cookie: a=1\nx-own: 2\ncookie: b\n";
    int fd = upgrade("Cookie:  a=1 \r\nOther: no\r\nX-OWN: 2\r\ncookie:b\r\n");
    int64_t held = (int64_t)(sizeof(struct msg) + sizeof headers - 1);
    (void)state;
    assert_int_equal(counted(COMET_STRANGER_BYTES), held);
    client_send_text(fd, "{\"op\":7,\"body\":\"token\"}");
    step_for(50);
    assert_int_equal(session_notes.connects, 1);
    assert_int_equal(counted(COMET_STRANGER_BYTES), held + 6 + held); /* of this test's stub */
    struct msg *taken = passed_headers_take(session_notes.last);
    assert_non_null(taken);
    assert_int_equal(taken->len, sizeof headers - 1);
    assert_memory_equal(taken->data, headers, taken->len);
    msg_unref(taken);
    assert_null(passed_headers_take(session_notes.last));
    assert_int_equal(passed_headers_held(session_notes.last), 0);
    conn_opened(session_notes.last);
    assert_int_equal(counted(COMET_STRANGER_BYTES), 0);
    close(fd);
}

static void a_client_without_them_has_none(void **state)
{
    int fd = upgrade("Other: no\r\n");
    (void)state;
    client_send_text(fd, "{\"op\":7,\"body\":\"token\"}");
    step_for(50);
    assert_null(passed_headers_take(session_notes.last));
    close(fd);
}

static void none_are_kept_unless_it_is_set(void **state)
{
    int fd = upgrade("Cookie: a\r\n");
    (void)state;
    assert_int_equal(counted(COMET_STRANGER_BYTES), 0);
    close(fd);
}

static void they_go_with_the_connection(void **state)
{
    int fd = upgrade("Cookie: a\r\n");
    (void)state;
    assert_true(counted(COMET_STRANGER_BYTES) > 0);
    close(fd);
    step_for(50);
    assert_int_equal(counted(COMET_STRANGER_BYTES), 0); /* and no leak: the build with ASan looks */
}

static void they_have_a_limit(void **state)
{
    char cookie[400], text[64];
    int most = (int)fixture_config.pass_headers_max - (int)sizeof "cookie: \n" + 1;
    (void)state;
    (void)snprintf(cookie, sizeof cookie, "Cookie: %0*d\r\n", most, 0);
    close(upgrade(cookie));
    step_for(50);
    (void)snprintf(cookie, sizeof cookie, "Cookie: %0*d\r\n\r\n", most + 1, 0);
    int fd = client_connect(LISTENER_WS);
    client_send(fd, begin, sizeof begin - 1);
    client_send(fd, cookie, strlen(cookie));
    assert_true(client_read(fd, text, 13));
    assert_memory_equal(text, "HTTP/1.1 431 ", 13);
    assert_int_equal(counted(COMET_PASSED_HEADERS_REFUSED), 1);
    close(fd);
}

#define headers_test(test) cmocka_unit_test_setup_teardown(test, setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        headers_test(they_are_kept_until_the_auth),
        headers_test(a_client_without_them_has_none),
        cmocka_unit_test_setup_teardown(none_are_kept_unless_it_is_set, fixture_setup,
                                        fixture_teardown),
        headers_test(they_go_with_the_connection),
        headers_test(they_have_a_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
