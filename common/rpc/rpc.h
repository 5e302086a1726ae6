/* rpc.h - bidirectional gRPC streams between daemons. Nothing outside this folder includes
 * gRPC's headers.
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
 * are sent with GRPC_WRITE_BUFFER_HINT while more wait. Pipes (pipe.h) bound how much waits.
 *
 * What a peer can make us hold is bounded (struct rpc_limits): bytes of a message, messages of a
 * stream that are not done with (it is not read meanwhile, and the peer's sending stops), bytes of
 * such messages in all, streams of a connection and how often it opens one (beyond, the connection
 * is cut), connections (beyond, further ones wait). */
#ifndef IMC_COMMON_RPC_RPC_H
#define IMC_COMMON_RPC_RPC_H

#include "common/base/msg.h"
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

enum {
    RPC_UNANSWERED_MAX = 64,       /* messages of a stream held, see rpc_stream_hold() */
    RPC_STREAMS_MAX = 16,          /* of a connection; our own callers have one */
    RPC_OPENED_MAX = 64,           /* streams that a connection opens within a second */
    RPC_CONNECTIONS_DEFAULT = 512, /* see rpc_set_limits() */
    RPC_HELD_DEFAULT = 128 << 20,
};

struct rpc_limits {
    int connections; /* to the server */
    size_t held;     /* bytes of messages that are held, or wait to be sent, in all */
};

struct rpc_stats {
    int64_t connections;             /* open to the server */
    int64_t held;                    /* bytes */
    uint64_t accepted, waited, cut;  /* connections; WAITED: times that no more were let in */
    uint64_t accept_errors, refused; /* REFUSED: streams */
    uint64_t paused; /* times that a stream was not read because too much of it was held */
};

/* Who a daemon is: the id and epoch of its lease. */
struct rpc_name {
    char id[64];
    uint64_t epoch;
};

/* One per process. 0 or -E…. MAX_MESSAGE in bytes bounds what a peer may send. */
int rpc_open(struct rpc **out, size_t max_message);
/* Before the server is opened. */
void rpc_set_limits(struct rpc *rpc, const struct rpc_limits *limits);
/* Any thread. */
void rpc_stats(struct rpc *rpc, struct rpc_stats *out);
/* After servers, channels and streams are closed. Joins the thread. NULL is fine. */
void rpc_close(struct rpc *rpc);

/* We are ID, now under EPOCH: from now on streams that want somebody else are refused. Those that
 * want nobody in particular, as of goim's programs, are not. Any thread. */
void rpc_be(struct rpc *rpc, const char *id, uint64_t epoch);
/* Of the process; any thread. Streams of ours that somebody else answered; of others that wanted
 * somebody else than us. */
uint64_t rpc_addressees_missed(void);
uint64_t rpc_addressees_refused(void);

/* One row per method; the table ends with path == NULL and must outlive the server. */
struct rpc_method {
    const char *path; /* "/imc.v1.Logic/Sessions" */
    /* rpc thread: a peer opened a stream. Set the events and ARG by rpc_stream_accept() before
     * returning; not doing so refuses the stream. */
    void (*opened)(struct rpc_stream *stream, void *server_arg);
};

/* Listens on "host:port" ("127.0.0.1:8092"), on every address of the host. -EADDRINUSE and the
 * like; no message to the log. */
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
/* Whom streams that are opened on it from now on are for: an address may belong to somebody else
 * meanwhile, or by mistake. Until then, and with an empty id: for whoever is there. */
void rpc_channel_want(struct rpc_channel *channel, const struct rpc_name *name);
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
/* From message(): it takes BYTES while it is worked on. The stream is not read further while it has
 * RPC_UNANSWERED_MAX such messages, or any and all streams together have rpc_limits.held. */
void rpc_stream_hold(struct rpc_stream *stream, size_t bytes);
/* One held message is answered / BYTES are free again. Any thread. */
void rpc_stream_answered(struct rpc_stream *stream);
void rpc_stream_release(struct rpc_stream *stream, size_t bytes);
/* Ends the stream: as a caller by cancelling, as a callee with status OK. closed() still comes, and
 * before it perhaps messages that were on their way. What a callee sent before is still sent.
 * Idempotent. */
void rpc_stream_close(struct rpc_stream *stream);
struct rpc_stream *rpc_stream_ref(struct rpc_stream *stream);
void rpc_stream_unref(struct rpc_stream *stream);

#endif
