/* TCP, addresses, and the process around a connection. */
#include "common/base/time.h"
#include "tests/unit/client/wire_fixture.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>

/* --- TCP --- */

/* The bytes that imgo exchanges (docs/protocol.md): token "k" asks, then the reply and two pushes.
 */
static void test_tcp(void **state)
{
    static const uint8_t bytes[] = "\0\0\0\x10\0\x10\0\1\0\0\0\x8\0\0\0\x4d"
                                   "\0\0\0\x12\0\x10\0\0\0\0\0\5\0\0\0\0hi"
                                   "\0\0\0\x15\0\x14\0\0\0\0\0\5\0\0\0\0....!";
    static const uint8_t auth[] = "\0\0\0\x11\0\x10\0\1\0\0\0\7\0\0\0\1k";
    struct peer peer = {.kind = PEER_TCP, .bytes = bytes, .len = sizeof bytes - 1};
    struct wire *wire = start(&peer);

    (void)state;
    expect(wire, 8, 0x4d, "");
    expect(wire, 5, 0, "hi");
    expect(wire, 5, 0, "!"); /* behind a longer header */
    expect_end(wire, -ECONNRESET, "closed");
    peer_stop(&peer, wire);
    assert_int_equal(peer.received_len, sizeof auth - 1);
    assert_memory_equal(peer.received, auth, sizeof auth - 1);
}

static void test_tcp_malformed(void **state)
{
    struct peer peer = {
        .kind = PEER_TCP, .bytes = "\0\0\0\x10\0\x08\0\1\0\0\0\x8\0\0\0\x4d", .len = 16};
    struct wire *wire = start(&peer);

    (void)state;
    expect_end(wire, -EBADMSG, "malformed");
    peer_stop(&peer, wire);
}

/* --- opening --- */

static void test_bad_addresses(void **state)
{
    static const char *const bad[] = {"",           "host",     ":80",      "host:", "[::1]",
                                      "host:65536", "host:-80", "host:80x", "[]:80", "host:0"};

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        refused(i % 2 == 0 ? WIRE_TCP : WIRE_WS, bad[i], 1000, -EINVAL, "is no address");
}

static void test_nobody_there(void **state)
{
    static const enum wire_kind kinds[] = {WIRE_TCP, WIRE_WS};
    int64_t since = time_mono_ms();
    char address[64];

    (void)state;
    close(listen_on(AF_INET, address, sizeof address));
    for (size_t i = 0; i < 2; i++) {
        refused(kinds[i], address, 2 * LATE_MS, -ECONNREFUSED,
                "cannot connect: Connection refused");
        assert_in_range(time_mono_ms() - since, 0, LATE_MS); /* told at once */
        refused(kinds[i], "[::1::]:80", LATE_MS, -EHOSTUNREACH, "cannot resolve");
    }
}

static void test_ipv6(void **state)
{
    struct peer peer = {.kind = PEER_WS, .bytes = "\x81\x0a[{\"op\":5}]", .len = 12};
    struct wire *wire;

    (void)state;
    peer.listener = listen_on(AF_INET6, peer.address, sizeof peer.address);
    if (peer.listener < 0)
        skip();
    wire = start(&peer);
    expect(wire, 5, 0, "");
    peer_stop(&peer, wire);
    assert_string_equal(peer.host, peer.address);
}

/* localhost is ::1 first on many machines: both are tried. */
static void test_next_address(void **state)
{
    struct peer peer = {.kind = PEER_WS, .bytes = "\x81\x0a[{\"op\":5}]", .len = 12};
    struct wire *wire;
    char port[16];

    (void)state;
    peer.listener = listen_on(AF_INET, peer.address, sizeof peer.address);
    snprintf(port, sizeof port, "%s", strchr(peer.address, ':'));
    snprintf(peer.address, sizeof peer.address, "localhost%s", port);
    wire = start(&peer);
    expect(wire, 5, 0, "");
    peer_stop(&peer, wire);
}

/* --- the process around it --- */

/* A proxy in the environment is not asked: the addresses are those of the cluster. */
static void test_no_proxy(void **state)
{
    struct peer peer = {.kind = PEER_WS, .bytes = "\x81\x0a[{\"op\":5}]", .len = 12};
    struct wire *wire;

    (void)state;
    setenv("http_proxy", "http://127.0.0.1:1", 1);
    wire = start(&peer);
    expect(wire, 5, 0, "");
    peer_stop(&peer, wire);
    unsetenv("http_proxy");
}

static int open_files(void)
{
    DIR *dir = opendir("/proc/self/fd");
    int n = 0;

    while (readdir(dir) != NULL)
        n++;
    closedir(dir);
    return n;
}

/* No descriptor stays, and SIGPIPE ends the process as before. */
static void test_nothing_stays(void **state)
{
    struct peer peer = {.kind = PEER_WS, .bytes = "", .keep_open = true};
    struct sigaction action;
    int before = open_files();

    (void)state;
    peer_stop(&peer, start(&peer));
    refused(WIRE_WS, peer.address, LATE_MS, -ECONNREFUSED, "refused");
    assert_int_equal(open_files(), before);
    assert_int_equal(sigaction(SIGPIPE, NULL, &action), 0);
    assert_ptr_equal(action.sa_handler, SIG_DFL);
}

static volatile sig_atomic_t signals;

static void on_signal(int sig)
{
    (void)sig;
    signals = signals + 1;
}

static void *raise_soon(void *arg)
{
    usleep(100000);
    (void)kill(getpid(), *(int *)arg);
    return NULL;
}

/* Blocked signals are let in by a wait and end it: one that waits already, and one that comes. */
static void test_signals(void **state)
{
    static const enum peer_kind kinds[] = {PEER_TCP, PEER_WS};
    struct sigaction action = {.sa_handler = on_signal};
    sigset_t blocked, before;

    (void)state;
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGINT);
    sigaddset(&blocked, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &blocked, &before);
    (void)sigaction(SIGINT, &action, NULL);
    (void)sigaction(SIGTERM, &action, NULL);
    for (size_t i = 0; i < 2; i++) {
        struct peer peer = {.kind = kinds[i], .bytes = "", .keep_open = true};
        struct wire *wire = start(&peer);
        struct wire_message message;
        int64_t since = time_mono_ms();
        int sig = SIGTERM;
        pthread_t thread;
        signals = 0;
        (void)kill(getpid(), SIGINT);
        assert_int_equal(signals, 0);
        assert_int_equal(wire_next(wire, 2 * LATE_MS, &message), 0);
        assert_int_equal(signals, 1);
        pthread_create(&thread, NULL, raise_soon, &sig);
        assert_int_equal(wire_next(wire, 2 * LATE_MS, &message), 0);
        assert_int_equal(signals, 2);
        pthread_join(thread, NULL);
        assert_in_range(time_mono_ms() - since, 100, LATE_MS);
        peer_stop(&peer, wire);
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tcp),           cmocka_unit_test(test_tcp_malformed),
        cmocka_unit_test(test_bad_addresses), cmocka_unit_test(test_nobody_there),
        cmocka_unit_test(test_ipv6),          cmocka_unit_test(test_next_address),
        cmocka_unit_test(test_no_proxy),      cmocka_unit_test(test_nothing_stays),
        cmocka_unit_test(test_signals),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
