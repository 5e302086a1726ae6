/* server.c - listening, and the callee's side of a stream's life.
 *
 *   calls thread:  one of ARMED requests: server_requested ─► too many of that connection? cut it
 *                       └─► re-armed           └─► rpc_stream_new ─► hop to the rpc thread
 *   rpc thread:    server_accept ─► the key shown, if there is one? no: UNAUTHENTICATED
 *                                ─► path in the table?      ─► rpc_addressee_fits?
 *                                    └─ no: UNIMPLEMENTED       └─ no: FAILED_PRECONDITION
 *                                ─► method->opened() ─► rpc_stream_accept()?
 *                                                        └─ no: UNAVAILABLE
 *                                ─► or, of a unary call: rpc_call_accept (call.c)
 *
 * A second thread, the calls thread, takes new streams. gRPC reads and parses on the rpc thread for
 * as long as a peer sends, and only then hands out new streams. A peer that opens and resets
 * streams all the time would fill the memory before the rpc thread could count them. The calls
 * thread does not poll sockets, so it counts them at once.
 *
 * We do not register methods with gRPC: it would never answer a call of an unknown path. */
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/base/time.h"
#include "common/rpc/internal.h"
#include <assert.h>
#include <errno.h>
#include <grpc/support/alloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    ARMED = 8,           /* gRPC requests that wait for a call; further calls queue inside gRPC */
    KEEPALIVE_MS = 5000, /* a caller that froze or vanished is noticed … */
    KEEPALIVE_LATE_MS = 3000,
    IDLE_MS = 60000, /* gRPC closes a connection without a stream after this; our callers always
                      * have one */
    READ_BYTES = 16384,
};

struct server_request {
    struct rpc_tag tag;
    struct rpc_server *server;
    grpc_call *call;
    grpc_call_details details;
    grpc_metadata_array metadata;
};

struct rpc_server {
    struct rpc *rpc;
    struct rpc_admission *gate;
    grpc_server *server;
    const struct rpc_method *methods;
    void *arg;
    grpc_completion_queue *calls;
    pthread_t thread;
    struct rpc_tag shutdown_tag;
    struct server_request requests[ARMED];
    /* Under rpc->lock. Once both are 0 and SHUT is true, nothing in gRPC refers to this server. */
    unsigned armed, streams;
    bool shut;
};

/* ── streams; rpc thread ── */

static void server_close_done(struct rpc_tag *tag, bool ok)
{
    struct rpc_stream *stream = rpc_container_of(tag, struct rpc_stream, end_tag);

    (void)ok; /* receiving the close always succeeds */
    pthread_mutex_lock(&stream->lock);
    bool closed_here = stream->closed_here;
    pthread_mutex_unlock(&stream->lock);
    const char *why = closed_here         ? "closed here"
                      : stream->cancelled ? "cancelled by the peer, or its connection broke"
                                          : "closed by the peer";
    snprintf(stream->why, sizeof stream->why, "%s", why);
    rpc_stream_ended(stream);
    rpc_stream_op_done(stream);
}

static void server_refuse(struct rpc_stream *stream, grpc_status_code status, const char *why)
{
    stream->events = NULL;
    stream->status = status;
    stream->refusal = why;
    rpc_stream_close(stream);
}

static void server_begin(struct rpc_stream *stream)
{
    grpc_op op = {.op = GRPC_OP_RECV_CLOSE_ON_SERVER};

    /* Sends the initial metadata at once, which tells the caller that it is connected. */
    rpc_stream_begin(stream, 1, 0);
    op.data.recv_close_on_server.cancelled = &stream->cancelled;
    stream->end_tag.done = server_close_done;
    rpc_start_batch(stream->call, &op, 1, &stream->end_tag);
    rpc_stream_op_done(stream);
}

static const struct rpc_method *server_find(const struct rpc_server *server, const grpc_slice *path)
{
    for (const struct rpc_method *method = server->methods; method->path != NULL; method++) {
        if (grpc_slice_str_cmp(*path, method->path) == 0)
            return method;
    }
    return NULL;
}

static void server_accept(struct rpc_tag *tag, bool ok)
{
    struct rpc_stream *stream = rpc_container_of(tag, struct rpc_stream, meta_tag);

    (void)ok;
    if (stream->stranger) {
        log_warn("stream without the key refused",
                 "peer=%s; rpc.key_file has to have the same content in all daemons", stream->peer);
        server_refuse(stream, GRPC_STATUS_UNAUTHENTICATED,
                      "the key is missing or wrong: see rpc.key_file");
    } else if (stream->method == NULL) {
        server_refuse(stream, GRPC_STATUS_UNIMPLEMENTED, "no such method here");
    } else if (!rpc_addressee_fits(stream)) {
        server_refuse(stream, GRPC_STATUS_FAILED_PRECONDITION, stream->refusal_text);
    } else if (rpc_is_call(stream)) {
        rpc_call_accept(stream, stream->server->arg);
    } else {
        stream->method->opened(stream, stream->server->arg);
        if (stream->events == NULL)
            server_refuse(stream, GRPC_STATUS_UNAVAILABLE, "refused");
    }
    server_begin(stream);
}

