/* Streams against a server in the same process; every wait is bounded. */
#include "common/base/mem.h"
#include "common/rpc/rpc.h"
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

enum {
    MAX_MESSAGE = 4 << 20,
    WAIT_S = 60,
    LATE_MS = 60000, /* no bound: the machine may be busy */
    BURST = 20,
};

/* What one end of a stream saw. */
struct seen {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    unsigned messages, closed, after_closed;
    size_t bytes;
    bool disordered; /* first four bytes of each message count up, per second four bytes (the
                        sender) */
    uint32_t next[4];
    unsigned close_at; /* rpc_stream_close() from within this message */
    char why[256];
};

static int64_t now_ms(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static void seen_init(struct seen *seen)
{
    memset(seen, 0, sizeof *seen);
    pthread_mutex_init(&seen->lock, NULL);
    pthread_cond_init(&seen->changed, NULL);
}

static void seen_check(struct seen *seen, const struct msg *msg)
{
    uint32_t head[2];

    if (msg->len < sizeof head)
        return;
    memcpy(head, msg->data, sizeof head);
    if (head[1] >= 4 || head[0] != seen->next[head[1]]++)
        seen->disordered = true;
    for (uint32_t i = sizeof head; i < msg->len; i++)
        if (msg->data[i] != (uint8_t)(head[0] + i))
            seen->disordered = true;
}

static void on_message(struct rpc_stream *stream, void *arg, struct msg *msg)
{
    struct seen *seen = arg;

    pthread_mutex_lock(&seen->lock);
    seen->messages++;
    seen->bytes += msg->len;
    if (seen->closed > 0)
        seen->after_closed++;
    seen_check(seen, msg);
    bool close_now = seen->messages == seen->close_at;
    pthread_cond_broadcast(&seen->changed);
    pthread_mutex_unlock(&seen->lock);
    msg_unref(msg);
    if (close_now) {
        rpc_stream_close(stream);
        assert_int_equal(rpc_stream_send(stream, msg_copy("late", 4)), -EPIPE);
    }
}

static void on_closed(struct rpc_stream *stream, void *arg, const char *why)
{
    struct seen *seen = arg;

    assert_int_equal(rpc_stream_send(stream, msg_copy("late", 4)), -EPIPE);
    pthread_mutex_lock(&seen->lock);
    seen->closed++;
    snprintf(seen->why, sizeof seen->why, "%s", why);
    pthread_cond_broadcast(&seen->changed);
    pthread_mutex_unlock(&seen->lock);
}

static const struct rpc_stream_events client_events = {on_message, on_closed};

static bool seen_wait(struct seen *seen, unsigned messages, unsigned closed)
{
    struct timespec until;

    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += WAIT_S;
    pthread_mutex_lock(&seen->lock);
    int err = 0;
    while (err == 0 && (seen->messages < messages || seen->closed < closed))
        err = seen->closed > 0 && seen->messages < messages
                  ? ECONNRESET /* none comes after the end */
                  : pthread_cond_timedwait(&seen->changed, &seen->lock, &until);
    if (err != 0)
        print_error("%u messages of %u came; closed %u: %s\n", seen->messages, messages,
                    seen->closed, seen->why);
    pthread_mutex_unlock(&seen->lock);
    return err == 0;
}

/* ── the server's methods ── */

static _Atomic unsigned server_opened, server_closed; /* opened: hanging ones */

static void count_closed(struct rpc_stream *stream, void *arg, const char *why)
{
    (void)stream;
    (void)arg;
    assert_non_null(why);
    atomic_fetch_add(&server_closed, 1);
}

static void echo_message(struct rpc_stream *stream, void *arg, struct msg *msg)
{
    (void)arg;
    rpc_stream_send(stream, msg); /* the stream may just have ended */
}

static void burst_message(struct rpc_stream *stream, void *arg, struct msg *msg)
{
    (void)arg;
    msg_unref(msg);
    for (uint32_t i = 0; i < BURST; i++) {
        uint32_t head[2] = {i, 0};
        assert_int_equal(rpc_stream_send(stream, msg_copy(head, sizeof head)), 0);
    }
    rpc_stream_close(stream);
    rpc_stream_close(stream);
}

static void hang_message(struct rpc_stream *stream, void *arg, struct msg *msg)
{
    (void)stream;
    (void)arg;
    msg_unref(msg);
}

static const struct rpc_stream_events echo_events = {echo_message, count_closed};
static const struct rpc_stream_events burst_events = {burst_message, count_closed};
static const struct rpc_stream_events hang_events = {hang_message, count_closed};

static void echo_opened(struct rpc_stream *stream, void *arg)
{
    assert_non_null(strstr(rpc_stream_peer(stream), "127.0.0.1"));
    assert_string_equal(arg, "server");
    rpc_stream_accept(stream, &echo_events, NULL);
}

static void burst_opened(struct rpc_stream *stream, void *arg)
{
    (void)arg;
    rpc_stream_accept(stream, &burst_events, NULL);
}

static void hang_opened(struct rpc_stream *stream, void *arg)
{
    (void)arg;
    rpc_stream_accept(stream, &hang_events, NULL);
    atomic_fetch_add(&server_opened, 1);
}

static void refuse_opened(struct rpc_stream *stream, void *arg)
{
    (void)stream;
    (void)arg;
}

static void at_once_opened(struct rpc_stream *stream, void *arg)
{
    uint32_t head[2] = {0, 0};

    (void)arg;
    rpc_stream_accept(stream, &hang_events, NULL);
    assert_int_equal(rpc_stream_send(stream, msg_copy(head, sizeof head)), 0);
    rpc_stream_close(stream);
}

static const struct rpc_method methods[] = {
    {"/test/Echo", echo_opened},     {"/test/Burst", burst_opened},    {"/test/Hang", hang_opened},
    {"/test/Refuse", refuse_opened}, {"/test/AtOnce", at_once_opened}, {NULL, NULL},
};

/* ── fixture ── */

struct fixture {
    struct rpc *rpc;
    struct rpc_server *server;
    struct rpc_channel *channel;
    char address[32];
    struct seen seen;
};

static int setup(void **state)
{
    static char name[] = "server";
    struct fixture *fx = mem_zalloc(sizeof *fx);

    assert_int_equal(rpc_open(&fx->rpc, MAX_MESSAGE), 0);
    assert_int_equal(rpc_server_open(fx->rpc, "127.0.0.1:0", methods, name, &fx->server), 0);
    snprintf(fx->address, sizeof fx->address, "127.0.0.1:%d", rpc_server_port(fx->server));
    fx->channel = rpc_channel_open(fx->rpc, fx->address);
    seen_init(&fx->seen);
    atomic_store(&server_opened, 0);
    atomic_store(&server_closed, 0);
    *state = fx;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *fx = *state;
    int64_t begin = now_ms();

    rpc_channel_close(fx->channel);
    rpc_server_close(fx->server, 0);
    rpc_close(fx->rpc);
    assert_true(now_ms() - begin < LATE_MS);
    assert_true(fx->seen.closed <= 1);
    assert_int_equal(fx->seen.after_closed, 0);
    free(fx);
    return 0;
}

static struct rpc_stream *stream_to(struct fixture *fx, const char *path)
{
    return rpc_stream_open(fx->channel, path, LATE_MS, &client_events, &fx->seen);
}

static struct msg *numbered(uint32_t n, uint32_t sender, uint32_t len)
{
    struct msg *msg = msg_new(len);
    uint32_t head[2] = {n, sender};

    memcpy(msg->data, head, sizeof head);
    for (uint32_t i = sizeof head; i < len; i++)
        msg->data[i] = (uint8_t)(n + i);
    return msg;
}

static void end_stream(struct fixture *fx, struct rpc_stream *stream)
{
    rpc_stream_close(stream);
    assert_true(seen_wait(&fx->seen, 0, 1));
    rpc_stream_unref(stream);
}

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

static void test_callee_closes(void **state)
{
    struct fixture *fx = *state;
    struct rpc_stream *stream = stream_to(fx, "/test/Burst");

    rpc_stream_send(stream, numbered(0, 0, 8));
    assert_true(seen_wait(&fx->seen, 0, 1));
    assert_int_equal(fx->seen.messages, BURST);
    assert_false(fx->seen.disordered);
    assert_string_equal(fx->seen.why, "closed by the peer");
    rpc_stream_unref(stream);
}

static void test_callee_closes_in_opened(void **state)
{
    struct fixture *fx = *state;
    struct rpc_stream *stream = stream_to(fx, "/test/AtOnce");

    assert_true(seen_wait(&fx->seen, 0, 1));
    assert_int_equal(fx->seen.messages, 1);
    assert_string_equal(fx->seen.why, "closed by the peer");
    rpc_stream_unref(stream);
}

static void test_close_in_message(void **state)
{
    struct fixture *fx = *state;
    struct rpc_stream *stream = stream_to(fx, "/test/Echo");

    fx->seen.close_at = 5;
    for (uint32_t i = 0; i < 100; i++)
        rpc_stream_send(stream, numbered(i, 0, 8));
    assert_true(seen_wait(&fx->seen, 5, 1));
    assert_string_equal(fx->seen.why, "closed here");
    rpc_stream_unref(stream);
}

static void test_close_before_connected(void **state)
{
    struct fixture *fx = *state;

    for (unsigned i = 1; i <= 50; i++) {
        seen_init(&fx->seen);
        struct rpc_stream *stream = stream_to(fx, "/test/Echo");
        if (i % 2 == 0)
            rpc_stream_send(stream, numbered(0, 0, 8));
        end_stream(fx, stream);
        assert_string_equal(fx->seen.why, "closed here");
    }
}

struct sender {
    struct rpc_stream *stream;
    uint32_t id, n;
    bool may_fail;
};

static void *sender_run(void *arg)
{
    struct sender *sender = arg;

    for (uint32_t i = 0; i < sender->n; i++) {
        int err = rpc_stream_send(sender->stream, numbered(i, sender->id, 8 + i % 50));
        assert_true(err == 0 || (err == -EPIPE && sender->may_fail));
    }
    return NULL;
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

static void test_close_while_sending(void **state)
{
    struct fixture *fx = *state;

    for (unsigned i = 0; i < 40; i++) {
        seen_init(&fx->seen);
        struct rpc_stream *stream = stream_to(fx, "/test/Echo");
        struct sender sender = {stream, 0, 500, true};
        pthread_t thread;
        pthread_create(&thread, NULL, sender_run, &sender);
        if (i % 3 != 0)
            seen_wait(&fx->seen, i, 0);
        rpc_stream_close(stream);
        pthread_join(thread, NULL);
        end_stream(fx, stream);
        assert_false(fx->seen.disordered);
        assert_int_equal(fx->seen.closed, 1);
    }
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

/* The grace is waited for, then what is open is cancelled. */
static void test_server_close_cancels(void **state)
{
    struct fixture *fx = *state;
    struct rpc_stream *stream = stream_to(fx, "/test/Hang");
    struct rpc_server *server = fx->server;

    rpc_stream_send(stream, numbered(0, 0, 8));
    while (atomic_load(&server_opened) == 0)
        usleep(1000);
    fx->server = NULL;
    int64_t begin = now_ms();
    rpc_server_close(server, 200);
    assert_in_range(now_ms() - begin, 190, LATE_MS);
    assert_int_equal(atomic_load(&server_closed), 1);
    assert_true(seen_wait(&fx->seen, 0, 1));
    rpc_stream_unref(stream);
}

/* rpc_close() ends a stream that its owner forgot; the owner's reference may be dropped later. */
static void test_forgotten_stream(void **state)
{
    struct fixture *fx = *state;
    struct rpc *rpc;

    assert_int_equal(rpc_open(&rpc, MAX_MESSAGE), 0);
    struct rpc_channel *channel = rpc_channel_open(rpc, fx->address);
    struct rpc_stream *stream =
        rpc_stream_open(channel, "/test/Hang", LATE_MS, &client_events, &fx->seen);
    rpc_channel_close(channel);
    rpc_close(rpc);
    assert_int_equal(fx->seen.closed, 1);
    assert_int_equal(rpc_stream_send(stream, msg_copy("x", 1)), -EPIPE);
    rpc_stream_close(stream);
    rpc_stream_unref(stream);
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

#define row(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        row(test_echo_in_order),
        row(test_big_and_empty_messages),
        row(test_too_large_here),
        row(test_too_large_for_the_peer),
        row(test_unknown_method),
        row(test_refused),
        row(test_dead_port),
        row(test_silent_port),
        row(test_port_in_use),
        row(test_server_restart),
        row(test_callee_closes),
        row(test_callee_closes_in_opened),
        row(test_close_in_message),
        row(test_close_before_connected),
        row(test_two_senders),
        row(test_close_while_sending),
        row(test_many_streams_at_once),
        row(test_server_close_cancels),
        row(test_forgotten_stream),
        row(test_frozen_peer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
