/* rpc_server.c - listening, and the callee's side of a stream's life.
 *
 *   gRPC ─► one of ARMED requests: server_requested ─► path in the table? ─► method->opened() ─►
 * rpc_stream_accept()?
 *                 └─► re-armed                          └─ no: UNIMPLEMENTED     └─ no: UNAVAILABLE
 *
 * Methods are not registered with gRPC: calls of unknown paths would wait there unanswered for
 * ever. */
#include "common/mem.h"
#include "rpc_internal.h"
#include <assert.h>
#include <errno.h>
#include <grpc/grpc_security.h>
#include <grpc/support/alloc.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
    ARMED = 8,           /* requests that wait for a call; more calls at once queue inside gRPC */
    KEEPALIVE_MS = 5000, /* a caller that froze or vanished is found out … */
    KEEPALIVE_LATE_MS = 3000,
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
    grpc_server *server;
    const struct rpc_method *methods;
    void *arg;
    int port;
    struct rpc_tag shutdown_tag;
    struct server_request requests[ARMED];
    /* under rpc->lock; all 0 and true: nothing of gRPC's refers to us any more */
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

    /* The initial metadata leaves at once: it tells the caller that it is connected. */
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

static void server_accept(struct rpc_server *server, grpc_call *call, const grpc_slice *path)
{
    struct rpc_stream *stream = rpc_stream_new(server->rpc, call);
    char *peer = grpc_call_get_peer(call);

    stream->server = server;
    stream->peer = mem_strdup(peer);
    gpr_free(peer);
    pthread_mutex_lock(&server->rpc->lock);
    server->streams++;
    pthread_mutex_unlock(&server->rpc->lock);
    const struct rpc_method *method = server_find(server, path);
    if (method == NULL) {
        server_refuse(stream, GRPC_STATUS_UNIMPLEMENTED, "no such method here");
    } else {
        method->opened(stream, server->arg);
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

void rpc_server_stream_gone(struct rpc_server *server)
{
    assert(server->streams > 0);
    server->streams--;
}

/* ── requests ── */

static void server_arm(struct server_request *request)
{
    struct rpc_server *server = request->server;

    grpc_call_details_init(&request->details);
    grpc_metadata_array_init(&request->metadata);
    rpc_hand_over(&request->tag);
    grpc_call_error err = grpc_server_request_call(server->server, &request->call,
                                                   &request->details, &request->metadata,
                                                   server->rpc->cq, server->rpc->cq, &request->tag);
    assert(err == GRPC_CALL_OK);
    (void)err;
}

static void server_requested(struct rpc_tag *tag, bool ok)
{
    struct server_request *request = rpc_container_of(tag, struct server_request, tag);
    struct rpc_server *server = request->server;

    if (ok)
        server_accept(server, request->call, &request->details.method);
    grpc_call_details_destroy(&request->details);
    grpc_metadata_array_destroy(&request->metadata);
    if (ok) {
        server_arm(request); /* comes back with ok == false if the server is being shut down */
        return;
    }
    pthread_mutex_lock(&server->rpc->lock);
    server->armed--;
    pthread_cond_broadcast(&server->rpc->idle);
    pthread_mutex_unlock(&server->rpc->lock);
}

/* ── opening ── */

/* gRPC says only that it could not listen; the same bind tells why. */
static int server_bind_error(const char *address)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE}, *found;
    const char *colon = strrchr(address, ':');
    int err = 0, one = 1;

    if (colon == NULL)
        return -EINVAL;
    const char *host = address;
    size_t len = (size_t)(colon - address);
    if (len >= 2 && host[0] == '[' && host[len - 1] == ']') {
        host++;
        len -= 2;
    }
    char *name = mem_strndup(host, len);
    if (getaddrinfo(name, colon + 1, &hints, &found) != 0) {
        free(name);
        return -EADDRNOTAVAIL;
    }
    free(name);
    int fd = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) != 0 ||
        bind(fd, found->ai_addr, found->ai_addrlen) != 0 || listen(fd, 1) != 0)
        err = -errno;
    if (fd >= 0)
        close(fd);
    freeaddrinfo(found);
    return err != 0 ? err : -EADDRINUSE;
}

static grpc_server *server_create(const struct rpc *rpc)
{
    grpc_arg args[] = {
        rpc_arg(GRPC_ARG_MAX_RECEIVE_MESSAGE_LENGTH, (int)rpc->max_message),
        rpc_arg(GRPC_ARG_ALLOW_REUSEPORT, 0), /* a port in use is an error, not a second listener */
        rpc_arg(GRPC_ARG_KEEPALIVE_TIME_MS, KEEPALIVE_MS),
        rpc_arg(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, KEEPALIVE_LATE_MS),
        rpc_arg(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1),
        rpc_arg(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0),
        /* Callers ping as often as they like, also without a call. */
        rpc_arg(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, 0),
        rpc_arg(GRPC_ARG_HTTP2_MAX_PING_STRIKES, 0),
        rpc_arg(GRPC_ARG_ENABLE_CHANNELZ, 0),
    };
    grpc_channel_args server_args = {sizeof args / sizeof args[0], args};
    grpc_server *server = grpc_server_create(&server_args, NULL);

    grpc_server_register_completion_queue(server, rpc->cq, NULL);
    return server;
}

int rpc_server_open(struct rpc *rpc, const char *address, const struct rpc_method *methods,
                    void *server_arg, struct rpc_server **out)
{
    grpc_server *grpc = server_create(rpc);
    grpc_server_credentials *credentials = grpc_insecure_server_credentials_create();
    int port = grpc_server_add_http2_port(grpc, address, credentials);

    grpc_server_credentials_release(credentials);
    if (port <= 0) {
        grpc_server_destroy(grpc);
        return server_bind_error(address);
    }
    struct rpc_server *server = mem_zalloc(sizeof *server);
    server->rpc = rpc;
    server->server = grpc;
    server->methods = methods;
    server->arg = server_arg;
    server->port = port;
    server->armed = ARMED;
    pthread_mutex_lock(&rpc->lock);
    rpc->servers++;
    pthread_mutex_unlock(&rpc->lock);
    *out = server; /* opened() may run before this returns */
    grpc_server_start(grpc);
    for (int i = 0; i < ARMED; i++) {
        server->requests[i].server = server;
        server->requests[i].tag.done = server_requested;
        server_arm(&server->requests[i]);
    }
    return 0;
}

int rpc_server_port(const struct rpc_server *server)
{
    return server->port;
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
    struct timespec until;

    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += timeout_ms / 1000;
    until.tv_nsec += (timeout_ms % 1000) * 1000000L;
    if (until.tv_nsec >= 1000000000L) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000L;
    }
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
    server->shutdown_tag.done = server_shut_down;
    rpc_hand_over(&server->shutdown_tag);
    grpc_server_shutdown_and_notify(server->server, server->rpc->cq, &server->shutdown_tag);
    if (!server_wait(server, grace_ms)) {
        grpc_server_cancel_all_calls(server->server);
        server_wait(server, -1);
    }
    grpc_server_destroy(server->server);
    pthread_mutex_lock(&server->rpc->lock);
    server->rpc->servers--;
    pthread_mutex_unlock(&server->rpc->lock);
    free(server);
}