void rpc_stream_accept(struct rpc_stream *stream, const struct rpc_stream_events *events, void *arg)
{
    assert(stream->server != NULL && stream->events == NULL);
    stream->events = events;
    stream->arg = arg;
}

void rpc_server_stream_gone(struct rpc_server *server, const struct rpc_stream *stream)
{
    assert(server->streams > 0);
    server->streams--;
    if (stream->conn != 0)
        rpc_admission_leave(server->gate, stream);
}

/* ── requests; calls thread ── */

static void server_let_in(struct rpc_server *server, struct server_request *request)
{
    grpc_call *call = request->call;
    const struct rpc_method *method = server_find(server, &request->details.method);
    bool unary = method != NULL && method->called != NULL;
    char *name = grpc_call_get_peer(call), *peer;
    uint64_t conn = rpc_admission_enter(server->gate, name, unary, &peer);

    gpr_free(name);
    if (conn == 0) {
        free(peer);
        grpc_call_unref(call);
        return;
    }
    struct rpc_stream *stream = rpc_stream_new(server->rpc, call);
    stream->server = server;
    stream->conn = conn;
    stream->peer = peer;
    stream->method = method;
    stream->stranger = !rpc_security_admits(server->rpc, &request->metadata);
    rpc_addressee_take(stream, &request->metadata);
    pthread_mutex_lock(&server->rpc->lock);
    server->streams++;
    pthread_mutex_unlock(&server->rpc->lock);
    stream->meta_tag.done = server_accept;
    rpc_start_batch(call, NULL, 0, &stream->meta_tag);
}

static void server_arm(struct server_request *request)
{
    struct rpc_server *server = request->server;

    grpc_call_details_init(&request->details);
    grpc_metadata_array_init(&request->metadata);
    rpc_hand_over(&request->tag);
    grpc_call_error err =
        grpc_server_request_call(server->server, &request->call, &request->details,
                                 &request->metadata, server->rpc->cq, server->calls, &request->tag);
    assert(err == GRPC_CALL_OK);
    (void)err;
}

static void server_requested(struct rpc_tag *tag, bool ok)
{
    struct server_request *request = rpc_container_of(tag, struct server_request, tag);
    struct rpc_server *server = request->server;

    if (ok)
        server_let_in(server, request);
    grpc_call_details_destroy(&request->details);
    grpc_metadata_array_destroy(&request->metadata);
    if (ok) {
        server_arm(request); /* its tag comes back with ok == false when the server shuts down */
        return;
    }
    pthread_mutex_lock(&server->rpc->lock);
    server->armed--;
    pthread_cond_broadcast(&server->rpc->idle);
    pthread_mutex_unlock(&server->rpc->lock);
}

static void *server_thread(void *arg)
{
    struct rpc_server *server = arg;

    pthread_setname_np(pthread_self(), "rpc-calls");
    for (;;) {
        grpc_event event =
            grpc_completion_queue_next(server->calls, gpr_inf_future(GPR_CLOCK_MONOTONIC), NULL);
        if (event.type == GRPC_QUEUE_SHUTDOWN)
            return NULL;
        if (event.type == GRPC_OP_COMPLETE)
            rpc_tag_done(event.tag, event.success != 0);
    }
}

/* ── opening ── */

/* The quota limits what gRPC itself holds, above all parts of messages. It is half of what complete
 * messages may take. */
static grpc_server *server_create(const struct rpc *rpc, grpc_completion_queue *calls)
{
    grpc_resource_quota *quota = grpc_resource_quota_create("server");
    grpc_resource_quota_resize(quota, rpc->limits.held / 2);
    grpc_arg args[] = {
        rpc_arg(GRPC_ARG_MAX_RECEIVE_MESSAGE_LENGTH, (int)rpc->max_message),
        rpc_arg(GRPC_ARG_MAX_CONCURRENT_STREAMS, RPC_STREAMS_MAX),
        rpc_arg(GRPC_ARG_MAX_CONNECTION_IDLE_MS, IDLE_MS),
        /* Smaller reads: gRPC handles all streams of one read before we can count them. */
        rpc_arg(GRPC_ARG_TCP_READ_CHUNK_SIZE, READ_BYTES),
        rpc_arg(GRPC_ARG_TCP_MAX_READ_CHUNK_SIZE, READ_BYTES),
        rpc_arg(GRPC_ARG_KEEPALIVE_TIME_MS, KEEPALIVE_MS),
        rpc_arg(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, KEEPALIVE_LATE_MS),
        rpc_arg(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1),
        rpc_arg(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0),
        /* Callers may ping as often as they like, also without a call. */
        rpc_arg(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, 0),
        rpc_arg(GRPC_ARG_HTTP2_MAX_PING_STRIKES, 0),
        rpc_arg(GRPC_ARG_ENABLE_CHANNELZ, 0),
        rpc_arg(GRPC_ARG_ENABLE_PER_MESSAGE_DECOMPRESSION, 0), /* inflate.c says why */
        {.type = GRPC_ARG_POINTER,
         .key = mem_unconst(GRPC_ARG_RESOURCE_QUOTA),
         .value.pointer = {quota, grpc_resource_quota_arg_vtable()}},
    };
    grpc_channel_args server_args = {sizeof args / sizeof args[0], args};
    grpc_server *server = grpc_server_create(&server_args, NULL);

    grpc_resource_quota_unref(quota);
    grpc_server_register_completion_queue(server, rpc->cq, NULL);
    grpc_server_register_completion_queue(server, calls, NULL);
    return server;
}

