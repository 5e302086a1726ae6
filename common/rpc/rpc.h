/* rpc.h - gRPC between daemons: bidirectional streams, and unary calls for peers that have no other
 * way, such as goim's. Nothing outside this folder includes gRPC's headers.
 *
 *   caller                                         callee
 *   rpc_channel ── rpc_stream ══ frames ══ rpc_stream ── rpc_server
 *        └──────── rpc (one completion queue, one thread) ────────┘
 *
 * Threads: every callback below runs on the rpc thread. A callback may decode a message, and then
 * has to post it to the loop that owns the data. It must not block or touch a loop's objects. The
 * functions may be called on any thread. Messages are bytes; the users of this file pack and unpack
 * them (protobuf-c).
 *
 * gRPC sends one message of a stream at a time; rpc_stream_send() queues further ones. While more
 * wait, a message is sent with GRPC_WRITE_BUFFER_HINT, so that gRPC writes several at once. The
 * queue has no limit: pipes (pipe.h) bound how much waits.
 *
 * What a peer can make us hold has limits:
 *   a message       its bytes: MAX_MESSAGE
 *   a stream        its messages that are held: RPC_UNANSWERED_MAX. Beyond, it is not read, so that
 *                   the peer has to stop sending
 *   all streams     bytes of held messages: rpc_limits.held. Beyond, none of them is read
 *   all calls       the same bytes. Beyond, calls are refused
 *   a connection    its streams and calls, and how often it opens one: RPC_STREAMS_MAX,
 *                   RPC_CALLS_MAX, RPC_OPENED_MAX. Beyond, it is cut
 *   the server      its connections: rpc_limits.connections. Beyond, further ones wait */
#ifndef IMC_COMMON_RPC_RPC_H
#define IMC_COMMON_RPC_RPC_H

#include "common/base/msg.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct rpc;
struct rpc_server;
struct tls_client; /* common/tls/tls.h */
struct tls_server;
struct rpc_channel;
struct rpc_stream;

struct rpc_stream_events {
    /* A message came. Takes the reference to MSG. */
    void (*message)(struct rpc_stream *stream, void *arg, struct msg *msg);
    /* The stream is over. Called exactly once, as the last callback. WHY is for a log line, never
     * NULL. The stream stays valid for those who have references, but sending fails with -EPIPE. */
    void (*closed)(struct rpc_stream *stream, void *arg, const char *why);
};

enum {
    RPC_UNANSWERED_MAX = 64,       /* messages of a stream that may be held, see
                                    * rpc_stream_hold() */
    RPC_STREAMS_MAX = 16,          /* streams of a connection; our daemons open one */
    RPC_CALLS_MAX = 64,            /* calls of a connection that have not ended here. A caller may
                                    * have RPC_STREAMS_MAX under way; the others are over for it */
    RPC_OPENED_MAX = 64,           /* streams that a connection opens within a second, with calls
                                    * that were not answered */
    RPC_CONNECTIONS_DEFAULT = 512, /* see rpc_set_limits() */
    RPC_HELD_DEFAULT = 128 << 20,
};

struct rpc_limits {
    int connections; /* connections to the server */
    size_t held;     /* bytes of all messages that are held or wait to be sent */
};

struct rpc_stats {
    int64_t connections;             /* open connections to the server */
    int64_t held;                    /* bytes */
    uint64_t accepted, waited, cut;  /* connections; WAITED: times that no more could be accepted */
    uint64_t accept_errors, refused; /* REFUSED: streams */
    uint64_t paused; /* times that reading a stream was paused, because too much was held */
    uint64_t calls, calls_refused; /* unary calls that came; those refused, for whatever reason */
};

/* Who a daemon is: the id and epoch of its lease. */
struct rpc_name {
    char id[64];
    uint64_t epoch;
};

/* One per process. 0 or -E…. MAX_MESSAGE is the limit of a message, in bytes. */
int rpc_open(struct rpc **out, size_t max_message);
/* Call it before the server is opened. */
void rpc_set_limits(struct rpc *rpc, const struct rpc_limits *limits);
/* Any thread. */
void rpc_stats(struct rpc *rpc, struct rpc_stats *out);

enum rpc_tls { RPC_TLS_OFF, RPC_TLS_ON, RPC_TLS_MUTUAL };

/* How connections are secured. The texts are copied, SERVER and CLIENT are the caller's and have to
 * outlive RPC. */
struct rpc_security {
    enum rpc_tls tls;
    struct tls_server *server; /* ALPN "h2"; with MUTUAL it demands certificates. NULL: this
                                * process opens no server */
    struct tls_client *client; /* like what callers do, to find out why they cannot */
    /* PEM texts of callers; certificate and key for MUTUAL, else NULL */
    const char *ca, *certificate, *private_key;
    const char *tls_name; /* what certificates of servers are for; NULL: the host we connect to */
    const char *key;      /* callers show it, and a server refuses streams without it; NULL: none.
                           * It is wiped when it is not needed any more */
};
/* Before servers and channels are opened. May be called again with the same TLS and SERVER: then
 * new connections have the new certificates, and new streams the new key. Any thread. */
void rpc_secure(struct rpc *rpc, const struct rpc_security *security);
/* Streams refused because they did not show the key. For the process. Any thread. */
uint64_t rpc_strangers_refused(void);

