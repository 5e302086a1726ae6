/* A line for each session and connection that ended, with the words of the metrics. Standard error
 * goes to a file. */
#include "comet/net/end_log.h"
#include "common/base/log.h"
#include "tests/unit/lib/frontend_fixture.h"

#include <fcntl.h>

static char captured[1 << 16];
static int saved_stderr, capture_fd;

static int setup(void **state)
{
    char path[] = "/tmp/imc-end-log-XXXXXX";

    capture_fd = mkstemp(path);
    unlink(path);
    saved_stderr = dup(STDERR_FILENO);
    dup2(capture_fd, STDERR_FILENO);
    log_set_level("debug");
    return fixture_setup(state);
}

static int teardown(void **state)
{
    int rc = fixture_teardown(state);

    log_set_level("info");
    dup2(saved_stderr, STDERR_FILENO);
    close(saved_stderr);
    close(capture_fd);
    return rc;
}

static size_t count(const char *words)
{
    ssize_t n = pread(capture_fd, captured, sizeof captured - 1, 0);
    size_t found = 0;

    captured[n > 0 ? n : 0] = '\0';
    for (const char *at = captured; (at = strstr(at, words)) != NULL; at++)
        found++;
    return found;
}

static void expect_line(const char *words)
{
    if (count(words) != 1)
        fail_msg("\"%s\" is not there once: %s", words, captured);
}

static void end(int fd)
{
    close(fd);
    step_until(frontend_connections(&fixture) == 0);
}

/* The names of enum close_code, as the labels of the metrics have them. */
static void each_code_has_its_word(void **state)
{
    static const char *const words[] = {
        [CLOSE_BAD_TOKEN] = "bad_token",
        [CLOSE_HANDSHAKE_TIMEOUT] = "handshake_timeout",
        [CLOSE_MALFORMED] = "malformed",
        [CLOSE_BODY_TOO_LARGE] = "body_too_large",
        [CLOSE_REPLACED] = "replaced",
        [CLOSE_TOO_MANY_SESSIONS] = "too_many_sessions",
        [CLOSE_KICKED] = "kicked",
        [CLOSE_TOO_SLOW] = "too_slow",
        [CLOSE_GOING_AWAY] = "going_away",
        [CLOSE_RATE_LIMITED] = "rate_limited",
        [CLOSE_HEARTBEAT_MISSED] = "heartbeat_missed",
        [CLOSE_UNAVAILABLE] = "unavailable",
        [CLOSE_UNKNOWN_OP] = "unknown_op",
    };
    char word[END_REASON_MAX + 1];

    (void)state;
    for (int code = CLOSE_BAD_TOKEN; code <= CLOSE_UNKNOWN_OP; code++) {
        end_reason((enum close_code)code, true, word);
        assert_string_equal(word, words[code]);
    }
    end_reason(CLOSE_NONE, true, word);
    assert_string_equal(word, "us");
    end_reason(CLOSE_NONE, false, word);
    assert_string_equal(word, "peer");
}

static void a_session_that_leaves(void **state)
{
    (void)state;
    int fd = client_login();
    step_for(5120);
    end(fd);
    expect_line("session closed reason=peer code=0 uid=0 key=\"\" address=127.0.0.1 transport=tcp "
                "wire=imgo lasted_ms=5");
}

static void a_session_that_is_ended(void **state)
{
    (void)state;
    int fd = client_login();
    session_notes.last->uid = 77;
    conn_kick(session_notes.last, CLOSE_KICKED, "the business said so");
    step();
    end(fd);
    expect_line("kicked reason=kicked code=7 ws_code=4007 uid=77 address=127.0.0.1 "
                "text=\"the business said so\"");
    expect_line("session closed reason=kicked code=7 uid=77 ");
}

/* It was never admitted. */
static void a_stranger(void **state)
{
    (void)state;
    end(client_upgrade(LISTENER_WS));
    expect_line("connection closed reason=peer code=0 address=127.0.0.1 transport=ws");
    assert_int_equal(count("session closed"), 0);
}

/* Those that are left when the daemon ends did not leave. */
static void sessions_that_are_left(void **state)
{
    (void)state;
    int fd = client_login();
    frontend_hang_up(&fixture);
    step();
    expect_line("session closed reason=us code=0 ");
    close(fd);
}

static void nothing_at_info(void **state)
{
    (void)state;
    log_set_level("info");
    end(client_login());
    assert_int_equal(count("closed"), 0);
}

#define END_TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_code_has_its_word), END_TEST(a_session_that_leaves),
        END_TEST(a_session_that_is_ended),        END_TEST(a_stranger),
        END_TEST(sessions_that_are_left),         END_TEST(nothing_at_info),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
