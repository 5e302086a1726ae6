/* What a session may send a second: frames, and bytes. */
#include "tests/unit/lib/frontend_fixture.h"

enum { PER_SECOND = 10, BURST = 50, BYTES = 1000, BYTES_BURST = 20000 };

static int limited(void **state)
{
    (void)state;
    fixture_defaults();
    fixture_config.frames_per_second = PER_SECOND;
    fixture_config.frames_burst = BURST;
    fixture_config.bytes_per_second = BYTES;
    fixture_config.bytes_burst = BYTES_BURST;
    return fixture_open();
}

/* N frames of OP in one write. */
static void send_frames(int fd, int32_t op, int n)
{
    uint8_t bytes[200 * FRAME_HEADER];

    assert_true(n <= 200);
    for (int i = 0; i < n; i++)
        frame_header(bytes + (size_t)i * FRAME_HEADER, 1, op, i, 0);
    client_send(fd, bytes, (size_t)n * FRAME_HEADER);
}

static void expect_replies(int fd, int32_t op, int n)
{
    struct frame frame;
    char body[64];

    for (int i = 0; i < n; i++)
        assert_int_equal(client_read_frame(fd, &frame, body, sizeof body), op);
}

static void expect_kick(int fd, const char *what, enum comet_metric metric)
{
    struct frame frame;
    char body[512];

    assert_int_equal(client_read_frame(fd, &frame, body, sizeof body), OP_DISCONNECT);
    assert_non_null(strstr(body, "\"code\":10"));
    assert_non_null(strstr(body, what));
    assert_int_equal(client_read_all(fd, body, sizeof body), 0);
    assert_int_equal(fixture_counters[metric], 1);
    assert_int_equal(fixture_counters[COMET_KICKED_10], 1);
    close(fd);
    step_until(frontend_connections(&fixture) == 0);
}

static void frames_at_the_limit_pass_and_one_more_does_not(void **state)
{
    (void)state;
    int fd = client_login();
    send_frames(fd, OP_HEARTBEAT, BURST);
    expect_replies(fd, OP_HEARTBEAT_REPLY, BURST);
    step_for(1000);
    send_frames(fd, OP_TEST, PER_SECOND);
    for (int i = 0; i < PER_SECOND; i++)
        expect_replies(fd, OP_TEST_REPLY, 1);
    send_frames(fd, OP_HEARTBEAT, 1);
    expect_kick(fd, "too fast: more than 10 frames a second", COMET_RATE_FRAMES);
}

static void what_came_within_the_limit_is_answered_before_the_kick(void **state)
{
    (void)state;
    int fd = client_login();
    send_frames(fd, OP_HEARTBEAT, 200);
    expect_replies(fd, OP_HEARTBEAT_REPLY, BURST);
    expect_kick(fd, "frames", COMET_RATE_FRAMES);
    assert_int_equal(fixture_counters[COMET_FRAMES_IN], 1 + BURST); /* with the auth */
}

static void the_frames_of_one_do_not_count_for_another(void **state)
{
    (void)state;
    int one = client_login(), other = client_login();
    send_frames(one, OP_HEARTBEAT, BURST);
    send_frames(other, OP_HEARTBEAT, BURST);
    expect_replies(one, OP_HEARTBEAT_REPLY, BURST);
    expect_replies(other, OP_HEARTBEAT_REPLY, BURST);
    close(one);
    close(other);
}

static void bytes_at_the_limit_pass_and_more_do_not(void **state)
{
    (void)state;
    uint8_t bytes[4000];
    int fd = client_login();
    memset(bytes, 'x', sizeof bytes);
    frame_header(bytes, 1, OP_HEARTBEAT, 1, sizeof bytes - FRAME_HEADER);
    for (size_t sent = 0; sent < BYTES_BURST; sent += sizeof bytes)
        client_send(fd, bytes, sizeof bytes);
    expect_replies(fd, OP_HEARTBEAT_REPLY, BYTES_BURST / (int)sizeof bytes);
    step_for(4000);
    client_send(fd, bytes, sizeof bytes);
    expect_replies(fd, OP_HEARTBEAT_REPLY, 1);
    client_send(fd, bytes, 1); /* it is no frame yet */
    expect_kick(fd, "too fast: more than 1000 bytes a second", COMET_RATE_BYTES);
}

/* Upgraded and authenticated. */
static int ws_login(void)
{
    char text[512];
    size_t len;
    int fd = client_upgrade(LISTENER_WS);

    client_send_text(fd, "{\"op\":7,\"body\":\"token\"}");
    assert_int_equal(client_read_ws(fd, text, sizeof text, &len), 0x81);
    return fd;
}

static void expect_ws_kick(int fd)
{
    char text[512] = "";
    size_t len;
    int first;

    while ((first = client_read_ws(fd, text, sizeof text, &len)) == 0x8a)
        continue;
    assert_int_equal(first, 0x81);
    assert_non_null(strstr(text, "\"code\":10"));
    assert_int_equal(client_read_ws(fd, text, sizeof text, &len), 0x88);
    assert_int_equal((uint8_t)text[0] << 8 | (uint8_t)text[1], 4010);
    assert_int_equal(fixture_counters[COMET_RATE_FRAMES], 1);
    close(fd);
}

static void pings_count(void **state)
{
    (void)state;
    char text[512];
    size_t len;
    int fd = ws_login();
    for (int i = 0; i < BURST; i++) {
        client_send_ws(fd, 0x89, "", 0);
        assert_int_equal(client_read_ws(fd, text, sizeof text, &len), 0x8a);
    }
    client_send_ws(fd, 0x89, "", 0);
    expect_ws_kick(fd);
}

/* Each fragment is work, although no message comes of it. */
static void fragments_count(void **state)
{
    (void)state;
    int fd = ws_login();
    client_send_ws(fd, 0x01, "", 0);
    for (int i = 1; i < BURST; i++)
        client_send_ws(fd, 0x00, "", 0);
    assert_int_equal(fixture_counters[COMET_RATE_FRAMES], 0);
    client_send_ws(fd, 0x00, "", 0);
    expect_ws_kick(fd);
}

static void without_limits_nothing_is_limited(void **state)
{
    (void)state;
    int fd = client_login();
    for (int i = 0; i < 20; i++) {
        send_frames(fd, OP_HEARTBEAT, 200);
        expect_replies(fd, OP_HEARTBEAT_REPLY, 200);
    }
    close(fd);
}

int main(void)
{
#define LIMITED(test) cmocka_unit_test_setup_teardown(test, limited, fixture_teardown)
    const struct CMUnitTest tests[] = {
        LIMITED(frames_at_the_limit_pass_and_one_more_does_not),
        LIMITED(what_came_within_the_limit_is_answered_before_the_kick),
        LIMITED(the_frames_of_one_do_not_count_for_another),
        LIMITED(bytes_at_the_limit_pass_and_more_do_not),
        LIMITED(pings_count),
        LIMITED(fragments_count),
        cmocka_unit_test_setup_teardown(without_limits_nothing_is_limited, fixture_setup,
                                        fixture_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