int rpc_server_open(struct rpc *rpc, const char *address, const struct rpc_method *methods,
                    void *server_arg, struct rpc_server **out)
{
    struct rpc_admission *gate;
    grpc_completion_queue_attributes attributes = {GRPC_CQ_CURRENT_VERSION, GRPC_CQ_NEXT,
                                                   GRPC_CQ_NON_POLLING, NULL};
    grpc_completion_queue *calls = grpc_completion_queue_create(
        grpc_completion_queue_factory_lookup(&attributes), &attributes, NULL);
    grpc_server *grpc = server_create(rpc, calls);
    int err = rpc_admission_open(rpc, grpc, address, &gate);

    if (err != 0) {
        grpc_server_destroy(grpc);
        grpc_completion_queue_shutdown(calls);
        grpc_completion_queue_destroy(calls);
        return err;
    }
    struct rpc_server *server = mem_zalloc(sizeof *server);
    server->calls = calls;
    server->rpc = rpc;
    server->server = grpc;
    server->methods = methods;
    server->arg = server_arg;
    server->gate = gate;
    server->armed = ARMED;
    pthread_mutex_lock(&rpc->lock);
    rpc->servers++;
    rpc->gate = gate;
    pthread_mutex_unlock(&rpc->lock);
    *out = server; /* set it now: opened() may run before grpc_server_start() returns */
    grpc_server_start(grpc);
    for (int i = 0; i < ARMED; i++) {
        server->requests[i].server = server;
        server->requests[i].tag.done = server_requested;
        server_arm(&server->requests[i]);
    }
    err = rpc_thread_start(&server->thread, server_thread, server);
    if (err == 0)
        err = rpc_admission_start(gate);
    if (err != 0)
        rpc_server_close(server, 0);
    return err;
}

int rpc_server_port(const struct rpc_server *server)
{
    return rpc_admission_port(server->gate);
}

/* ── closing ── */

static void server_shut_down(struct rpc_tag *tag, bool ok)
{
    struct rpc_server *server = rpc_container_of(tag, struct rpc_server, shutdown_tag);

    (void)ok;
    pthread_mutex_lock(&server->rpc->lock);
    server->shut = true;
    pthread_cond_broadcast(&server->rpc->idle);
    pthread_mutex_unlock(&server->rpc->lock);
}

static bool server_is_idle(const struct rpc_server *server)
{
    return server->shut && server->armed == 0 && server->streams == 0;
}

static bool server_wait(struct rpc_server *server, int timeout_ms)
{
    struct rpc *rpc = server->rpc;
    struct timespec until = time_in(CLOCK_MONOTONIC, timeout_ms > 0 ? (uint64_t)timeout_ms : 0);

    pthread_mutex_lock(&rpc->lock);
    while (!server_is_idle(server)) {
        if (timeout_ms < 0)
            pthread_cond_wait(&rpc->idle, &rpc->lock);
        else if (pthread_cond_timedwait(&rpc->idle, &rpc->lock, &until) == ETIMEDOUT)
            break;
    }
    bool idle = server_is_idle(server);
    pthread_mutex_unlock(&rpc->lock);
    return idle;
}

void rpc_server_close(struct rpc_server *server, int grace_ms)
{
    if (server == NULL)
        return;
    assert(!pthread_equal(pthread_self(), server->rpc->thread));
    rpc_admission_stop(server->gate);
    server->shutdown_tag.done = server_shut_down;
    rpc_hand_over(&server->shutdown_tag);
    grpc_server_shutdown_and_notify(server->server, server->rpc->cq, &server->shutdown_tag);
    if (!server_wait(server, grace_ms)) {
        grpc_server_cancel_all_calls(server->server);
        server_wait(server, -1);
    }
    grpc_server_destroy(server->server);
    grpc_completion_queue_shutdown(server->calls);
    pthread_join(server->thread, NULL);
    grpc_completion_queue_destroy(server->calls);
    pthread_mutex_lock(&server->rpc->lock);
    server->rpc->servers--;
    server->rpc->gate = NULL;
    pthread_mutex_unlock(&server->rpc->lock);
    rpc_admission_free(server->gate);
    free(server);
}
