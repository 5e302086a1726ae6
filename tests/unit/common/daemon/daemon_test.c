/* Each test runs small daemons in processes of their own and looks at them from outside. */
#include "common/daemon/internal.h"
#include "tests/unit/lib/redis_server.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
/* cmocka wants these first */
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <time.h>

#define TEXT_SIZE 65536
#define LATE_MS   60000 /* no bound: the machine may be busy */

struct config {
    struct daemon_config daemon;
    char *mode; /* what the daemon does, see start() and drain() */
    int64_t number;
};

/* clang-format off */
static const struct config_row rows[] = {
    {"test", "mode", CONFIG_STRING, offsetof(struct config, mode), "plain", 0, 0, "What it does."},
    {"test", "number", CONFIG_INT, offsetof(struct config, number), "1", 0, 99, "A number."},
    {0},
};
/* clang-format on */

static const struct metric_row metrics[] = {
    {"imc_test_starts_total", NULL, METRIC_COUNTER, "Starts."},
    {"imc_test_scrapes_total", NULL, METRIC_COUNTER, "Scrapes."},
    {"imc_test_told", NULL, METRIC_GAUGE, "Times it was told that memory is short."},
};

static const char *mode_of(struct daemon *daemon)
{
    return ((struct config *)daemon->config)->mode;
}

static int check(const void *config, char *err, size_t errlen)
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

static void hungry(struct daemon *daemon)
{
    daemon->state = &hunger;
    hunger.much = mmap(NULL, MUCH, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    for (size_t at = 0; at < MUCH; at += 4096)
        ((volatile char *)hunger.much)[at] = 1;
}

static void on_memory(struct daemon *daemon, enum memory_level level)
{
    hunger.told += level != MEMORY_OK && hunger.told < OFTEN;
    metric_set(daemon->counters, 2, level == MEMORY_OK ? -hunger.told : hunger.told);
    if (level == MEMORY_CRITICAL && hunger.much != NULL && hunger.looked == OFTEN) {
        munmap(hunger.much, MUCH);
        hunger.much = NULL;
    }
}

static int start(struct daemon *daemon)
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

static void on_drained(uv_timer_t *timer)
{
    daemon_drained(timer->data);
}

static void drained_soon(struct daemon *daemon)
{
    static uv_timer_t timer;
    timer.data = daemon;
    uv_timer_init(&daemon->loop.uv, &timer);
    uv_timer_start(&timer, on_drained, 1, 0);
}

static bool draining;

/* Mode "stuck" never ends, mode "watched" when its metrics are read meanwhile. */
static void drain(struct daemon *daemon)
{
    draining = true;
    if (strcmp(mode_of(daemon), "stuck") != 0 && strcmp(mode_of(daemon), "watched") != 0)
        drained_soon(daemon);
}

static void scrape(struct daemon *daemon)
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

static int temporary(void)
{
    char path[] = "/tmp/imc-daemon-test-XXXXXX";
    int fd = mkstemp(path);
    unlink(path);
    return fd;
}

static const char *contents(int fd)
{
    static char text[TEXT_SIZE];
    ssize_t n = pread(fd, text, sizeof(text) - 1, 0);
    text[n > 0 ? n : 0] = '\0';
    return text;
}

static bool close_stderr; /* of the next child */

/* Arguments end with NULL. */
static void run(struct child *child, const char *const *args)
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
        dup2(child->out, STDOUT_FILENO);
        dup2(child->err, STDERR_FILENO);
        if (close_stderr)
            close(STDERR_FILENO);
        exit(daemon_main(&spec, argc, argv));
    }
}

static int wait_exit(struct child *child)
{
    int status = 0;
    assert_int_equal(waitpid(child->pid, &status, 0), child->pid);
    if (!WIFEXITED(status))
        fail_msg("killed by signal %d: %s", WTERMSIG(status), contents(child->err));
    return WEXITSTATUS(status);
}

static void drop(struct child *child)
{
    close(child->out);
    close(child->err);
}

static void expect_command(const char *const *args, int code, const char *out, const char *err)
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

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* The whole answer of the admin listener; "" if it does not listen. */
static const char *ask(int port, const char *request)
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
        snprintf(line, sizeof(line), "%s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
                 request);
        assert_int_equal(send(fd, line, strlen(line), MSG_NOSIGNAL), (ssize_t)strlen(line));
        while ((n = recv(fd, text + used, sizeof(text) - 1 - used, 0)) > 0)
            used += (size_t)n;
        text[used] = '\0';
    }
    close(fd);
    return text;
}

