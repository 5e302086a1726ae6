/* Messages there and back; peers that are not there, come back, or stand still. */
#include "tests/unit/common/rpc/rpc_fixture.h"

#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

/* ── tests ── */

static void test_echo_in_order(void **state)
{
    struct fixture *fx = *state;
    struct rpc_stream *stream = stream_to(fx, "/test/Echo");
    enum { N = 20000 };

    assert_string_equal(rpc_stream_peer(stream), fx->address);
    for (uint32_t i = 0; i < N; i++)
        assert_int_equal(rpc_stream_send(stream, numbered(i, 0, 8 + i % 300)), 0);
    assert_true(seen_wait(&fx->seen, N, 0));
    assert_false(fx->seen.disordered);
    end_stream(fx, stream);
    assert_string_equal(fx->seen.why, "closed here");
    assert_int_equal(fx->seen.messages, N);
}

static void test_big_and_empty_messages(void **state)
{
    struct fixture *fx = *state;
    struct rpc_stream *stream = stream_to(fx, "/test/Echo");

    assert_int_equal(rpc_stream_send(stream, msg_new(0)), 0);
    for (uint32_t i = 0; i < 10; i++)
        assert_int_equal(rpc_stream_send(stream, numbered(i, 0, 1 << 20)), 0);
    assert_int_equal(rpc_stream_send(stream, numbered(10, 0, MAX_MESSAGE)), 0);
    assert_true(seen_wait(&fx->seen, 12, 0));
    assert_false(fx->seen.disordered);
    assert_int_equal(fx->seen.bytes, (10 << 20) + MAX_MESSAGE);
    end_stream(fx, stream);
}

static void test_too_large_here(void **state)
{
    struct fixture *fx = *state;
    struct rpc_stream *stream = stream_to(fx, "/test/Echo");

    assert_int_equal(rpc_stream_send(stream, msg_new(MAX_MESSAGE + 1)), -EMSGSIZE);
    assert_int_equal(rpc_stream_send(stream, numbered(0, 0, 100)), 0);
    assert_true(seen_wait(&fx->seen, 1, 0));
    end_stream(fx, stream);
}

static void test_too_large_for_the_peer(void **state)
{
    struct fixture *fx = *state;
    struct rpc *big;

    assert_int_equal(rpc_open(&big, MAX_MESSAGE * 2), 0);
    struct rpc_channel *channel = rpc_channel_open(big, fx->address);
    struct rpc_stream *stream =
        rpc_stream_open(channel, "/test/Echo", LATE_MS, &client_events, &fx->seen);
    assert_int_equal(rpc_stream_send(stream, numbered(0, 0, MAX_MESSAGE + 1)), 0);
    assert_true(seen_wait(&fx->seen, 0, 1));
    assert_int_equal(fx->seen.messages, 0);
    assert_string_not_equal(fx->seen.why, "");
    rpc_stream_unref(stream);
    rpc_channel_close(channel);
    rpc_close(big);
}

static void test_unknown_method(void **state)
{
    struct fixture *fx = *state;
    struct rpc_stream *stream = stream_to(fx, "/test/Nothing");

    rpc_stream_send(stream, numbered(0, 0, 100));
    assert_true(seen_wait(&fx->seen, 0, 1));
    assert_string_equal(fx->seen.why, "unimplemented: no such method here");
    rpc_stream_unref(stream);
}

static void test_refused(void **state)
{
    struct fixture *fx = *state;
    struct rpc_stream *stream = stream_to(fx, "/test/Refuse");

    assert_true(seen_wait(&fx->seen, 0, 1));
    assert_string_equal(fx->seen.why, "unavailable: refused");
    rpc_stream_unref(stream);
    assert_int_equal(atomic_load(&server_closed), 0);
}

/* A port of 127.0.0.1 with a socket on it that listens or does not. */
static int listener(char address[32], bool listening)
{
    struct sockaddr_in sin = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof sin;
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    assert_int_equal(bind(fd, (struct sockaddr *)&sin, len), 0);
    if (listening)
        assert_int_equal(listen(fd, 16), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&sin, &len), 0);
    snprintf(address, 32, "127.0.0.1:%d", ntohs(sin.sin_port));
    return fd;
}

static void connect_times_out(struct fixture *fx, bool listening)
{
    char address[32], want[100];
    int fd = listener(address, listening);
    struct rpc_channel *channel = rpc_channel_open(fx->rpc, address);
    int64_t begin = now_ms();
    struct rpc_stream *stream =
        rpc_stream_open(channel, "/test/Echo", 300, &client_events, &fx->seen);

    assert_int_equal(rpc_stream_send(stream, numbered(0, 0, 100)), 0);
    assert_true(seen_wait(&fx->seen, 0, 1));
    assert_in_range(now_ms() - begin, 290, LATE_MS);
    snprintf(want, sizeof want, "cannot connect to %s within 300 ms", address);
    assert_string_equal(fx->seen.why, want);
    rpc_stream_unref(stream);
    rpc_channel_close(channel);
    close(fd);
}

static void test_dead_port(void **state)
{
    connect_times_out(*state, false);
}

static void test_silent_port(void **state)
{
    connect_times_out(*state, true);
}

static void test_port_in_use(void **state)
{
    struct fixture *fx = *state;
    struct rpc_server *server;

    assert_int_equal(rpc_server_open(fx->rpc, fx->address, methods, NULL, &server), -EADDRINUSE);
    assert_int_equal(rpc_server_open(fx->rpc, "203.0.113.1:20999", methods, NULL, &server),
                     -EADDRNOTAVAIL);
    assert_int_equal(rpc_server_open(fx->rpc, "no-port", methods, NULL, &server), -EINVAL);
}

