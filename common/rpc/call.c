/* call.c - unary calls, on the callee's side: a stream with one request and one answer.
 *
 *   rpc thread:  request ─► call_message ─► too much is held? ─ yes: refused
 *                                             └─ no: method->called()
 *   any thread:  rpc_call_answer ─► answer, status OK;  rpc_call_refuse ─► a status with words */
#include "common/base/mem.h"
#include "common/rpc/internal.h"
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    /* What HTTP/2 may add to a call besides what it adds to a message: headers, windows, pings. */
    AROUND_CALL = 512,
    WHY_MAX = 256,
};

static _Atomic uint64_t came, refused;

void rpc_calls_count(struct rpc_stats *out)
{
    out->calls = atomic_load_explicit(&came, memory_order_relaxed);
    out->calls_refused = atomic_load_explicit(&refused, memory_order_relaxed);
}

static void call_message(struct rpc_stream *stream, void *arg, struct msg *msg)
{
    if (stream->requested) { /* a unary call has one request */
        msg_unref(msg);
        rpc_stream_cancel(stream);
        return;
    }
    stream->requested = true;
    atomic_fetch_add_explicit(&stream->whole, AROUND_CALL, memory_order_relaxed);
    atomic_fetch_add_explicit(&came, 1, memory_order_relaxed);
    if ((size_t)rpc_held() < stream->rpc->limits.held) {
        stream->method->called(rpc_stream_ref(stream), arg, msg);
        return;
    }
    msg_unref(msg);
    rpc_call_refuse(rpc_stream_ref(stream), RPC_EXHAUSTED,
                    "too much of all peers is unanswered here (rpc.held): call again later");
}

static void call_closed(struct rpc_stream *stream, void *arg, const char *why)
{
    (void)stream;
    (void)arg;
    (void)why; /* whoever answers later finds that the call has ended */
}

static const struct rpc_stream_events call_events = {call_message, call_closed};

void rpc_call_accept(struct rpc_stream *stream, void *server_arg)
{
    rpc_stream_accept(stream, &call_events, server_arg);
}

void rpc_call_half_closed(struct rpc_stream *stream, bool broken)
{
    if (!stream->requested)
        rpc_call_refuse(rpc_stream_ref(stream), RPC_INVALID,
                        broken ? "the request is compressed, and broken or too large"
                               : "the call has no request");
}

const char *rpc_call_path(const struct rpc_stream *call)
{
    return call->method->path;
}

/* False: the call has ended or was answered already. */
static bool call_settle(struct rpc_stream *call, grpc_status_code status, const char *why)
{
    pthread_mutex_lock(&call->lock);
    bool open = call->state < STREAM_CLOSING && !call->settled;
    if (open) {
        call->settled = true;
        call->status = status;
        call->refusal_text = why[0] != '\0' ? mem_strndup(why, strnlen(why, WHY_MAX - 1)) : NULL;
        call->refusal = call->refusal_text;
    }
    pthread_mutex_unlock(&call->lock);
    return open;
}

void rpc_call_refuse(struct rpc_stream *call, enum rpc_refusal refusal, const char *why)
{
    atomic_fetch_add_explicit(&refused, 1, memory_order_relaxed);
    if (call_settle(call, (grpc_status_code)refusal, why))
        rpc_stream_close(call);
    rpc_stream_unref(call);
}

void rpc_call_answer(struct rpc_stream *call, struct msg *answer)
{
    char why[WHY_MAX];
    size_t len = answer->len;

    if (rpc_stream_send(call, answer) == -EMSGSIZE) {
        snprintf(why, sizeof why, "the answer has %zu bytes, more than the %zu of a message", len,
                 call->max_message);
        rpc_call_refuse(call, RPC_EXHAUSTED, why);
        return;
    }
    if (call_settle(call, GRPC_STATUS_OK, ""))
        rpc_stream_close(call);
    rpc_stream_unref(call);
}
