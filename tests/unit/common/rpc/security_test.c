/* Streams over TLS, and streams that have to show a key. */
#include "tests/unit/common/rpc/rpc_fixture.h"

#include "common/tls/tls.h"
#include "tests/unit/lib/tls_files.h"
#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

static struct tls_files files;
static struct tls *tls;
static struct rpc_security mutual = {.tls = RPC_TLS_MUTUAL, .tls_name = "imc.test"};
static char *texts[3];
static char paths[3][128];

static char *read_text(const char *path)
{
    char *text = mem_zalloc(8192);
    FILE *file = fopen(path, "re");

    assert_non_null(file);
    assert_true(fread(text, 1, 8191, file) > 0);
    fclose(file);
    return text;
}

static int make_files(void **state)
{
    static const char *const names[] = {"ca.pem", "daemon.pem", "daemon.key"};
    char err[TLS_ERROR_MAX] = "";

    (void)state;
    tls_files_open(&files);
    tls_files_sign(&files, "daemon",
                   &(struct tls_file_options){.names = "DNS:imc.test", .common_name = "daemon"});
    for (int i = 0; i < 3; i++) {
        tls_files_path(&files, names[i], paths[i]);
        texts[i] = read_text(paths[i]);
    }
    struct tls_settings settings = {.ca = paths[0], .certificates = paths[1], .keys = paths[2]};
    assert_int_equal(tls_open(&settings, &tls, err, sizeof err), 0);
    struct tls_server_options server = {.name = "rpc", .alpn = "h2", .demand_client = true};
    struct tls_client_options client = {.name = "rpc", .alpn = "h2", .show_certificate = true};
    assert_int_equal(tls_server_open(tls, &server, &mutual.server, err, sizeof err), 0);
    assert_int_equal(tls_client_open(tls, &client, &mutual.client, err, sizeof err), 0);
    mutual.ca = texts[0];
    mutual.certificate = texts[1];
    mutual.private_key = texts[2];
    return 0;
}

static int remove_files(void **state)
{
    (void)state;
    tls_close(tls);
    for (int i = 0; i < 3; i++)
        free(texts[i]);
    tls_files_close(&files);
    return 0;
}

static int secured_setup(void **state, const struct rpc_security *security)
{
    static char name[] = "server";
    struct fixture *fx = mem_zalloc(sizeof *fx);

    assert_int_equal(rpc_open(&fx->rpc, MAX_MESSAGE), 0);
    rpc_set_limits(fx->rpc, &(struct rpc_limits){.connections = 4, .held = 32 << 20});
    rpc_secure(fx->rpc, security);
    assert_int_equal(rpc_server_open(fx->rpc, "127.0.0.1:0", methods, name, &fx->server), 0);
    snprintf(fx->address, sizeof fx->address, "127.0.0.1:%d", rpc_server_port(fx->server));
    fx->channel = rpc_channel_open(fx->rpc, fx->address);
    seen_init(&fx->seen);
    *state = fx;
    return 0;
}

static int tls_setup(void **state)
{
    return secured_setup(state, &mutual);
}

static int key_setup(void **state)
{
    return secured_setup(state, &(struct rpc_security){.key = "0123456789abcdef"});
}

static void echo(struct fixture *fx, uint32_t n)
{
    struct rpc_stream *stream = stream_to(fx, "/test/Echo");

    for (uint32_t i = 0; i < n; i++)
        assert_int_equal(rpc_stream_send(stream, numbered(i, 0, 8 + i % 300)), 0);
    assert_true(seen_wait(&fx->seen, n, 0));
    assert_false(fx->seen.disordered);
    end_stream(fx, stream);
}

static void test_tls_echo(void **state)
{
    echo(*state, 20000);
}

static void test_tls_big_messages(void **state)
{
    struct fixture *fx = *state;
    struct rpc_stream *stream = stream_to(fx, "/test/Echo");
    struct rpc_stats stats;

    for (uint32_t i = 0; i < 10; i++)
        assert_int_equal(rpc_stream_send(stream, numbered(i, 0, MAX_MESSAGE)), 0);
    assert_true(seen_wait(&fx->seen, 10, 0));
    assert_false(fx->seen.disordered);
    end_stream(fx, stream);
    rpc_stats(fx->rpc, &stats);
    assert_int_equal(stats.cut, 0); /* what TLS adds is not taken for parts of messages */
}

/* Nothing has to come after a handshake's part for its answer to go out: a peer that waits in vain
 * is dropped after five seconds. */
static void test_tls_connects_at_once(void **state)
{
    enum { TIMES = 20, LATE = 4000 };
    struct fixture *fx = *state;

    for (int i = 0; i < TIMES; i++) {
        int64_t begin = now_ms();
        struct seen seen;
        seen_init(&seen);
        struct rpc_channel *channel = rpc_channel_open(fx->rpc, fx->address);
        struct rpc_stream *stream =
            rpc_stream_open(channel, "/test/Echo", LATE_MS, &client_events, &seen);
        assert_int_equal(rpc_stream_send(stream, numbered(0, 0, 100)), 0);
        assert_true(seen_wait(&seen, 1, 0));
        assert_in_range(now_ms() - begin, 0, LATE);
        rpc_stream_close(stream);
        assert_true(seen_wait(&seen, 0, 1));
        rpc_stream_unref(stream);
        rpc_channel_close(channel);
    }
}

