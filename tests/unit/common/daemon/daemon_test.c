/* Daemons that run: admin pages, readiness, memory, drain, membership. */
#include "tests/unit/common/daemon/daemon_fixture.h"

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

static void expect_host(int port, const char *request, const char *host, const char *status,
                        const char *part)
{
    const char *text = ask_host(port, request, host);

    if (strncmp(text, "HTTP/1.1 ", 9) != 0 || strncmp(text + 9, status, 3) != 0 ||
        strstr(text, part) == NULL)
        fail_msg("%s for %s: wanted %s with \"%s\", got: %s", request, host, status, part, text);
}

/* A web page's name that was made to lead to loopback: without keys nothing else tells the browser
 * from a program. */
static void test_foreign_host(void **state)
{
    static const char *const ours[] = {"localhost", "127.0.0.1:20001", "[::1]", "192.0.2.1",
                                       "admin.example:80"};
    struct child child;
    (void)state;
    setenv("IMC_TEST_ADMIN_HOSTS", "other, admin.example", 1);
    run_daemon(&child, "lack of");
    unsetenv("IMC_TEST_ADMIN_HOSTS");
    for (size_t i = 0; i < sizeof(ours) / sizeof(ours[0]); i++)
        expect_host(child.port, "GET /config", ours[i], "200", "mode = lack of");
    expect_host(child.port, "GET /config", "evil.example", "403", "admin.hosts");
    expect_host(child.port, "GET /metrics", "evil.example:20001", "403", "admin.hosts");
    expect_host(child.port, "POST /member?kind=comet&id=x&epoch=1&dead=7", "evil.example", "403",
                "admin.hosts");
    expect_host(child.port, "GET /nowhere", "evil.example", "403", "admin.hosts");
    /* Probes are answered as strangers are: no reasons. */
    expect_host(child.port, "GET /healthz", "evil.example", "200", "ok\n");
    expect_host(child.port, "GET /readyz", "evil.example", "503", "\r\n\r\nnot ready\n");
    expect_host(child.port, "GET /readyz", "localhost", "503", "of: not ready: it is not there\n");
    expect_page(child.port, "GET /metrics", "200", "\nimc_admin_refused_total 4");
    assert_non_null(strstr(contents(child.err), "outcome=403 why=host"));
    kill(child.pid, SIGTERM);
    assert_int_equal(wait_exit(&child), 0);
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

/* A terminal that hangs up ends no daemon, either. */
static void test_hangup_reads_files_anew(void **state)
{
    struct child child;
    (void)state;
    run_daemon(&child, "plain");
    await_page(child.port, "GET /readyz", "200", "running: ok\n");
    kill(child.pid, SIGHUP);
    await_page(child.port, "GET /metrics", "200",
               "\nimc_reloads_total{what=\"tls\",result=\"ok\"} 1\n");
    expect_page(child.port, "GET /readyz", "200", "running: ok\n");
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_admin_pages),
        cmocka_unit_test(test_foreign_host),
        cmocka_unit_test(test_ready_for_a_use),
        cmocka_unit_test(test_drain),
        cmocka_unit_test(test_hangup_reads_files_anew),
        cmocka_unit_test(test_memory_limit),
        cmocka_unit_test(test_drain_deadline_and_second_signal),
        cmocka_unit_test(test_port_in_use),
        cmocka_unit_test(test_failed_start),
        cmocka_unit_test(test_join),
        cmocka_unit_test(test_join_by_list),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
