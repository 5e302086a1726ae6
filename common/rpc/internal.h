/* internal.h - what completion_queue.c, stream.c, client.c and server.c share; nobody else includes
 * it.
 *
 * Life of a stream (enum rpc_stream_state). The caller's side and the callee's side have the same
 * states:
 *
 *   caller: rpc_stream_open()                       callee: rpc_server's accept, opened()
 *                └──────────────► OPENING ◄──────────────┘
 *                                    │ rpc_stream_begin: receives armed, initial metadata under way
 *          rpc_stream_send ─► queue  ▼
 *              stream_pump ◄────── OPEN ──────────────────────────┐
 *                                    │ rpc_stream_close, or the   │
 *                                    │ peer's half-close (callee) │ client_status_done /
 *                                    ▼                            │ server_close_done
 *     caller: call is cancelled   CLOSING                         │
 *     callee: queue, then status     │ client_status_done /       │
 *                                    │ server_close_done          │
 *                                    ▼                            │
 *         nothing is sent any more ENDED ◄────────────────────────┘
 *                                    │ stream_op_done: the last outstanding operation has come back
 *                                    ▼
 *                   closed() ─►    OVER ─► stream_release: the call and the machine's reference go
 *
 * Every gRPC batch has a tag, which is embedded in the object that the batch belongs to. When the
 * batch is done, the rpc thread calls tag->done. Only the rpc thread starts receives. Sends are
 * started by the thread that has set `pumping`. So no two batches of a call are started at the same
 * time, as gRPC demands. No lock is held inside gRPC, except while cancelling. Lock order:
 * rpc->lock, then stream->lock. No callback runs under either. */
#ifndef IMC_COMMON_RPC_INTERNAL_H
#define IMC_COMMON_RPC_INTERNAL_H

#include "common/rpc/rpc.h"
#include <grpc/byte_buffer.h>
#include <grpc/grpc.h>
#include <grpc/slice.h>
#include <pthread.h>

#define rpc_container_of(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))

/* What gRPC gets as the tag of a batch. done() runs on the rpc thread. */
struct rpc_tag {
    void (*done)(struct rpc_tag *tag, bool ok);
};

enum { RPC_EPOCH_LEN = 8 };
/* A struct rpc_name as it is sent: see addressee.c. */
struct rpc_addressee {
    uint8_t len; /* 0: for any daemon that answers */
    uint8_t bytes[RPC_EPOCH_LEN + sizeof((struct rpc_name *)0)->id - 1];
};

struct rpc_identity; /* security.c: what rpc_secure() got; immutable */

struct rpc {
    grpc_completion_queue *cq;
    pthread_t thread;
    size_t max_message;
    pthread_mutex_t lock;
    pthread_cond_t idle;     /* signalled when a server or stream has gone */
    struct rpc_stream *live; /* under lock: every stream that is not OVER */
    unsigned servers;        /* under lock */
    struct rpc_limits limits;
    struct rpc_name self;          /* under lock; id "": this daemon has no name yet */
    uint64_t first_epoch;          /* under lock */
    struct rpc_admission *gate;    /* under lock: of the server, while it is open */
    struct rpc_identity *identity; /* under lock; NULL: neither TLS nor a key */
    unsigned diagnoses;            /* under lock: threads of diagnosis.c */
    _Atomic bool closing;          /* they end */
    /* rpc thread only: streams that wait for a connection, and when to look at them next. */
    struct rpc_stream *connecting;
    int64_t connect_due_ms;
    struct rpc_stream *paused; /* rpc thread only: streams that are not read because too much is
                                * held */
};

/* gRPC's channel, with the certificates of one time. */
struct rpc_link {
    _Atomic uint32_t refs; /* one of the rpc_channel, and one per stream */
    grpc_channel *channel;
    struct rpc_identity *identity;
};

struct rpc_channel {
    _Atomic uint32_t refs; /* one of the owner, and one per stream */
    struct rpc *rpc;
    struct rpc_link *link; /* under rpc->lock; of the next stream */
    char *address;
    _Atomic int64_t diagnosed_ms; /* when diagnosis.c last looked */
    struct rpc_addressee want;    /* under rpc->lock */
};

enum rpc_stream_state { STREAM_OPENING, STREAM_OPEN, STREAM_CLOSING, STREAM_ENDED, STREAM_OVER };

struct rpc_stream {
    _Atomic uint32_t refs; /* one until state OVER, and those of rpc_stream_ref() and
                            * rpc_stream_open() */
    struct rpc *rpc;
    struct rpc_channel *channel; /* caller's side, else NULL */
    struct rpc_link *link;       /* likewise */
    struct rpc_server *server;   /* callee's side, else NULL */
    grpc_call *call;
    char *peer;
    const struct rpc_stream_events *events; /* NULL: the stream was refused */
    void *arg;
    struct rpc_stream *live_next, **live_prev; /* under rpc->lock */

