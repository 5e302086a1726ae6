/* client.c - channels, and the caller's side of a stream's life.
 *
 *   rpc_stream_open ─empty batch─► rpc thread:
 *       client_opened: starts initial metadata, receives and status
 *       client_connected: the peer's initial metadata came; the timeout is over
 *       client_status_done: the call has ended, for any reason */
#include "common/base/mem.h"
#include "common/rpc/internal.h"
#include <grpc/grpc_security.h>
#include <grpc/support/time.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    BACKOFF_FIRST_MS = 100,
    BACKOFF_MS = 1000,        /* gRPC takes it also as the least timeout of one attempt to
                               * connect */
    KEEPALIVE_MS = 2000,      /* a peer that froze or vanished is noticed … */
    KEEPALIVE_LATE_MS = 3000, /* … after the sum of both at most */
    RESOLVE_MS = 1000,
};

/* Takes the reference to IDENTITY. */
static struct rpc_link *link_open(const struct rpc *rpc, const char *address,
                                  struct rpc_identity *identity)
{
    const char *name = rpc_identity_tls_name(identity);
    grpc_arg args[] = {
        rpc_arg(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, BACKOFF_FIRST_MS),
        rpc_arg(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, BACKOFF_MS),
        rpc_arg(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, BACKOFF_MS),
        rpc_arg(GRPC_ARG_KEEPALIVE_TIME_MS, KEEPALIVE_MS),
        rpc_arg(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, KEEPALIVE_LATE_MS),
        rpc_arg(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1),
        rpc_arg(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0),
        rpc_arg(GRPC_ARG_MAX_RECEIVE_MESSAGE_LENGTH, (int)rpc->max_message),
        /* A name may have another address after a restart, so resolve it again soon. No TXT
         * look-ups. */
        rpc_arg(GRPC_ARG_DNS_MIN_TIME_BETWEEN_RESOLUTIONS_MS, RESOLVE_MS),
        rpc_arg(GRPC_ARG_SERVICE_CONFIG_DISABLE_RESOLUTION, 1),
        /* Peers of a cluster are never behind the proxy that the environment names. */
        rpc_arg(GRPC_ARG_ENABLE_HTTP_PROXY, 0),
        /* For retries gRPC would keep copies of what a stream sent. */
        rpc_arg(GRPC_ARG_ENABLE_RETRIES, 0),
        rpc_arg(GRPC_ARG_ENABLE_CHANNELZ, 0),
        rpc_arg(GRPC_ARG_ENABLE_PER_MESSAGE_DECOMPRESSION, 0), /* inflate.c says why */
        /* Each channel has a connection of its own. So one loop's stream never waits behind
         * another's. */
        rpc_arg(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1),
        {.type = GRPC_ARG_STRING, /* the last one: left out without a name */
         .key = mem_unconst(GRPC_SSL_TARGET_NAME_OVERRIDE_ARG),
         .value.string = mem_unconst(name)},
    };
    grpc_channel_args channel_args = {sizeof args / sizeof args[0] - (name == NULL), args};
    struct rpc_link *link = mem_zalloc(sizeof *link);

    atomic_init(&link->refs, 1);
    link->identity = identity;
    grpc_channel_credentials *credentials = rpc_identity_credentials(identity);
    link->channel = grpc_channel_create(address, credentials, &channel_args);
    grpc_channel_credentials_release(credentials);
    return link;
}

void rpc_link_unref(struct rpc_link *link)
{
    if (atomic_fetch_sub_explicit(&link->refs, 1, memory_order_acq_rel) != 1)
        return;
    grpc_channel_destroy(link->channel);
    rpc_identity_unref(link->identity);
    free(link);
}

struct rpc_channel *rpc_channel_open(struct rpc *rpc, const char *address)
{
    struct rpc_channel *channel = mem_zalloc(sizeof *channel);

    atomic_init(&channel->refs, 1);
    channel->rpc = rpc;
    channel->address = mem_strdup(address);
    channel->link = link_open(rpc, address, rpc_identity_get(rpc));
    return channel;
}

/* A reference to the channel's link, with the certificates and the key that are in force now. What
 * has begun before goes on with those that it began with. */
static struct rpc_link *channel_link(struct rpc_channel *channel)
{
    struct rpc *rpc = channel->rpc;
    struct rpc_identity *identity = rpc_identity_get(rpc);
    struct rpc_link *old = NULL;

    pthread_mutex_lock(&rpc->lock);
    bool same = channel->link->identity == identity;
    pthread_mutex_unlock(&rpc->lock);
    struct rpc_link *link = same ? NULL : link_open(rpc, channel->address, rpc_identity_get(rpc));
    pthread_mutex_lock(&rpc->lock);
    if (link != NULL) {
        old = channel->link;
        channel->link = link;
    }
    link = channel->link;
    atomic_fetch_add_explicit(&link->refs, 1, memory_order_relaxed);
    pthread_mutex_unlock(&rpc->lock);
    if (old != NULL)
        rpc_link_unref(old);
    rpc_identity_unref(identity);
    return link;
}

