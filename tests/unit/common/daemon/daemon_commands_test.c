/* The command line and the settings, before anything runs. */
#include "tests/unit/common/daemon/daemon_fixture.h"

#include <fcntl.h>

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
    expect_refusal("IMC_TEST_LOG_FORMAT", "xml",
                   "log.format: \"xml\" is not accepted; want text or json");
    expect_refusal("IMC_TEST_RPC_TLS", "yes", "want off, on or mutual");
    expect_refusal("IMC_TEST_RPC_TLS", "mutual", "set tls.certificate and tls.key");
    expect_refusal("IMC_TEST_RPC_KEY_FILE", "/nowhere", "cannot read \"/nowhere\"");
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

static void test_open_rpc_needs_a_guard(void **state)
{
    struct child child;
    (void)state;
    setenv("IMC_TEST_RPC_INSECURE", "no", 1);
    run(&child, ARGS(NULL));
    assert_int_equal(wait_exit(&child), 1);
    assert_non_null(strstr(contents(child.err), "rpc.insecure = yes"));
    drop(&child);
    expect_refusal("IMC_TEST_RPC_LISTEN", "0.0.0.0:1", "could speak as any daemon");
    unsetenv("IMC_TEST_RPC_INSECURE");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_commands),
        cmocka_unit_test(test_usage_errors),
        cmocka_unit_test(test_bad_settings),
        cmocka_unit_test(test_open_listeners_are_warned_of),
        cmocka_unit_test(test_open_rpc_needs_a_guard),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
