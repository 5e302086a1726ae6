/* daemon_fixture.h - small daemons in processes of their own, looked at from outside. */
#ifndef IMC_TESTS_UNIT_COMMON_DAEMON_DAEMON_FIXTURE_H
#define IMC_TESTS_UNIT_COMMON_DAEMON_DAEMON_FIXTURE_H

#include "common/daemon/internal.h"
#include "tests/unit/lib/redis_server.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/mman.h>
#include <time.h>

#include <cmocka.h>

#define TEXT_SIZE 65536
#define LATE_MS   60000 /* no bound: the machine may be busy */

struct config {
    struct daemon_config daemon;
    char *mode; /* what the daemon does, see start() and drain() */
    int64_t number;
};
/* clang-format off */
static const struct config_row rows[] = {
    {"test", "mode", CONFIG_STRING, offsetof(struct config, mode), "plain", 0, 0, "What it does.", false},
    {"test", "number", CONFIG_INT, offsetof(struct config, number), "1", 0, 99, "A number.", false},
    {0},
};
/* clang-format on */

static const struct metric_row metrics[] = {
    {.name = "imc_test_starts_total", .type = METRIC_COUNTER, .help = "Starts."},
    {.name = "imc_test_scrapes_total", .type = METRIC_COUNTER, .help = "Scrapes."},
    {.name = "imc_test_told",
     .type = METRIC_GAUGE,
     .help = "Times it was told that memory is short."},
};

static inline const char *mode_of(struct daemon *daemon)
{
    return ((struct config *)daemon->config)->mode;
}

static inline int check(const void *config, char *err, size_t errlen)
{
    if (((const struct config *)config)->number != 13)
        return 0;
    snprintf(err, errlen, "test.number: 13 brings bad luck");
    return -EINVAL;
}

/* Mode "hungry": takes more than its limit, and lets go of it when it has been told so often that
 * little is left, and somebody has seen that. */
static struct {
    void *much;
    int told, looked;
} hunger;

enum { MUCH = 300 << 20, OFTEN = 5 };