/* Call it after servers, channels and streams are closed. Joins the rpc thread. NULL is fine. */
void rpc_close(struct rpc *rpc);

/* This daemon has the lease ID, with EPOCH. From now on the server refuses streams that are for
 * another daemon. It accepts streams that name no daemon, such as those of goim's programs. Any
 * thread. */
void rpc_be(struct rpc *rpc, const char *id, uint64_t epoch);
/* Counted for the process: streams that we opened and another daemon than the wanted one refused;
 * streams that we refused because they were for another daemon. Any thread. */
uint64_t rpc_addressees_missed(void);
uint64_t rpc_addressees_refused(void);

/* One row per method, with one of the two functions. The table ends with path == NULL and must
 * outlive the server. */
struct rpc_method {
    const char *path; /* "/imc.v1.Logic/Sessions" */
    /* A peer opened a stream. Call rpc_stream_accept() before returning; otherwise the stream is
     * refused. */
    void (*opened)(struct rpc_stream *stream, void *server_arg);
    /* A unary call came. The callee gets the references to CALL and REQUEST. It has to end the call
     * by rpc_call_answer() or rpc_call_refuse(), on any thread. Until then it may account for what
     * the call takes: rpc_stream_hold(), rpc_stream_release(). */
    void (*called)(struct rpc_stream *call, void *server_arg, struct msg *request);
};

/* gRPC's status codes, as far as we answer with them. */
enum rpc_refusal {
    RPC_INVALID = 3,      /* the request is wrong: the same one will always be */
    RPC_EXHAUSTED = 8,    /* too much is under way: later */
    RPC_PRECONDITION = 9, /* this daemon is not set up for it */
    RPC_UNAVAILABLE = 14, /* something that it needs is away: later */
    RPC_UNAUTHENTICATED = 16,
};

/* Which method is called: the path of its row. */
const char *rpc_call_path(const struct rpc_stream *call);
/* Ends a unary call, and drops the reference to it. Any thread. rpc_call_answer() takes the
 * reference to ANSWER. WHY, at most 255 bytes, is what the caller sees. If the caller has gone,
 * both do nothing else. */
void rpc_call_answer(struct rpc_stream *call, struct msg *answer);
void rpc_call_refuse(struct rpc_stream *call, enum rpc_refusal refusal, const char *why);

/* Listens on "host:port" ("127.0.0.1:8092"), on every address that the host's name has. 0 or -E…:
 * -EADDRINUSE and the like. Logs nothing. */
int rpc_server_open(struct rpc *rpc, const char *address, const struct rpc_method *methods,
                    void *server_arg, struct rpc_server **out);
/* The port that was bound (for address "…:0"). */
int rpc_server_port(const struct rpc_server *server);
/* Stops accepting, gives open streams GRACE_MS to end, and cancels the rest. Blocks until all
 * streams are closed. So call it neither on the rpc thread nor on a loop that a closed() callback
 * waits for. */
void rpc_server_close(struct rpc_server *server, int grace_ms);
void rpc_stream_accept(struct rpc_stream *stream, const struct rpc_stream_events *events,
                       void *arg);
/* "ipv4:127.0.0.1:4711", valid while the stream is referenced. */
const char *rpc_stream_peer(const struct rpc_stream *stream);

/* A connection to one peer; reconnects by itself (backoff at most 1 s). */
struct rpc_channel *rpc_channel_open(struct rpc *rpc, const char *address);
/* Streams that are opened from now on are for the daemon NAME. Another daemon may have the address
 * by now, or by mistake, and refuses them. Before this call, or with an empty id, streams are for
 * any daemon that answers. */
void rpc_channel_want(struct rpc_channel *channel, const struct rpc_name *name);
/* Open streams keep the channel alive until they are closed. NULL is fine. */
void rpc_channel_close(struct rpc_channel *channel);
/* Starts a stream at once. The caller gets a reference. If the peer cannot be reached, closed() is
 * called within CONNECT_TIMEOUT_MS. There is no "opened" event: the peer's first message shows that
 * it has accepted. */
struct rpc_stream *rpc_stream_open(struct rpc_channel *channel, const char *path,
                                   int connect_timeout_ms, const struct rpc_stream_events *events,
                                   void *arg);

/* Takes the reference to MSG, also on failure. 0, -EPIPE if the stream has ended or was closed
 * here, or -EMSGSIZE above MAX_MESSAGE. */
int rpc_stream_send(struct rpc_stream *stream, struct msg *msg);
/* Call it from message(): this message takes BYTES until it is handled. A stream with
 * RPC_UNANSWERED_MAX held messages is not read. When all streams together hold rpc_limits.held
 * bytes, no stream that holds a message is read. */
void rpc_stream_hold(struct rpc_stream *stream, size_t bytes);
/* A held message was answered, or BYTES of one are free again. Any thread. */
void rpc_stream_answered(struct rpc_stream *stream);
void rpc_stream_release(struct rpc_stream *stream, size_t bytes);
/* Ends the stream. A caller cancels it; a callee first sends what is queued, then status OK.
 * closed() still comes, and before it perhaps messages that were on their way. May be called
 * again. */
void rpc_stream_close(struct rpc_stream *stream);
struct rpc_stream *rpc_stream_ref(struct rpc_stream *stream);
void rpc_stream_unref(struct rpc_stream *stream);

#endif