/* A callee's status goes out before its end does. */
static void test_tls_callee_ends(void **state)
{
    struct fixture *fx = *state;
    struct rpc_stream *stream = stream_to(fx, "/test/Burst");

    assert_int_equal(rpc_stream_send(stream, numbered(0, 0, 100)), 0);
    assert_true(seen_wait(&fx->seen, BURST, 1));
    assert_string_equal(fx->seen.why, "closed by the peer");
    rpc_stream_unref(stream);
}

static void test_tls_renewed(void **state)
{
    struct fixture *fx = *state;
    char err[TLS_ERROR_MAX] = "";
    struct rpc_stream *old = stream_to(fx, "/test/Echo");

    assert_int_equal(rpc_stream_send(old, numbered(0, 0, 100)), 0);
    assert_true(seen_wait(&fx->seen, 1, 0));
    assert_int_equal(tls_reload(tls, err, sizeof err), 0);
    rpc_secure(fx->rpc, &mutual);
    struct seen other;
    seen_init(&other);
    struct rpc_stream *young =
        rpc_stream_open(fx->channel, "/test/Echo", LATE_MS, &client_events, &other);
    assert_int_equal(rpc_stream_send(young, numbered(0, 0, 100)), 0);
    assert_true(seen_wait(&other, 1, 0));
    assert_int_equal(rpc_stream_send(old, numbered(1, 0, 100)), 0);
    assert_true(seen_wait(&fx->seen, 2, 0));
    rpc_stream_close(young);
    assert_true(seen_wait(&other, 0, 1));
    rpc_stream_unref(young);
    end_stream(fx, old);
}

static int raw(const struct fixture *fx)
{
    struct sockaddr_in sin = {.sin_family = AF_INET,
                              .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                              .sin_port = htons((uint16_t)rpc_server_port(fx->server))};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_int_equal(connect(fd, (struct sockaddr *)&sin, sizeof sin), 0);
    return fd;
}

static void test_tls_plain_peer(void **state)
{
    uint8_t alert[16];
    int fd = raw(*state);

    assert_int_equal(send(fd, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 24, MSG_NOSIGNAL), 24);
    assert_int_equal(recv(fd, alert, sizeof alert, MSG_WAITALL), 7);
    assert_int_equal(alert[0], 21); /* of TLS, and then the end */
    close(fd);
    echo(*state, 10);
}

/* Silent peers take all places, and give way to one of ours. */
static void test_tls_silent_peers(void **state)
{
    struct fixture *fx = *state;
    int fds[4];
    char none;

    for (int i = 0; i < 4; i++)
        fds[i] = raw(fx);
    echo(fx, 10);
    struct pollfd polled = {.fd = fds[0], .events = POLLIN};
    assert_int_equal(poll(&polled, 1, WAIT_S * 1000), 1);
    assert_true(recv(fds[0], &none, 1, 0) <= 0);
    for (int i = 0; i < 4; i++)
        close(fds[i]);
}

static void test_key(void **state)
{
    struct fixture *fx = *state;
    uint64_t before = rpc_strangers_refused();

    echo(fx, 10);
    assert_int_equal(rpc_strangers_refused(), before);
}

/* WRONG is another process's: "" none. */
static void refused_with(struct fixture *fx, const char *wrong)
{
    struct rpc *other;
    struct seen seen;
    uint64_t before = rpc_strangers_refused();

    seen_init(&seen);
    assert_int_equal(rpc_open(&other, MAX_MESSAGE), 0);
    if (wrong[0] != '\0')
        rpc_secure(other, &(struct rpc_security){.key = wrong});
    struct rpc_channel *channel = rpc_channel_open(other, fx->address);
    struct rpc_stream *stream =
        rpc_stream_open(channel, "/test/Echo", LATE_MS, &client_events, &seen);
    assert_true(seen_wait(&seen, 0, 1));
    assert_string_equal(seen.why, "unauthenticated: the key is missing or wrong: see rpc.key_file");
    assert_int_equal(rpc_strangers_refused(), before + 1);
    rpc_stream_unref(stream);
    rpc_channel_close(channel);
    rpc_close(other);
}

static void test_no_key(void **state)
{
    refused_with(*state, "");
}

static void test_wrong_keys(void **state)
{
    refused_with(*state, "0123456789abcdeg");
    refused_with(*state, "0123456789abcde");
    refused_with(*state, "0123456789abcdef0");
}

static void test_new_key(void **state)
{
    struct fixture *fx = *state;

    rpc_secure(fx->rpc, &(struct rpc_security){.key = "fedcba9876543210"});
    echo(fx, 10);
    refused_with(fx, "0123456789abcdef");
}

#define tls_row(test) cmocka_unit_test_setup_teardown(test, tls_setup, teardown)
#define key_row(test) cmocka_unit_test_setup_teardown(test, key_setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        tls_row(test_tls_echo),
        tls_row(test_tls_big_messages),
        tls_row(test_tls_connects_at_once),
        tls_row(test_tls_callee_ends),
        tls_row(test_tls_renewed),
        tls_row(test_tls_plain_peer),
        tls_row(test_tls_silent_peers),
        key_row(test_key),
        key_row(test_no_key),
        key_row(test_wrong_keys),
        key_row(test_new_key),
    };
    return cmocka_run_group_tests(tests, make_files, remove_files);
}
