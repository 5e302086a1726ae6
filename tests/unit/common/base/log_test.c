/* Standard error goes to a file while a test runs. */
#include "common/base/log.h"
#include "common/base/log_sink.h"
#include "tests/unit/lib/clock.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
/* cmocka wants these first */
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define CAPTURE_SIZE (1 << 20)

static char captured[CAPTURE_SIZE];
static int saved_stderr, capture_fd;

static int begin(void **state)
{
    char path[] = "/tmp/imc-log-test-XXXXXX";
    (void)state;
    capture_fd = mkstemp(path);
    unlink(path);
    saved_stderr = dup(STDERR_FILENO);
    dup2(capture_fd, STDERR_FILENO);
    log_open("comet");
    log_set_level("info");
    log_set_format("text");
    return 0;
}

static int end(void **state)
{
    (void)state;
    dup2(saved_stderr, STDERR_FILENO);
    close(saved_stderr);
    close(capture_fd);
    return 0;
}

static const char *read_capture(void)
{
    ssize_t n = pread(capture_fd, captured, sizeof(captured) - 1, 0);
    captured[n > 0 ? n : 0] = '\0';
    return captured;
}

static size_t count_lines(const char *text)
{
    size_t n = 0;
    for (; *text != '\0'; text++)
        n += *text == '\n';
    return n;
}

static void test_form(void **state)
{
    regex_t regex;
    (void)state;
    log_warn("redis down", "server=%s retry_ms=%d", "127.0.0.1:6379", 100);
    assert_int_equal(regcomp(&regex,
                             "^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\\.[0-9]{3}Z "
                             "warn  comet redis down "
                             "server=127\\.0\\.0\\.1:6379 retry_ms=100\n$",
                             REG_EXTENDED),
                     0);
    assert_int_equal(regexec(&regex, read_capture(), 0, NULL, 0), 0);
    regfree(&regex);
}

static void test_levels(void **state)
{
    (void)state;
    log_debug("quiet", "n=%d", 1);
    assert_string_equal(read_capture(), "");
    assert_int_equal(log_set_level("debug"), 0);
    log_debug("loud", "n=%d", 1);
    assert_non_null(strstr(read_capture(), "debug comet loud n=1\n"));
    assert_int_equal(log_set_level("error"), 0);
    log_warn("quiet", "n=%d", 2);
    log_error("bad", "n=%d", 3);
    assert_null(strstr(read_capture(), "quiet"));
    assert_non_null(strstr(read_capture(), "error comet bad n=3\n"));
    assert_int_equal(log_set_level("loudest"), -EINVAL);
    assert_int_equal(log_threshold, LOG_ERROR);
}

/* Text from a peer cannot start a line or speak to a terminal. */
static void test_control_characters(void **state)
{
    (void)state;
    log_info("bad key", "key=\"%s\"",
             "a\n2026-01-01T00:00:00.000Z info  comet forged\r\tb\x1b[31m\x7f\xc3\xa4");
    const char *text = read_capture();
    assert_int_equal(count_lines(text), 1);
    assert_non_null(strstr(text, "key=\"a\\n2026"));
    assert_non_null(strstr(text, "forged\\r\\tb\\x1b[31m\\x7f\xc3\xa4\"\n"));
}

static void test_long_lines_are_cut(void **state)
{
    char *text = malloc(100000);
    (void)state;
    memset(text, '\n', 99999);
    text[99999] = '\0';
    log_info("long", "text=%s", text);
    free(text);
    assert_int_equal(count_lines(read_capture()), 1);
    assert_in_range(strlen(captured), 3900, 4096);
    assert_int_equal(captured[strlen(captured) - 1], '\n');
}

static void spam(int n)
{
    for (int i = 0; i < n; i++)
        log_info("spam", "i=%d", i);
}

static void test_rate_limit(void **state)
{
    (void)state;
    static _Atomic int64_t day_us = 1700000000000000;
    clock_share_day(&day_us); /* so that all of it is in one second */
    spam(100);
    log_info("other site", "n=%d", 1);
    assert_int_equal(count_lines(read_capture()), 11);
    clock_move(1000);
    spam(1);
    assert_int_equal(count_lines(read_capture()), 12);
    assert_non_null(strstr(captured, "spam i=0 suppressed=90\n"));
    spam(1);
    assert_int_equal(count_lines(read_capture()), 13);
    assert_string_equal(strstr(captured, "suppressed=90\n") + 14 + 25, "info  comet spam i=0\n");
    clock_give_back();
}

/* The same lines as JSON; what is left out is counted there as well. */
static void test_json(void **state)
{
    (void)state;
    static _Atomic int64_t day_us = 1700000000000000;
    assert_int_equal(log_set_format("xml"), -EINVAL);
    assert_true(log_format_is_known("json") && !log_format_is_known("JSON"));
    assert_int_equal(log_set_format("json"), 0);
    clock_share_day(&day_us);
    for (int i = 0; i < 31; i++) {
        if (i == 30)
            clock_move(1000);
        log_warn("redis down", "server=%s retry_ms=%d", "a\nb", i);
    }
    log_debug("quiet", "n=%d", 1);
    clock_give_back();
    const char *text = read_capture();
    assert_int_equal(count_lines(text), 11);
    assert_ptr_equal(strstr(text, "{\"time\":\"2023-11-14T22:13:20.000Z\",\"level\":\"warn\","
                                  "\"daemon\":\"comet\",\"msg\":\"redis down\","
                                  "\"server\":\"a\\u000ab\",\"retry_ms\":0}\n"),
                     text);
    assert_non_null(strstr(text, "\"retry_ms\":30,\"suppressed\":20}\n"));
}

static void *spam_thread(void *arg)
{
    (void)arg;
    spam(5000);
    return NULL;
}

