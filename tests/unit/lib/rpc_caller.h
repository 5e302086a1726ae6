/* rpc_caller.h - for tests of those who answer: one stream to a server in the same process, whose
 * loop the test turns by hand. Include after cmocka. */
#ifndef IMC_TESTS_UNIT_LIB_RPC_CALLER_H
#define IMC_TESTS_UNIT_LIB_RPC_CALLER_H

#include "common/base/loop.h"
#include "common/base/mem.h"
#include "common/rpc/rpc.h"
#include "tests/unit/lib/clock.h"
#include <pthread.h>
#include <stdio.h>
#include <string.h>

enum { CALLER_ANSWERS = 256 };

struct caller_side {
    struct rpc_channel *channel;
    struct rpc_stream *stream;
    struct loop *loop; /* of the server, turned while we wait */
    pthread_mutex_t lock;
    struct msg *answers[CALLER_ANSWERS];
    size_t n;
    bool closed;
    char why[256];
};

static void caller_on_message(struct rpc_stream *stream, void *arg, struct msg *msg)
{
    struct caller_side *caller = arg;

    (void)stream;
    pthread_mutex_lock(&caller->lock);
    assert_true(caller->n < CALLER_ANSWERS);
    caller->answers[caller->n++] = msg;
    pthread_mutex_unlock(&caller->lock);
}

static void caller_on_closed(struct rpc_stream *stream, void *arg, const char *why)
{
    struct caller_side *caller = arg;

    (void)stream;
    pthread_mutex_lock(&caller->lock);
    caller->closed = true;
    snprintf(caller->why, sizeof caller->why, "%s", why);
    pthread_mutex_unlock(&caller->lock);
}

/* A channel, and no stream yet. */
static inline void caller_dial(struct caller_side *caller, struct rpc *rpc, struct loop *loop,
                               int port)
{
    char address[32];

    memset(caller, 0, sizeof *caller);
    pthread_mutex_init(&caller->lock, NULL);
    snprintf(address, sizeof address, "127.0.0.1:%d", port);
    caller->loop = loop;
    caller->channel = rpc_channel_open(rpc, address);
}

static inline void caller_begin(struct caller_side *caller, const char *path)
{
    static const struct rpc_stream_events events = {caller_on_message, caller_on_closed};

    caller->stream = rpc_stream_open(caller->channel, path, CLOCK_HOPELESS_MS, &events, caller);
}

static inline void caller_open(struct caller_side *caller, struct rpc *rpc, struct loop *loop,
                               int port, const char *path)
{
    caller_dial(caller, rpc, loop, port);
    caller_begin(caller, path);
}

static inline bool caller_has(struct caller_side *caller, size_t n, bool closed)
{
    pthread_mutex_lock(&caller->lock);
    bool has = closed ? caller->closed : caller->n >= n;
    pthread_mutex_unlock(&caller->lock);
    return has;
}

/* Turns the loop until N answers have come, or the stream has closed (if CLOSED). */
static inline bool caller_wait(struct caller_side *caller, size_t n, bool closed)
{
    return until(caller_has(caller, n, closed), uv_run(&caller->loop->uv, UV_RUN_NOWAIT));
}

/* The stream; the channel is left. */
static inline void caller_end(struct caller_side *caller)
{
    rpc_stream_close(caller->stream);
    assert_true(caller_wait(caller, 0, true));
    rpc_stream_unref(caller->stream);
    for (size_t i = 0; i < caller->n; i++)
        msg_unref(caller->answers[i]);
    pthread_mutex_destroy(&caller->lock);
}

static inline void caller_close(struct caller_side *caller)
{
    caller_end(caller);
    rpc_channel_close(caller->channel);
}

#endif