static inline void hungry(struct daemon *daemon)
{
    daemon->state = &hunger;
    hunger.much = mmap(NULL, MUCH, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    for (size_t at = 0; at < MUCH; at += 4096)
        ((volatile char *)hunger.much)[at] = 1;
}

static inline void on_memory(struct daemon *daemon, enum memory_level level)
{
    hunger.told += level != MEMORY_OK && hunger.told < OFTEN;
    metric_set(daemon->counters, 2, level == MEMORY_OK ? -hunger.told : hunger.told);
    if (level == MEMORY_CRITICAL && hunger.much != NULL && hunger.looked == OFTEN) {
        munmap(hunger.much, MUCH);
        hunger.much = NULL;
    }
}

static inline int start(struct daemon *daemon)
{
    static struct member self;
    static struct redis *redis;
    static struct membership *membership;
    metric_add(daemon->counters, 0, 1);
    if (strcmp(mode_of(daemon), "fail") == 0)
        return -EIO;
    if (strcmp(mode_of(daemon), "hungry") == 0)
        hungry(daemon);
    if (strncmp(mode_of(daemon), "lack ", 5) == 0) /* of a condition */
        daemon_ready(daemon, mode_of(daemon) + 5, false, "it is not there");
    if (strcmp(mode_of(daemon), "join") == 0)
        return daemon_join(daemon, &self, 1U << MEMBER_JOB, &(struct membership_events){0}, NULL,
                           &redis, &membership);
    return 0;
}

static inline void on_drained(uv_timer_t *timer)
{
    daemon_drained(timer->data);
}

static inline void drained_soon(struct daemon *daemon)
{
    static uv_timer_t timer;
    timer.data = daemon;
    uv_timer_init(&daemon->loop.uv, &timer);
    uv_timer_start(&timer, on_drained, 1, 0);
}

static bool draining;

/* Mode "stuck" never ends, mode "watched" when its metrics are read meanwhile. */
static inline void drain(struct daemon *daemon)
{
    draining = true;
    if (strcmp(mode_of(daemon), "stuck") != 0 && strcmp(mode_of(daemon), "watched") != 0)
        drained_soon(daemon);
}

static inline void scrape(struct daemon *daemon)
{
    metric_add(daemon->counters, 1, 1);
    hunger.looked = hunger.told;
    if (draining && strcmp(mode_of(daemon), "watched") == 0)
        drained_soon(daemon);
}

static const struct daemon_need needs[] = {
    {"for_push", USE_PUSH},
    {"for_store", USE_CONNECT | USE_STORE},
    {"for_nothing", 0},
    {NULL, 0},
};

static const struct daemon_spec spec = {
    .name = "test",
    .summary = "a daemon for tests",
    .kind = MEMBER_JOB,
    .admin_default = "127.0.0.1:20001",
    .rpc_default = "0.0.0.0:20002",
    .rows = rows,
    .config_size = sizeof(struct config),
    .needs = needs,
    .metrics = metrics,
    .n_metrics = 3,
    .check = check,
    .start = start,
    .drain = drain,
    .scrape = scrape,
    .memory = on_memory,
    .memory_refused = "second helpings",
};

struct child {
    pid_t pid;
    int port;
    int out, err; /* files */
};

static inline int temporary(void)
{
    char path[] = "/tmp/imc-daemon-test-XXXXXX";
    int fd = mkstemp(path);
    unlink(path);
    return fd;
}

static inline const char *contents(int fd)
{
    static char text[TEXT_SIZE];
    ssize_t n = pread(fd, text, sizeof(text) - 1, 0);
    text[n > 0 ? n : 0] = '\0';
    return text;
}

/* Arguments end with NULL. */
static inline void run(struct child *child, const char *const *args)
{
    char *argv[16] = {(char *)(uintptr_t) "imc-test"};
    int argc = 1;
    for (; args[argc - 1] != NULL; argc++)
        argv[argc] = (char *)(uintptr_t)args[argc - 1];
    child->out = temporary();
    child->err = temporary();
    fflush(NULL);
    child->pid = fork();
    if (child->pid == 0) {
        setenv("IMC_TEST_RPC_INSECURE", "yes", 0); /* the default is open to other machines */
        dup2(child->out, STDOUT_FILENO);
        dup2(child->err, STDERR_FILENO);
        exit(daemon_main(&spec, argc, argv));
    }
}

static inline int wait_exit(struct child *child)
{
    int status = 0;
    assert_int_equal(waitpid(child->pid, &status, 0), child->pid);
    if (!WIFEXITED(status))
        fail_msg("killed by signal %d: %s", WTERMSIG(status), contents(child->err));
    return WEXITSTATUS(status);
}

static inline void drop(struct child *child)
{
    close(child->out);
    close(child->err);
}

static inline void expect_command(const char *const *args, int code, const char *out,
                                  const char *err)
{
    struct child child;
    run(&child, args);
    int got = wait_exit(&child);
    if (got != code || strstr(contents(child.out), out) == NULL)
        fail_msg("code %d, stdout: %s", got, contents(child.out));
    if (strstr(contents(child.err), err) == NULL)
        fail_msg("stderr: %s", contents(child.err));
    drop(&child);
}

static inline int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* The whole answer of the admin listener, asked by the name HOST; "" if it does not listen. */
static inline const char *ask_host(int port, const char *request, const char *host)
{
    static char text[TEXT_SIZE];
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    size_t used = 0;
    ssize_t n;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    text[0] = '\0';
    if (connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0) {
        char line[256];
        snprintf(line, sizeof(line), "%s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n",
                 request, host);
        assert_int_equal(send(fd, line, strlen(line), MSG_NOSIGNAL), (ssize_t)strlen(line));
        while ((n = recv(fd, text + used, sizeof(text) - 1 - used, 0)) > 0)
            used += (size_t)n;
        text[used] = '\0';
    }
    close(fd);
    return text;
}

static inline const char *ask(int port, const char *request)
{
    return ask_host(port, request, "localhost");
}

static inline bool answers(int port, const char *request, const char *status, const char *part)
{
    const char *text = ask(port, request);
    return strncmp(text, "HTTP/1.1 ", 9) == 0 && strncmp(text + 9, status, 3) == 0 &&
           strstr(text, part) != NULL;
}

static inline void expect_page(int port, const char *request, const char *status, const char *part)
{
    if (!answers(port, request, status, part))
        fail_msg("%s: wanted %s with \"%s\", got: %s", request, status, part, ask(port, request));
}

static inline void await_page(int port, const char *request, const char *status, const char *part)
{
    for (int64_t end = now_ms() + LATE_MS; now_ms() < end; usleep(2000)) {
        if (answers(port, request, status, part))
            return;
    }
    expect_page(port, request, status, part);
}

/* A daemon in MODE on a port of its own, until it serves admin pages. */
static inline void run_daemon(struct child *child, const char *mode)
{
    static const char *const no_args[] = {NULL};
    char address[32];
    child->port = pick_port();
    snprintf(address, sizeof(address), "127.0.0.1:%d", child->port);
    setenv("IMC_TEST_ADMIN_LISTEN", address, 1);
    setenv("IMC_TEST_TEST_MODE", mode, 1);
    int port = child->port;
    run(child, no_args);
    unsetenv("IMC_TEST_ADMIN_LISTEN");
    unsetenv("IMC_TEST_TEST_MODE");
    await_page(port, "GET /healthz", "200", "ok");
}

#define ARGS(...) ((const char *const[]){__VA_ARGS__, NULL})

#endif