/* Nothing is lost uncounted: printed and suppressed add up. */
static void test_threads(void **state)
{
    _Atomic int64_t day_us = 0;
    pthread_t threads[4];
    long total = 0;
    (void)state;
    spam(1);
    size_t before =
        count_lines(read_capture()); /* also takes what the test before left suppressed */
    size_t skip = strlen(captured);
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, spam_thread, NULL), 0);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    clock_share_day(&day_us);
    clock_move(1000);
    spam(1);
    clock_give_back();
    total = (long)(count_lines(read_capture()) - before);
    for (const char *at = strstr(captured + skip, "suppressed="); at != NULL;
         at = strstr(at + 1, "suppressed="))
        total += strtol(at + 11, NULL, 10);
    assert_int_equal(total, 20001);
}

static void test_errno_survives(void **state)
{
    (void)state;
    close(STDERR_FILENO); /* writing fails */
    errno = ENOENT;
    log_info("x", "n=%d", 1);
    assert_int_equal(errno, ENOENT);
}

/* --- who reads stands still --- */

static int pipe_fds[2];

static void stand_in(int fd)
{
    dup2(fd, STDERR_FILENO);
    close(fd);
    log_sink_open();
}

/* As many lines as there is room for, and some more; how many were lost of them. */
static uint64_t fill(void)
{
    static char text[3000];
    uint64_t before = log_lost();
    memset(text, 'x', sizeof text - 1);
    for (int i = 0; i < 400; i++) {
        struct log_site fresh = {0};
        log_write(&fresh, LOG_WARN, "fill", "n=%d text=%s", i, text);
    }
    return log_lost() - before;
}

/* All that is there, into captured. FD does not wait. */
static size_t drain(int fd)
{
    size_t used = 0;
    for (ssize_t n; used < CAPTURE_SIZE - 1; used += (size_t)n) {
        n = read(fd, captured + used, CAPTURE_SIZE - 1 - used);
        if (n <= 0)
            break;
    }
    captured[used] = '\0';
    return used;
}

static void lost_lines_are_counted_and_told(int reader)
{
    char want[64];
    (void)log_tell_lost(); /* what the test before has lost */
    drain(reader);
    uint64_t lost = fill();
    assert_in_range(lost, 1, 399);
    drain(reader);
    assert_int_equal(count_lines(captured), 400 - lost);
    log_info("after", "n=%d", 1);
    drain(reader);
    (void)snprintf(want, sizeof want, "log lines lost lines=%llu;", (unsigned long long)lost);
    assert_non_null(strstr(captured, want));
    assert_int_equal(count_lines(captured), 2); /* once */
    assert_non_null(strstr(captured, "after n=1"));
    assert_true(log_tell_lost());
    assert_int_equal(drain(reader), 0);
}

static void test_full_pipe(void **state)
{
    (void)state;
    assert_int_equal(pipe(pipe_fds), 0);
    int others = dup(pipe_fds[1]);
    fcntl(pipe_fds[0], F_SETFL, O_NONBLOCK);
    stand_in(pipe_fds[1]);
    lost_lines_are_counted_and_told(pipe_fds[0]);
    /* Whoever else has the pipe still may wait in it. */
    assert_int_equal(fcntl(others, F_GETFL) & O_NONBLOCK, 0);
    close(others);
    close(pipe_fds[0]);
}

static void test_lost_lines_as_json(void **state)
{
    (void)state;
    assert_int_equal(log_set_format("json"), 0);
    assert_int_equal(pipe(pipe_fds), 0);
    fcntl(pipe_fds[0], F_SETFL, O_NONBLOCK);
    stand_in(pipe_fds[1]);
    uint64_t lost = fill();
    drain(pipe_fds[0]);
    log_info("after", "n=%d", 1);
    drain(pipe_fds[0]);
    char want[128];
    (void)snprintf(want, sizeof want,
                   "\"msg\":\"log lines lost\",\"lines\":%llu,\"detail\":\"nobody read standard "
                   "error\"}\n{\"time\":",
                   (unsigned long long)lost);
    assert_non_null(strstr(captured, want));
    assert_int_equal(count_lines(captured), 2);
    close(pipe_fds[0]);
}

static void test_full_socket(void **state)
{
    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pipe_fds), 0);
    fcntl(pipe_fds[0], F_SETFL, O_NONBLOCK);
    stand_in(pipe_fds[1]);
    uint64_t lost = fill();
    assert_in_range(lost, 1, 399);
    drain(pipe_fds[0]);
    assert_true(log_tell_lost());
    drain(pipe_fds[0]);
    assert_non_null(strstr(captured, "log lines lost lines="));
    close(pipe_fds[0]);
}

/* In a process of its own: a descriptor that is missing is one that the next open() gets. */
static void test_closed_descriptors_are_filled(void **state)
{
    int status;
    (void)state;
    pid_t pid = fork();
    if (pid == 0) {
        close(STDIN_FILENO);
        close(STDERR_FILENO);
        log_sink_fill();
        _exit(open("/dev/null", O_RDONLY) > STDERR_FILENO ? 0 : 1);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

#define LOG_TEST(fn) cmocka_unit_test_setup_teardown(fn, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        LOG_TEST(test_form),
        LOG_TEST(test_levels),
        LOG_TEST(test_control_characters),
        LOG_TEST(test_long_lines_are_cut),
        LOG_TEST(test_rate_limit),
        LOG_TEST(test_json),
        LOG_TEST(test_threads),
        LOG_TEST(test_errno_survives),
        LOG_TEST(test_closed_descriptors_are_filled),
        LOG_TEST(test_full_pipe),
        LOG_TEST(test_lost_lines_as_json),
        LOG_TEST(test_full_socket), /* last: the sink stays one for sockets */
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
