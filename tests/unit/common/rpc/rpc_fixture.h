/* rpc_fixture.h - streams against a server in the same process; every wait is bounded. */
#ifndef IMC_TESTS_UNIT_COMMON_RPC_RPC_FIXTURE_H
#define IMC_TESTS_UNIT_COMMON_RPC_RPC_FIXTURE_H

#include "common/base/mem.h"
#include "common/rpc/rpc.h"

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

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

static inline int64_t now_ms(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static inline void seen_init(struct seen *seen)
{
    memset(seen, 0, sizeof *seen);
    pthread_mutex_init(&seen->lock, NULL);
    pthread_cond_init(&seen->changed, NULL);
}

static inline void seen_check(struct seen *seen, const struct msg *msg)
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

static inline void on_message(struct rpc_stream *stream, void *arg, struct msg *msg)
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

static inline void on_closed(struct rpc_stream *stream, void *arg, const char *why)
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

static inline bool seen_wait(struct seen *seen, unsigned messages, unsigned closed)
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

static inline void count_closed(struct rpc_stream *stream, void *arg, const char *why)
{
    (void)stream;
    (void)arg;
    assert_non_null(why);
    atomic_fetch_add(&server_closed, 1);
}

static inline void echo_message(struct rpc_stream *stream, void *arg, struct msg *msg)
{
    (void)arg;
    rpc_stream_send(stream, msg); /* the stream may just have ended */
}

static inline void burst_message(struct rpc_stream *stream, void *arg, struct msg *msg)
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

static inline void hang_message(struct rpc_stream *stream, void *arg, struct msg *msg)
{
    (void)stream;
    (void)arg;
    msg_unref(msg);
}

static const struct rpc_stream_events echo_events = {echo_message, count_closed};
static const struct rpc_stream_events burst_events = {burst_message, count_closed};
static const struct rpc_stream_events hang_events = {hang_message, count_closed};

static inline void echo_opened(struct rpc_stream *stream, void *arg)
{
    assert_non_null(strstr(rpc_stream_peer(stream), "127.0.0.1"));
    assert_string_equal(arg, "server");
    rpc_stream_accept(stream, &echo_events, NULL);
}

static inline void burst_opened(struct rpc_stream *stream, void *arg)
{
    (void)arg;
    rpc_stream_accept(stream, &burst_events, NULL);
}

static inline void hang_opened(struct rpc_stream *stream, void *arg)
{
    (void)arg;
    rpc_stream_accept(stream, &hang_events, NULL);
    atomic_fetch_add(&server_opened, 1);
}

static inline void refuse_opened(struct rpc_stream *stream, void *arg)
{
    (void)stream;
    (void)arg;
}

static inline void at_once_opened(struct rpc_stream *stream, void *arg)
{
    uint32_t head[2] = {0, 0};

    (void)arg;
    rpc_stream_accept(stream, &hang_events, NULL);
    assert_int_equal(rpc_stream_send(stream, msg_copy(head, sizeof head)), 0);
    rpc_stream_close(stream);
}

static const struct rpc_method methods[] = {
    {"/test/Echo", echo_opened, NULL},      {"/test/Burst", burst_opened, NULL},
    {"/test/Hang", hang_opened, NULL},      {"/test/Refuse", refuse_opened, NULL},
    {"/test/AtOnce", at_once_opened, NULL}, {.path = NULL},
};

/* ── fixture ── */

struct fixture {
    struct rpc *rpc;
    struct rpc_server *server;
    struct rpc_channel *channel;
    char address[32];
    struct seen seen;
};

static inline int setup(void **state)
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

static inline int teardown(void **state)
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

static inline struct rpc_stream *stream_to(struct fixture *fx, const char *path)
{
    return rpc_stream_open(fx->channel, path, LATE_MS, &client_events, &fx->seen);
}

static inline struct msg *numbered(uint32_t n, uint32_t sender, uint32_t len)
{
    struct msg *msg = msg_new(len);
    uint32_t head[2] = {n, sender};

    memcpy(msg->data, head, sizeof head);
    for (uint32_t i = sizeof head; i < len; i++)
        msg->data[i] = (uint8_t)(n + i);
    return msg;
}

static inline void end_stream(struct fixture *fx, struct rpc_stream *stream)
{
    rpc_stream_close(stream);
    assert_true(seen_wait(&fx->seen, 0, 1));
    rpc_stream_unref(stream);
}

/* ── tests ── */

struct sender {
    struct rpc_stream *stream;
    uint32_t id, n;
    bool may_fail;
};

static inline void *sender_run(void *arg)
{
    struct sender *sender = arg;

    for (uint32_t i = 0; i < sender->n; i++) {
        int err = rpc_stream_send(sender->stream, numbered(i, sender->id, 8 + i % 50));
        assert_true(err == 0 || (err == -EPIPE && sender->may_fail));
    }
    return NULL;
}

/* ── a peer that vanishes: a proxy that stops passing bytes on ── */

#define row(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

#endif