static void test_server_restart(void **state)
{
    static char name[] = "server";
    struct fixture *fx = *state;
    struct rpc_stream *stream = stream_to(fx, "/test/Echo");

    rpc_stream_send(stream, numbered(0, 0, 8));
    assert_true(seen_wait(&fx->seen, 1, 0));
    rpc_server_close(fx->server, 50);
    assert_true(seen_wait(&fx->seen, 0, 1));
    assert_int_equal(atomic_load(&server_closed), 1);
    rpc_stream_unref(stream);
    seen_init(&fx->seen);
    assert_int_equal(rpc_server_open(fx->rpc, fx->address, methods, name, &fx->server), 0);
    stream = stream_to(fx, "/test/Echo");
    rpc_stream_send(stream, numbered(0, 0, 8));
    assert_true(seen_wait(&fx->seen, 1, 0));
    end_stream(fx, stream);
}

static void test_two_senders(void **state)
{
    struct fixture *fx = *state;
    struct rpc_stream *stream = stream_to(fx, "/test/Echo");
    enum { N = 10000 };
    struct sender senders[2] = {{stream, 0, N, false}, {stream, 1, N, false}};
    pthread_t threads[2];

    for (int i = 0; i < 2; i++)
        pthread_create(&threads[i], NULL, sender_run, &senders[i]);
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    assert_true(seen_wait(&fx->seen, 2 * N, 0));
    assert_false(fx->seen.disordered);
    end_stream(fx, stream);
}

static void test_many_streams_at_once(void **state)
{
    struct fixture *fx = *state;
    enum { STREAMS = RPC_STREAMS_MAX };
    struct rpc_stream *streams[STREAMS];
    struct seen seen[STREAMS];

    for (int i = 0; i < STREAMS; i++) {
        seen_init(&seen[i]);
        streams[i] = rpc_stream_open(fx->channel, "/test/Echo", LATE_MS, &client_events, &seen[i]);
        rpc_stream_send(streams[i], numbered(0, 0, 8));
    }
    for (int i = 0; i < STREAMS; i++)
        assert_true(seen_wait(&seen[i], 1, 0));
    for (int i = 0; i < STREAMS; i++) {
        rpc_stream_close(streams[i]);
        assert_true(seen_wait(&seen[i], 1, 1));
        rpc_stream_unref(streams[i]);
    }
}

/* ── a peer that vanishes: a proxy that stops passing bytes on ── */

struct proxy {
    int listen_fd, server_port;
    _Atomic bool frozen, stop;
};

static void *proxy_run(void *arg)
{
    struct proxy *proxy = arg;
    struct sockaddr_in sin = {.sin_family = AF_INET,
                              .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                              .sin_port = htons((uint16_t)proxy->server_port)};
    int fds[2] = {accept(proxy->listen_fd, NULL, NULL), socket(AF_INET, SOCK_STREAM, 0)};
    char buf[4096];

    if (connect(fds[1], (struct sockaddr *)&sin, sizeof sin) != 0)
        abort();
    while (!atomic_load(&proxy->stop)) {
        struct pollfd polls[2] = {{.fd = fds[0], .events = POLLIN},
                                  {.fd = fds[1], .events = POLLIN}};
        if (atomic_load(&proxy->frozen) || poll(polls, 2, 20) <= 0) {
            usleep(10000);
            continue;
        }
        for (int i = 0; i < 2; i++) {
            ssize_t n = polls[i].revents != 0 ? recv(fds[i], buf, sizeof buf, MSG_DONTWAIT) : -1;
            if (n > 0 && send(fds[1 - i], buf, (size_t)n, MSG_NOSIGNAL) != n)
                abort();
        }
    }
    close(fds[0]);
    close(fds[1]);
    return NULL;
}

static void test_frozen_peer(void **state)
{
    struct fixture *fx = *state;
    struct proxy proxy = {.server_port = rpc_server_port(fx->server)};
    char address[32];
    pthread_t thread;

    proxy.listen_fd = listener(address, true);
    pthread_create(&thread, NULL, proxy_run, &proxy);
    struct rpc_channel *channel = rpc_channel_open(fx->rpc, address);
    struct rpc_stream *stream =
        rpc_stream_open(channel, "/test/Echo", LATE_MS, &client_events, &fx->seen);
    rpc_stream_send(stream, numbered(0, 0, 8));
    assert_true(seen_wait(&fx->seen, 1, 0));
    atomic_store(&proxy.frozen, true);
    int64_t begin = now_ms();
    assert_true(seen_wait(&fx->seen, 1, 1));
    assert_in_range(now_ms() - begin, 1000, LATE_MS);
    assert_non_null(strstr(fx->seen.why, "unavailable"));
    atomic_store(&proxy.stop, true);
    pthread_join(thread, NULL);
    close(proxy.listen_fd);
    rpc_stream_unref(stream);
    rpc_channel_close(channel);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        row(test_echo_in_order),  row(test_big_and_empty_messages),
        row(test_too_large_here), row(test_too_large_for_the_peer),
        row(test_unknown_method), row(test_refused),
        row(test_dead_port),      row(test_silent_port),
        row(test_port_in_use),    row(test_server_restart),
        row(test_two_senders),    row(test_many_streams_at_once),
        row(test_frozen_peer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