    pthread_mutex_t lock; /* guards the following block */
    enum rpc_stream_state state;
    unsigned ops;       /* gRPC batches that have not come back */
    bool pumping;       /* a thread is in stream_pump */
    bool sending;       /* a send batch has not come back */
    bool status_queued; /* callee: the final status was given to gRPC */
    bool closed_here;   /* rpc_stream_close was called */
    bool settled;       /* a call, which was answered or refused before it ended */
    struct msg **queue; /* ring of queue_size (a power of two) places */
    uint32_t queue_size, queue_head, queue_len;
    uint64_t conn;                   /* callee: number of its connection, see
                                      * rpc_admission_enter() */
    const struct rpc_method *method; /* callee; NULL: no method has that path */

    _Atomic uint32_t held;  /* messages that are held, see rpc_stream_hold() */
    _Atomic uint64_t whole; /* bytes of complete messages received, with what HTTP/2 adds to them */

    struct rpc_tag send_tag, recv_tag, meta_tag, end_tag;
    grpc_byte_buffer *out; /* message of the send batch that has not come back */
    size_t out_len;
    size_t max_message; /* a copy, because struct rpc may be freed before the last reference goes */

    /* rpc thread only. */
    grpc_byte_buffer *in;
    grpc_metadata_array metadata, trailing;
    /* Caller: received. Callee: to be sent; of a call, set under the lock. */
    grpc_status_code status;
    const char *refusal;       /* callee: details of STATUS; likewise */
    char *refusal_text;        /* set if REFUSAL was made for this stream only */
    bool requested;            /* callee: a call's request has come */
    struct rpc_addressee want; /* caller: set before the stream begins */
    grpc_metadata sent_metadata[2];
    bool stranger; /* callee: the caller did not show the key */
    grpc_slice details;
    int cancelled;
    int64_t connect_due_ms; /* 0: not on rpc->connecting */
    int connect_timeout_ms;
    bool connect_late;
    struct rpc_stream *connecting_next, *paused_next;
    char why[256];
};

/* completion_queue.c */
/* Starts a thread with all signals blocked. 0 or -E…. */
int rpc_thread_start(pthread_t *thread, void *(*run)(void *arg), void *arg);
/* Handles TAG, which a completion queue gave back. */
void rpc_tag_done(struct rpc_tag *tag, bool ok);
/* Starts a batch. The rpc thread calls tag->done() exactly once, also on failure. */
void rpc_start_batch(grpc_call *call, const grpc_op *ops, size_t n, struct rpc_tag *tag);
/* Tells ThreadSanitizer that TAG's object passes to the rpc thread. */
void rpc_hand_over(struct rpc_tag *tag);
/* A message with the contents of BUFFER: one copy. NULL: it came compressed, and is broken or too
 * large. */
struct msg *rpc_msg_of(grpc_byte_buffer *buffer, size_t max_message);
/* A buffer that refers to MSG, without copying. Takes the caller's reference. */
grpc_byte_buffer *rpc_buffer_of(struct msg *msg);
/* rpc thread: cancels STREAM when its timeout is over, unless rpc_connect_forget() was called
 * before. */
void rpc_connect_watch(struct rpc_stream *stream);
void rpc_connect_forget(struct rpc_stream *stream);
/* An integer argument of a channel or server. */
grpc_arg rpc_arg(const char *key, int value);

/* inflate.c: what PACKED, which came as gzip or deflate, stands for. NULL: it is broken, or more
 * than MAX_MESSAGE bytes, or far more than came. */
struct msg *rpc_inflate(const struct msg *packed, size_t max_message);

/* stream.c */
/* A stream in state OPENING, on the live list. Its one reference is dropped in state OVER. */
struct rpc_stream *rpc_stream_new(struct rpc *rpc, grpc_call *call);
/* rpc thread: OPENING → OPEN. Sends the initial metadata and starts the first receive. The caller
 * has started EXTRA batches itself; their tags have to end in rpc_stream_op_done(). */
void rpc_stream_begin(struct rpc_stream *stream, unsigned extra, uint32_t metadata_flags);
/* Cancels the call, on either side. Starts no batch, so the caller may hold rpc->lock. */
void rpc_stream_cancel(struct rpc_stream *stream);
/* rpc thread: the call has ended. stream->why says why. */
void rpc_stream_ended(struct rpc_stream *stream);
/* rpc thread: a batch has come back. This has to be the last statement of tag->done(). */
void rpc_stream_op_done(struct rpc_stream *stream);