static bool answers(int port, const char *request, const char *status, const char *part)
{
    const char *text = ask(port, request);
    return strncmp(text, "HTTP/1.1 ", 9) == 0 && strncmp(text + 9, status, 3) == 0 &&
           strstr(text, part) != NULL;
}

static void expect_page(int port, const char *request, const char *status, const char *part)
{
    if (!answers(port, request, status, part))
        fail_msg("%s: wanted %s with \"%s\", got: %s", request, status, part, ask(port, request));
}

static void await_page(int port, const char *request, const char *status, const char *part)
{
    for (int64_t end = now_ms() + LATE_MS; now_ms() < end; usleep(2000)) {
        if (answers(port, request, status, part))
            return;
    }
    expect_page(port, request, status, part);
}

/* A daemon in MODE on a port of its own, until it serves admin pages. */
static void run_daemon(struct child *child, const char *mode)
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

static int health(int port, const char *out, const char *err)
{
    static const char *const args[] = {"--health", NULL};
    struct child child;
    char address[32];
    snprintf(address, sizeof(address), "127.0.0.1:%d", port);
    setenv("IMC_TEST_ADMIN_LISTEN", address, 1);
    run(&child, args);
    unsetenv("IMC_TEST_ADMIN_LISTEN");
    int code = wait_exit(&child);
    assert_non_null(strstr(contents(child.out), out));
    assert_non_null(strstr(contents(child.err), err));
    drop(&child);
    return code;
}

#define ARGS(...) ((const char *const[]){__VA_ARGS__, NULL})

static void test_commands(void **state)
{
    (void)state;
    expect_command(ARGS("--version"), 0, "imc-test " IMC_VERSION "\n", "");
    expect_command(ARGS("--help"), 0, "a daemon for tests", "");
    expect_command(ARGS("--check"), 0, "configuration ok\n", "");
    expect_command(ARGS("--dump-config"), 0, "\nlisten = 127.0.0.1:20001\n", "");
    expect_command(ARGS("--dump-config"), 0, "\n[test]\n", "");
    expect_command(ARGS("--doc-config"), 0, "| `rpc.listen` | `0.0.0.0:20002` |", "");
    expect_command(ARGS("--doc-metrics"), 0, "imc_test_starts_total", "");
    expect_command(ARGS("--doc-metrics"), 0, "process_open_fds", "");
}

static void test_usage_errors(void **state)
{
    (void)state;
    expect_command(ARGS("--chek"), 1, "",
                   "imc-test: unknown option --chek; --help lists what there is\n");
    expect_command(ARGS("-c"), 1, "", "a value is missing after -c");
    expect_command(ARGS("file.ini"), 1, "", "unexpected argument file.ini");
    expect_command(ARGS("--check", "--health"), 1, "", "one command at a time, not also --health");
    expect_command(ARGS("-c", "/nonexistent", "--check"), 1, "", "/nonexistent: no such file");
}

static void expect_refusal(const char *name, const char *value, const char *why)
{
    setenv(name, value, 1);
    expect_command(ARGS("--check"), 1, "", why);
    unsetenv(name);
}

static void test_bad_settings(void **state)
{
    char longest[100];
    (void)state;
    expect_refusal("IMC_TEST_TEST_NUMBER", "100",
                   "imc-test: IMC_TEST_TEST_NUMBER: \"100\" is not accepted");
    expect_refusal("IMC_TEST_TEST_NUMBER", "13", "13 brings bad luck");
    expect_refusal("IMC_TEST_TEST_NUMER", "1", "did you mean IMC_TEST_TEST_NUMBER?");
    expect_refusal("IMC_TEST_LOG_LEVEL", "loud", "log.level: \"loud\" is not accepted; want debug");
    expect_refusal("IMC_TEST_LEASE_TTL", "1s",
                   "lease.ttl (1000ms) must be at least twice lease.renew");
    expect_refusal("IMC_TEST_MEMBERS_STATIC", "10.0.0.1:8093, comet",
                   "imc-test: members.static: \"comet\": host:port is wanted");
    setenv("IMC_TEST_MEMBERS_STATIC", "10.0.0.1:8093, comet:8093", 1);
    expect_command(ARGS("--check"), 0, "configuration ok\n", "");
    unsetenv("IMC_TEST_MEMBERS_STATIC");
    memset(longest, 'i', 64);
    longest[64] = '\0';
    expect_refusal("IMC_TEST_LEASE_ID", longest, "is longer than 63 bytes");
}