void rpc_channel_unref(struct rpc_channel *channel)
{
    if (atomic_fetch_sub_explicit(&channel->refs, 1, memory_order_acq_rel) != 1)
        return;
    rpc_link_unref(channel->link);
    free(channel->address);
    free(channel);
}

void rpc_channel_close(struct rpc_channel *channel)
{
    if (channel != NULL)
        rpc_channel_unref(channel);
}

static void client_connected(struct rpc_tag *tag, bool ok)
{
    struct rpc_stream *stream = rpc_container_of(tag, struct rpc_stream, meta_tag);

    if (ok)
        rpc_connect_forget(stream);
    rpc_stream_op_done(stream);
}

static const char *client_status_name(grpc_status_code status)
{
    static const char *const names[] = {"ok",
                                        "cancelled",
                                        "unknown",
                                        "invalid argument",
                                        "deadline exceeded",
                                        "not found",
                                        "already exists",
                                        "permission denied",
                                        "resource exhausted",
                                        "failed precondition",
                                        "aborted",
                                        "out of range",
                                        "unimplemented",
                                        "internal",
                                        "unavailable",
                                        "data loss",
                                        "unauthenticated"};

    return (size_t)status < sizeof names / sizeof names[0] ? names[status] : "unknown status";
}

static void client_explain(struct rpc_stream *stream)
{
    if (stream->connect_late)
        return; /* rpc_connect_expire() cancelled the call and set the reason */
    pthread_mutex_lock(&stream->lock);
    bool closed_here = stream->closed_here;
    pthread_mutex_unlock(&stream->lock);
    if (closed_here)
        snprintf(stream->why, sizeof stream->why, "closed here");
    else if (stream->status == GRPC_STATUS_OK)
        snprintf(stream->why, sizeof stream->why, "closed by the peer");
    else
        snprintf(stream->why, sizeof stream->why, "%s: %.*s", client_status_name(stream->status),
                 (int)GRPC_SLICE_LENGTH(stream->details),
                 (const char *)GRPC_SLICE_START_PTR(stream->details));
}

static void client_status_done(struct rpc_tag *tag, bool ok)
{
    struct rpc_stream *stream = rpc_container_of(tag, struct rpc_stream, end_tag);

    (void)ok; /* receiving the status always succeeds */
    rpc_connect_forget(stream);
    client_explain(stream);
    rpc_addressee_missed(stream);
    grpc_slice_unref(stream->details);
    rpc_stream_ended(stream);
    rpc_stream_op_done(stream);
}

/* The first tag on the rpc thread: only this thread may start receives. */
static void client_opened(struct rpc_tag *tag, bool ok)
{
    struct rpc_stream *stream = rpc_container_of(tag, struct rpc_stream, meta_tag);
    grpc_op op = {.op = GRPC_OP_RECV_INITIAL_METADATA};
    grpc_op end = {.op = GRPC_OP_RECV_STATUS_ON_CLIENT};

    (void)ok;
    rpc_connect_watch(stream);
    rpc_stream_begin(stream, 2,
                     GRPC_INITIAL_METADATA_WAIT_FOR_READY |
                         GRPC_INITIAL_METADATA_WAIT_FOR_READY_EXPLICITLY_SET);
    op.data.recv_initial_metadata.recv_initial_metadata = &stream->metadata;
    stream->meta_tag.done = client_connected;
    rpc_start_batch(stream->call, &op, 1, &stream->meta_tag);
    end.data.recv_status_on_client.trailing_metadata = &stream->trailing;
    end.data.recv_status_on_client.status = &stream->status;
    end.data.recv_status_on_client.status_details = &stream->details;
    stream->end_tag.done = client_status_done;
    rpc_start_batch(stream->call, &end, 1, &stream->end_tag);
    rpc_stream_op_done(stream);
}

struct rpc_stream *rpc_stream_open(struct rpc_channel *channel, const char *path,
                                   int connect_timeout_ms, const struct rpc_stream_events *events,
                                   void *arg)
{
    struct rpc *rpc = channel->rpc;
    struct rpc_link *link = channel_link(channel);
    grpc_slice method = grpc_slice_from_copied_string(path);
    /* No deadline: a stream lasts as long as both ends want it. */
    grpc_call *call =
        grpc_channel_create_call(link->channel, NULL, GRPC_PROPAGATE_DEFAULTS, rpc->cq, method,
                                 NULL, gpr_inf_future(GPR_CLOCK_MONOTONIC), NULL);
    grpc_slice_unref(method);
    struct rpc_stream *stream = rpc_stream_new(rpc, call);

    atomic_fetch_add_explicit(&channel->refs, 1, memory_order_relaxed);
    stream->channel = channel;
    stream->link = link;
    rpc_addressee_copy(stream);
    stream->peer = mem_strdup(channel->address);
    stream->events = events;
    stream->arg = arg;
    stream->connect_timeout_ms = connect_timeout_ms;
    rpc_stream_ref(stream); /* the reference of rpc_stream_open()'s caller */
    stream->meta_tag.done = client_opened;
    rpc_start_batch(call, NULL, 0, &stream->meta_tag);
    return stream;
}
