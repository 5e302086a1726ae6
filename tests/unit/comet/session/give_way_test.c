/* Sessions that make room for a newer one of their user. */
#include "comet/session/reregister.h"
#include "tests/unit/lib/frontend_fixture.h"

static struct {
    size_t n;
    uint64_t handle;
    int64_t uid;
} disconnected;

void reregister_disconnect(struct reregister *reregister, uint64_t handle, int64_t uid)
{
    (void)reregister;
    disconnected.n++;
    disconnected.handle = handle;
    disconnected.uid = uid;
}

static void the_most_silent_session_gives_way(void **state)
{
    (void)state;
    uint64_t handles[3];
    int fds[3];
    char body[128];
    struct frame frame;
    fixture_config.silent_ms = 10000;
    for (int i = 0; i < 3; i++) {
        fds[i] = client_login();
        session_notes.last->uid = 8;
        handles[i] = session_notes.last->handle;
        step_for(3000);
    }
    client_send_frame(fds[0], OP_HEARTBEAT, 5, "");
    assert_int_equal(client_read_frame(fds[0], &frame, body, sizeof body), OP_HEARTBEAT_REPLY);
    session_give_way(&fixture, 8, handles, 3, GIVE_WAY_SILENT);
    assert_int_equal(fixture_counters[COMET_GAVE_WAY], 0); /* none for long enough */
    step_for(6000);
    session_give_way(&fixture, 9, handles, 3, GIVE_WAY_SILENT);
    assert_int_equal(fixture_counters[COMET_GAVE_WAY], 0); /* none of that user */
    session_give_way(&fixture, 8, handles, 3, GIVE_WAY_SILENT);
    assert_int_equal(client_read_frame(fds[1], &frame, body, sizeof body), OP_DISCONNECT);
    assert_non_null(strstr(body, "{\"code\":5,"));
    session_give_way(&fixture, 8, handles, 3,
                     GIVE_WAY_SILENT); /* the third is silent for 9 s only */
    step_for(20);
    assert_int_equal(frontend_connections(&fixture), 2); /* it did not linger */
    assert_int_equal(fixture_counters[COMET_GAVE_WAY], 1);
    for (int i = 0; i < 3; i++)
        close(fds[i]);
}

/* Three sessions of user 8. */
static void log_in(int fds[3], uint64_t handles[3])
{
    for (int i = 0; i < 3; i++) {
        fds[i] = client_login();
        session_notes.last->uid = 8;
        handles[i] = session_notes.last->handle;
    }
}

static void expect_replaced(int fd, const char *reason)
{
    char body[128];
    struct frame frame;

    assert_int_equal(client_read_frame(fd, &frame, body, sizeof body), OP_DISCONNECT);
    assert_non_null(strstr(body, "{\"code\":5,"));
    assert_non_null(strstr(body, reason));
}

static void the_oldest_goes_however_lively(void **state)
{
    (void)state;
    uint64_t handles[3];
    int fds[3];
    log_in(fds, handles);
    session_give_way(&fixture, 9, handles, 1, GIVE_WAY_OLDEST); /* not of that user */
    assert_int_equal(fixture_counters[COMET_REPLACED_OLDEST], 0);
    session_give_way(&fixture, 8, handles, 1, GIVE_WAY_OLDEST);
    session_give_way(&fixture, 8, handles, 1, GIVE_WAY_OLDEST); /* asked again while it lingers */
    expect_replaced(fds[0], "too many sessions");
    assert_int_equal(frontend_connections(&fixture), 3); /* it may still read */
    close(fds[0]);
    step_until(frontend_connections(&fixture) == 2);
    assert_int_equal(fixture_counters[COMET_REPLACED_OLDEST], 1);
    assert_int_equal(fixture_counters[COMET_KICKED_5], 1);
    close(fds[1]);
    close(fds[2]);
}

/* A router has it still: it hung when the session ended. */
static void one_that_has_ended_is_disconnected(void **state)
{
    (void)state;
    uint64_t handles[3], other_loop;
    int fds[3];
    log_in(fds, handles);
    close(fds[0]);
    step_until(frontend_connections(&fixture) == 2);
    disconnected.n = 0;
    session_give_way(&fixture, 8, handles, 3, GIVE_WAY_SILENT);
    assert_int_equal(disconnected.n, 1);
    assert_true(disconnected.handle == handles[0] && disconnected.uid == 8);
    session_give_way(&fixture, 8, handles, 1, GIVE_WAY_OLDEST);
    assert_int_equal(disconnected.n, 2);
    other_loop = handles[0] ^ (uint64_t)1 << 56;
    session_give_way(&fixture, 8, &other_loop, 1, GIVE_WAY_OLDEST); /* every loop is asked */
    assert_int_equal(disconnected.n, 2);
    close(fds[1]);
    close(fds[2]);
}

static void those_of_the_same_key_end_at_once(void **state)
{
    (void)state;
    uint64_t handles[3];
    int fds[3];
    log_in(fds, handles);
    session_give_way(&fixture, 8, handles + 1, 2, GIVE_WAY_SAME_KEY);
    expect_replaced(fds[1], "same key");
    expect_replaced(fds[2], "same key");
    step_for(2);
    assert_int_equal(frontend_connections(&fixture), 1);
    assert_int_equal(fixture_counters[COMET_REPLACED_SAME_KEY], 2);
    for (int i = 0; i < 3; i++)
        close(fds[i]);
}

/* Its answer from logic is still to come, and a newer session of the key overtook it. */
static void one_that_is_connecting_gives_way(void **state)
{
    (void)state;
    session_notes.hold = true;
    int fd = client_connect(LISTENER_TCP);
    client_send_frame(fd, OP_AUTH, 1, "token");
    uint64_t handle = session_notes.last->handle;
    session_give_way(&fixture, 8, &handle, 1, GIVE_WAY_SAME_KEY);
    expect_replaced(fd, "same key");
    step_for(2);
    assert_int_equal(frontend_connections(&fixture), 0);
    close(fd);
}

int main(void)
{
#define FRONTEND_TEST(test) cmocka_unit_test_setup_teardown(test, fixture_setup, fixture_teardown)
    const struct CMUnitTest tests[] = {
        FRONTEND_TEST(the_most_silent_session_gives_way),
        FRONTEND_TEST(the_oldest_goes_however_lively),
        FRONTEND_TEST(those_of_the_same_key_end_at_once),
        FRONTEND_TEST(one_that_has_ended_is_disconnected),
        FRONTEND_TEST(one_that_is_connecting_gives_way),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