static void test_admin_pages(void **state)
{
    struct child child;
    (void)state;
    setenv("IMC_TEST_REDIS_PASSWORD", "hush", 1);
    run_daemon(&child, "plain");
    unsetenv("IMC_TEST_REDIS_PASSWORD");
    await_page(child.port, "GET /readyz", "200", "running: ok\n");
    expect_page(child.port, "GET /metrics", "200", "\nimc_test_starts_total 1\n");
    expect_page(child.port, "GET /metrics", "200", "\nimc_test_scrapes_total 2\n");
    expect_page(child.port, "GET /metrics", "200", "\nprocess_resident_memory_bytes ");
    expect_page(child.port, "GET /metrics", "200", "imc_build_info{daemon=\"test\"");
    expect_page(child.port, "GET /version", "200",
                "{\"name\":\"imc-test\",\"version\":\"" IMC_VERSION "\"}\n");
    expect_page(child.port, "GET /config", "200", "\nmode = plain\n");
    assert_null(strstr(ask(child.port, "GET /config"), "hush"));
    expect_page(child.port, "GET /", "200", "/metrics\n");
    expect_page(child.port, "GET /", "200", "/member\n");
    expect_page(child.port, "GET /member", "503", "not a member yet\n");
    expect_page(child.port, "GET /nowhere", "404", "no such page");
    expect_page(child.port, "POST /metrics", "405", "Allow: GET, HEAD");
    expect_page(child.port, "HEAD /metrics", "200", "Content-Length");
    assert_int_equal(health(child.port, "", ""), 0);
    kill(child.pid, SIGTERM);
    assert_int_equal(wait_exit(&child), 0);
    assert_int_equal(health(child.port, "", "connection refused"), 1);
    drop(&child);
}