/* rpc thread: goes on reading paused streams that may be read again, or that have ended. */
void rpc_paused_look(struct rpc *rpc);
/* For the whole process: bytes that are held, and how often a stream was paused. Any thread. */
int64_t rpc_held(void);
uint64_t rpc_paused(void);

/* call.c; rpc thread. STREAM is a unary call: accepts it. SERVER_ARG is for method->called(). */
void rpc_call_accept(struct rpc_stream *stream, void *server_arg);
/* The caller will send nothing more; or (BROKEN) what it sent cannot be inflated. */
void rpc_call_half_closed(struct rpc_stream *stream, bool broken);
/* For the whole process. Any thread. */
void rpc_calls_count(struct rpc_stats *out);
static inline bool rpc_is_call(const struct rpc_stream *stream)
{
    return stream->method != NULL && stream->method->called != NULL;
}

/* client.c */
void rpc_channel_unref(struct rpc_channel *channel);
void rpc_link_unref(struct rpc_link *link);

#define RPC_AUTHORIZATION "authorization" /* the key of the metadata that shows rpc.key_file */

/* security.c. Any thread. A reference to what is in force, for rpc_identity_unref(); may be
 * NULL. */
struct rpc_identity *rpc_identity_get(struct rpc *rpc);
void rpc_identity_unref(struct rpc_identity *identity);
grpc_channel_credentials *rpc_identity_credentials(const struct rpc_identity *identity);
/* The name that certificates of servers have to carry; NULL: that of the address. */
const char *rpc_identity_tls_name(const struct rpc_identity *identity);
struct tls_client *rpc_identity_client(const struct rpc_identity *identity);
/* The key, for the stream's life; NULL: none. */
const char *rpc_identity_bearer(const struct rpc_identity *identity);
/* NULL: the server speaks without TLS. */
struct tls_server *rpc_security_server(struct rpc *rpc);
/* Callee: does METADATA show the key, or is none demanded? Counts if not. */
bool rpc_security_admits(struct rpc *rpc, const grpc_metadata_array *metadata);

/* diagnosis.c; rpc thread. The channel's peer could not be reached: finds out by a thread of its
 * own whether that is for TLS, and logs it. Rarely, per channel. */
void rpc_diagnose(struct rpc_channel *channel);

/* addressee.c.
 *
 * Caller: rpc_addressee_copy() takes over the channel's addressee when the stream is made.
 * rpc_addressee_send() fills ENTRY. False: there is nothing to send. */
void rpc_addressee_copy(struct rpc_stream *stream);
bool rpc_addressee_send(struct rpc_stream *stream, grpc_metadata *entry);
/* The stream has ended. Counts it if the callee refused it for its addressee. */
void rpc_addressee_missed(const struct rpc_stream *stream);
/* Callee: rpc_addressee_take() reads from METADATA whom the caller wants. rpc_addressee_fits() says
 * whether that is this daemon. If not, stream->refusal_text says so. */
void rpc_addressee_take(struct rpc_stream *stream, const grpc_metadata_array *metadata);
bool rpc_addressee_fits(struct rpc_stream *stream);

/* server.c: STREAM of SERVER is OVER. Under rpc->lock. */
void rpc_server_stream_gone(struct rpc_server *server, const struct rpc_stream *stream);

/* admission.c: accepts connections for a server, on a thread of its own. */
struct rpc_admission;
/* Binds ADDRESS. No connection is accepted before rpc_admission_start(). 0 or -E…. */
int rpc_admission_open(struct rpc *rpc, grpc_server *server, const char *address,
                       struct rpc_admission **out);
int rpc_admission_start(struct rpc_admission *admission);
/* Stops accepting. Open connections go on. */
void rpc_admission_stop(struct rpc_admission *admission);
void rpc_admission_free(struct rpc_admission *admission);
int rpc_admission_port(const struct rpc_admission *admission);
/* A stream, or a CALL, was opened on the connection that gRPC calls NAME. Returns the connection's
 * number, for rpc_admission_leave(). *PEER is "ipv4:…", malloc'ed. 0: the connection has opened too
 * many streams and was cut. */
uint64_t rpc_admission_enter(struct rpc_admission *admission, const char *name, bool call,
                             char **peer);
/* STREAM has ended. Under rpc->lock. */
void rpc_admission_leave(struct rpc_admission *admission, const struct rpc_stream *stream);
/* Adds what it counted to OUT. */
void rpc_admission_stats(struct rpc_admission *admission, struct rpc_stats *out);

#endif
