/* rpc.h - bidirectional gRPC streams between daemons. rpc*.c are the only files that include gRPC's
 * headers.
 *
 *   caller                                         callee
 *   rpc_channel ── rpc_stream ══ frames ══ rpc_stream ── rpc_server
 *        └──────── rpc (one completion queue, one thread) ────────┘
 *
 * Threads: every callback below runs on the rpc thread ("rpc" in comments). It may decode and must
 * then post to the loop that owns the data: it never blocks and never touches a loop's objects. The
 * functions may be called on any thread. Messages are bytes; packing and unpacking is the caller's
 * (protobuf-c).
 *
 * A stream sends one message at a time, as gRPC wants it; rpc_stream_send() queues, and messages
 * are sent with GRPC_WRITE_BUFFER_HINT while more wait. Pipes (pipe.h) bound how much waits. */
#ifndef IMC_COMMON_RPC_H
#define IMC_COMMON_RPC_H

#include "common/msg.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct rpc;
struct rpc_server;
struct rpc_channel;
struct rpc_stream;

struct rpc_stream_events {
    /* rpc thread. Takes the reference to MSG. */
    void (*message)(struct rpc_stream *stream, void *arg, struct msg *msg);
    /* rpc thread, exactly once, the last callback: the stream is over. WHY is for a log line, never
     * NULL. The stream stays valid for those who hold references; sending on it fails with -EPIPE.
     */
    void (*closed)(struct rpc_stream *stream, void *arg, const char *why);
};

/* One per process. 0 or -E…. MAX_MESSAGE in bytes bounds what a peer may send. */
int rpc_open(struct rpc **out, size_t max_message);
/* After servers, channels and streams are closed. Joins the thread. NULL is fine. */
void rpc_close(struct rpc *rpc);

/* One row per method; the table ends with path == NULL and must outlive the server. */
struct rpc_method {
    const char *path; /* "/imc.v1.Logic/Sessions" */
    /* rpc thread: a peer opened a stream. Set the events and ARG by rpc_stream_accept() before
     * returning; not doing so refuses the stream. */
    void (*opened)(struct rpc_stream *stream, void *server_arg);
};

/* Listens on "host:port" ("0.0.0.0:8092"). -EADDRINUSE and the like; no message to the log. */
int rpc_server_open(struct rpc *rpc, const char *address, const struct rpc_method *methods,
                    void *server_arg, struct rpc_server **out);
/* The port that was bound (for address "…:0"). */
int rpc_server_port(const struct rpc_server *server);
/* Stops accepting, gives open streams GRACE_MS to end, cancels the rest; returns when all have
 * closed. Not on the rpc thread, nor from a loop that closed() callbacks wait for. */
void rpc_server_close(struct rpc_server *server, int grace_ms);
void rpc_stream_accept(struct rpc_stream *stream, const struct rpc_stream_events *events,
                       void *arg);
/* "ipv4:127.0.0.1:4711", valid while the stream is referenced. */
const char *rpc_stream_peer(const struct rpc_stream *stream);

/* A connection to one peer; reconnects by itself (backoff at most 1 s). */
struct rpc_channel *rpc_channel_open(struct rpc *rpc, const char *address);
/* Streams opened on it keep it alive until they are closed. NULL is fine. */
void rpc_channel_close(struct rpc_channel *channel);
/* Starts a stream at once; if the peer cannot be reached, closed() says so (within
 * CONNECT_TIMEOUT_MS). The caller holds a reference. There is no "opened" event: a peer that
 * accepted is one that answers. */
struct rpc_stream *rpc_stream_open(struct rpc_channel *channel, const char *path,
                                   int connect_timeout_ms, const struct rpc_stream_events *events,
                                   void *arg);

/* Takes MSG, also on failure. 0, -EPIPE after the stream has ended or was closed here, or -EMSGSIZE
 * above MAX_MESSAGE. */
int rpc_stream_send(struct rpc_stream *stream, struct msg *msg);
/* Ends the stream: as a caller by cancelling, as a callee with status OK. closed() still comes, and
 * before it perhaps messages that were on their way. What a callee sent before is still sent.
 * Idempotent. */
void rpc_stream_close(struct rpc_stream *stream);
struct rpc_stream *rpc_stream_ref(struct rpc_stream *stream);
void rpc_stream_unref(struct rpc_stream *stream);

#endif