static void test_ready_for_a_use(void **state)
{
    static const struct {
        const char *mode, *all, *push, *connect, *store, *shown;
    } cases[] = {
        {"plain", "200", "200", "200", "200", "running: ok\n"},
        {"lack of", "503", "503", "503", "503", "of: not ready: it is not there\n"},
        {"lack for_push", "503", "503", "200", "200",
         "for_push: not ready: it is not there (needed for push)\n"},
        {"lack for_store", "503", "200", "503", "503",
         "for_store: not ready: it is not there (needed for connect, store)\n"},
        {"lack for_nothing", "200", "200", "200", "200",
         "for_nothing: not ready: it is not there (shown only)\n"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct child child;
        run_daemon(&child, cases[i].mode);
        await_page(child.port, "GET /readyz", cases[i].all, "running: ok\n");
        expect_page(child.port, "GET /readyz", cases[i].all, cases[i].shown);
        expect_page(child.port, "GET /readyz?for=push", cases[i].push, cases[i].shown);
        expect_page(child.port, "GET /readyz?for=connect", cases[i].connect, cases[i].shown);
        expect_page(child.port, "GET /readyz?for=store", cases[i].store, cases[i].shown);
        expect_page(child.port, "GET /readyz?for=push&for=store", cases[i].all, cases[i].shown);
        expect_page(child.port, "GET /readyz?for=fun", "400", "for: push, connect or store");
        expect_page(child.port, "GET /readyz?for=push&for=push&for=push&for=push", "400", "once");
        kill(child.pid, SIGTERM);
        assert_int_equal(wait_exit(&child), 0);
        drop(&child);
    }
}

static void test_drain(void **state)
{
    struct child child;
    (void)state;
    run_daemon(&child, "watched");
    await_page(child.port, "GET /readyz", "200", "running: ok\n");
    kill(child.pid, SIGINT);
    await_page(child.port, "GET /readyz", "503", "running: not ready: draining\n");
    assert_int_equal(health(child.port, "running: not ready: draining", ""), 1);
    expect_page(child.port, "GET /metrics", "200", "\nimc_test_starts_total 1\n");
    assert_int_equal(wait_exit(&child), 0);
    drop(&child);
}

static void test_memory_limit(void **state)
{
    struct child child;
    (void)state;
    setenv("IMC_TEST_MEMORY_LIMIT", "256m", 1);
    run_daemon(&child, "hungry");
    unsetenv("IMC_TEST_MEMORY_LIMIT");
    await_page(child.port, "GET /readyz", "503",
               "memory: not ready: little of memory.limit (256 MiB) is left; refused: second "
               "helpings\n");
    expect_page(child.port, "GET /metrics", "200", "\nimc_memory_limit_bytes 268435456.000\n");
    char often[40]; /* each 100 ms it is told again */
    snprintf(often, sizeof(often), "\nimc_test_told %d\n", OFTEN);
    await_page(child.port, "GET /metrics", "200", often);
    await_page(child.port, "GET /readyz", "200", "memory: ok\n");
    snprintf(often, sizeof(often), "\nimc_test_told -%d\n", OFTEN);
    expect_page(child.port, "GET /metrics", "200", often); /* and once that it is over */
    expect_page(child.port, "GET /metrics", "200", "\nimc_memory_level 0.000\n");
    expect_page(child.port, "GET /metrics", "200", "\nimc_memory_shortages_total 1.000\n");
    kill(child.pid, SIGTERM);
    assert_int_equal(wait_exit(&child), 0);
    assert_non_null(strstr(contents(child.err), "memory is nearly used up used_mib="));
    assert_non_null(strstr(contents(child.err), "memory is enough again used_mib="));
    drop(&child);
}

/* Without standard error, and with a terminal that hangs up. */
static void test_closed_stderr_and_hangup(void **state)
{
    struct child child;
    (void)state;
    close_stderr = true;
    run_daemon(&child, "plain");
    close_stderr = false;
    await_page(child.port, "GET /readyz", "200", "running: ok\n");
    kill(child.pid, SIGHUP);
    expect_page(child.port, "GET /metrics", "200", "\nimc_log_lost_total 0.000\n");
    kill(child.pid, SIGTERM);
    assert_int_equal(wait_exit(&child), 0);
    drop(&child);
}

static void test_drain_deadline_and_second_signal(void **state)
{
    struct child child;
    (void)state;
    setenv("IMC_TEST_DAEMON_DRAIN", "400ms", 1);
    run_daemon(&child, "stuck");
    int64_t start_ms = now_ms();
    kill(child.pid, SIGTERM);
    assert_int_equal(wait_exit(&child), 1);
    assert_in_range(now_ms() - start_ms, 380, LATE_MS);
    assert_non_null(strstr(contents(child.err), "drain took too long"));
    drop(&child);
    setenv("IMC_TEST_DAEMON_DRAIN", "1h", 1);
    run_daemon(&child, "stuck");
    unsetenv("IMC_TEST_DAEMON_DRAIN");
    kill(child.pid, SIGTERM);
    await_page(child.port, "GET /readyz", "503", "draining");
    kill(child.pid, SIGTERM);
    assert_int_equal(wait_exit(&child), 1);
    drop(&child);
}

static void test_port_in_use(void **state)
{
    static const char *const no_args[] = {NULL};
    struct child child, second;
    char address[32], want[200];
    (void)state;
    run_daemon(&child, "plain");
    snprintf(address, sizeof(address), "127.0.0.1:%d", child.port);
    setenv("IMC_TEST_ADMIN_LISTEN", address, 1);
    run(&second, no_args);
    assert_int_equal(wait_exit(&second), 1);
    unsetenv("IMC_TEST_ADMIN_LISTEN");
    snprintf(want, sizeof(want),
             "cannot listen on %s (admin): address already in use; stop what holds it or set "
             "admin.listen / "
             "IMC_TEST_ADMIN_LISTEN\n",
             address);
    assert_non_null(strstr(contents(second.err), want));
    drop(&second);
    kill(child.pid, SIGTERM);
    assert_int_equal(wait_exit(&child), 0);
    drop(&child);
}

static void test_failed_start(void **state)
{
    (void)state;
    setenv("IMC_TEST_TEST_MODE", "fail", 1);
    setenv("IMC_TEST_ADMIN_LISTEN", "127.0.0.1:0", 1);
    expect_command(ARGS("--config", "/dev/null"), 1, "", "");
    unsetenv("IMC_TEST_TEST_MODE");
    unsetenv("IMC_TEST_ADMIN_LISTEN");
}

static void test_join(void **state)
{
    struct redis_server server;
    struct child child;
    (void)state;
    redis_server_start(&server, NULL);
    setenv("IMC_TEST_REDIS_SERVERS", server.address, 1);
    run_daemon(&child, "join");
    await_page(child.port, "GET /readyz", "200", "lease: ok\n");
    expect_page(child.port, "GET /readyz", "200", "redis: ok\n");
    expect_page(child.port, "GET /member", "200", "\"state\":\"held\"");
    expect_page(child.port, "GET /metrics", "200", "\nimc_member_lives_total 1.000\n");
    redis_server_kill(&server);
    await_page(child.port, "GET /readyz", "503", "redis: not ready: ");
    redis_server_run(&server);
    await_page(child.port, "GET /readyz", "200", "redis: ok\n");
    kill(child.pid, SIGTERM);
    assert_int_equal(wait_exit(&child), 0);
    drop(&child);
    redis_server_stop(&server);
    /* Without Redis it starts, says so, and stops in time. */
    run_daemon(&child, "join");
    unsetenv("IMC_TEST_REDIS_SERVERS");
    await_page(child.port, "GET /readyz", "503", "lease: not ready: ");
    int64_t start_ms = now_ms();
    kill(child.pid, SIGTERM);
    assert_int_equal(wait_exit(&child), 0);
    assert_in_range(now_ms() - start_ms, 0, LATE_MS);
    drop(&child);
}

static void test_join_by_list(void **state)
{
    struct child child;
    char list[64];
    (void)state;
    int port = pick_port();
    snprintf(list, sizeof(list), "127.0.0.1:%d", port);
    setenv("IMC_TEST_MEMBERS_STATIC", list, 1);
    setenv("IMC_TEST_REDIS_SERVERS", "127.0.0.1:1", 1); /* membership does without it */
    run_daemon(&child, "join");
    unsetenv("IMC_TEST_MEMBERS_STATIC");
    unsetenv("IMC_TEST_REDIS_SERVERS");
    await_page(child.port, "GET /readyz", "503", "lease: ok\n");
    expect_page(child.port, "GET /readyz", "503", "redis: not ready: ");
    expect_page(child.port, "GET /member", "200", "\"kind\":\"job\"");
    expect_page(child.port, "HEAD /member", "200", "Content-Length");
    expect_page(child.port, "POST /member", "405", "Allow: GET, HEAD"); /* nothing is said */
    expect_page(child.port, "POST /member?kind=comet&id=x&epoch=1&dead=7", "200",
                "\"kind\":\"job\"");
    expect_page(child.port, "GET /metrics", "200", "\nimc_members_silent 1.000\n");
    kill(child.pid, SIGTERM);
    assert_int_equal(wait_exit(&child), 0);
    drop(&child);
}

static void expect_warning(const char *setting, const char *address, bool wanted)
{
    struct child child;
    char part[128];
    snprintf(part, sizeof(part), "open to other machines %s=%s", setting, address);
    run_daemon(&child, "plain");
    kill(child.pid, SIGTERM);
    assert_int_equal(wait_exit(&child), 0);
    if ((strstr(contents(child.err), part) != NULL) != wanted)
        fail_msg("%s=%s: %s", setting, address, contents(child.err));
    drop(&child);
}

static void test_open_listeners_are_warned_of(void **state)
{
    static const struct {
        const char *address;
        bool open;
    } cases[] = {
        {"0.0.0.0:1", true},     {"[::]:1", true},   {"192.0.2.1:1", true},  {"127.0.0.1:1", false},
        {"127.99.0.1:1", false}, {"[::1]:1", false}, {"localhost:1", false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        setenv("IMC_TEST_RPC_LISTEN", cases[i].address, 1);
        expect_warning("rpc.listen", cases[i].address, cases[i].open);
    }
    unsetenv("IMC_TEST_RPC_LISTEN");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_commands),
        cmocka_unit_test(test_usage_errors),
        cmocka_unit_test(test_bad_settings),
        cmocka_unit_test(test_open_listeners_are_warned_of),
        cmocka_unit_test(test_admin_pages),
        cmocka_unit_test(test_ready_for_a_use),
        cmocka_unit_test(test_drain),
        cmocka_unit_test(test_closed_stderr_and_hangup),
        cmocka_unit_test(test_memory_limit),
        cmocka_unit_test(test_drain_deadline_and_second_signal),
        cmocka_unit_test(test_port_in_use),
        cmocka_unit_test(test_failed_start),
        cmocka_unit_test(test_join),
        cmocka_unit_test(test_join_by_list),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
