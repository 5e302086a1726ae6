/* internal.h - what completion_queue.c, stream.c, client.c and server.c share; nobody else
 * includes it.
 *
 * Life of a stream (enum rpc_stream_state); the caller's side and the callee's side are one
 * machine:
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
 * Every gRPC batch carries a tag of its own, embedded in the object it belongs to; the rpc thread
 * calls tag->done. Receives are started by the rpc thread only. Sends are started by whoever holds
 * `pumping`, so batches of one call never overlap in grpc_call_start_batch, as gRPC demands, and no
 * lock is held inside gRPC but for cancelling. Locks: rpc->lock, then stream->lock; no callback
 * runs under either. */
#ifndef IMC_COMMON_RPC_INTERNAL_H
#define IMC_COMMON_RPC_INTERNAL_H

#include "common/rpc/rpc.h"
#include <grpc/byte_buffer.h>
#include <grpc/grpc.h>
#include <grpc/slice.h>
#include <pthread.h>

#define rpc_container_of(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))

/* What gRPC is given as tag. rpc thread. */
struct rpc_tag {
    void (*done)(struct rpc_tag *tag, bool ok);
};

enum { RPC_EPOCH_LEN = 8 };
/* As it travels. */
struct rpc_addressee {
    uint8_t len; /* 0: whoever is there */
    uint8_t bytes[RPC_EPOCH_LEN + sizeof((struct rpc_name *)0)->id - 1];
};

struct rpc {
    grpc_completion_queue *cq;
    pthread_t thread;
    size_t max_message;
    pthread_mutex_t lock;
    pthread_cond_t idle;     /* a server or stream has gone */
    struct rpc_stream *live; /* under lock: every stream that is not OVER */
    unsigned servers;        /* under lock */
    struct rpc_limits limits;
    struct rpc_name self;       /* under lock; id "": not known yet */
    uint64_t first_epoch;       /* under lock */
    struct rpc_admission *gate; /* under lock: the server's, while it is open */
    /* rpc thread only: streams that wait for their connection, and when to look at them next. */
    struct rpc_stream *connecting;
    int64_t connect_due_ms;
    struct rpc_stream *paused; /* that hold too much to be read */
};

struct rpc_channel {
    uint32_t refs; /* atomic: the owner's, and one per stream */
    struct rpc *rpc;
    grpc_channel *channel;
    char *address;
    struct rpc_addressee want; /* under rpc->lock */
};

enum rpc_stream_state { STREAM_OPENING, STREAM_OPEN, STREAM_CLOSING, STREAM_ENDED, STREAM_OVER };

struct rpc_stream {
    uint32_t refs; /* atomic: the machine's own until OVER, and the holders' */
    struct rpc *rpc;
    struct rpc_channel *channel; /* caller's side, else NULL */
    struct rpc_server *server;   /* callee's side, else NULL */
    grpc_call *call;
    char *peer;
    const struct rpc_stream_events *events; /* NULL: a refused stream */
    void *arg;
    struct rpc_stream *live_next, **live_prev; /* under rpc->lock */

    pthread_mutex_t lock; /* guards the following block */
    enum rpc_stream_state state;
    unsigned ops;       /* batches outstanding */
    bool pumping;       /* a thread is in stream_pump */
    bool sending;       /* a send batch is outstanding */
    bool status_queued; /* callee: the final status was given to gRPC */
    bool closed_here;   /* rpc_stream_close was called */
    struct msg **queue; /* ring of queue_size (a power of two) places */
    uint32_t queue_size, queue_head, queue_len;
    uint64_t conn;                   /* callee: its connection, see rpc_admission_enter() */
    const struct rpc_method *method; /* callee; NULL: there is none of that path */

    uint32_t held;  /* atomic: messages */
    uint64_t whole; /* atomic: bytes received as whole messages, with what is around them */

    struct rpc_tag send_tag, recv_tag, meta_tag, end_tag;
    grpc_byte_buffer *out; /* of the send batch under way */
    size_t out_len;
    size_t max_message; /* a copy: struct rpc may be gone before the last reference */

    /* rpc thread only. */
    grpc_byte_buffer *in;
    grpc_metadata_array metadata, trailing;
    grpc_status_code status;   /* received by a caller; to be sent by a callee */
    const char *refusal;       /* callee: details of STATUS */
    char *refusal_text;        /* the same, if it is of this stream only */
    struct rpc_addressee want; /* caller: set before it begins */
    grpc_metadata want_metadata;
    grpc_slice details;
    int cancelled;
    int64_t connect_due_ms; /* 0: not on rpc->connecting */
    int connect_timeout_ms;
    bool connect_late;
    struct rpc_stream *connecting_next, *paused_next;
    char why[256];
};

/* completion_queue.c */
int64_t rpc_now_ms(void);
/* A thread that takes no signals. 0 or -E…. */
int rpc_thread_start(pthread_t *thread, void *(*run)(void *arg), void *arg);
/* A completion queue gave TAG back. */
void rpc_tag_done(struct rpc_tag *tag, bool ok);
/* Starts a batch; TAG is given back by the rpc thread, always. */
void rpc_start_batch(grpc_call *call, const grpc_op *ops, size_t n, struct rpc_tag *tag);
/* Passes ownership of TAG's object to the rpc thread, as far as ThreadSanitizer is concerned. */
void rpc_hand_over(struct rpc_tag *tag);
/* One copy, into one run of bytes. */
struct msg *rpc_msg_of(grpc_byte_buffer *buffer);
/* No copy: the buffer refers to MSG and takes the caller's reference. */
grpc_byte_buffer *rpc_buffer_of(struct msg *msg);
/* rpc thread: closes STREAM unless rpc_connect_forget() comes before its timeout. */
void rpc_connect_watch(struct rpc_stream *stream);
void rpc_connect_forget(struct rpc_stream *stream);
/* An integer argument of a channel or server. */
grpc_arg rpc_arg(const char *key, int value);

/* stream.c */
/* In state OPENING with one reference, the machine's, and on the live list. */
struct rpc_stream *rpc_stream_new(struct rpc *rpc, grpc_call *call);
/* rpc thread: OPENING → OPEN, sends the initial metadata and arms the first receive. EXTRA batches
 * of the caller's are outstanding besides (their tags end in rpc_stream_op_done). */
void rpc_stream_begin(struct rpc_stream *stream, unsigned extra, uint32_t metadata_flags);
/* Ends the call as fast as can be, on either side. Starts no batch, so rpc->lock may be held. */
void rpc_stream_cancel(struct rpc_stream *stream);
/* rpc thread: the call has ended; why is in stream->why. */
void rpc_stream_ended(struct rpc_stream *stream);
/* rpc thread: a batch has come back; the last statement of a tag's function. */
void rpc_stream_op_done(struct rpc_stream *stream);

/* rpc thread: goes on reading paused streams that may be read again, or that have ended. */
void rpc_paused_look(struct rpc *rpc);
/* Of the whole process; any thread. */
int64_t rpc_held(void);
uint64_t rpc_paused(void);

/* client.c */
void rpc_channel_unref(struct rpc_channel *channel);

/* addressee.c. Caller: what its channel wants, when the stream is made; the number of
 * stream->want_metadata to be sent. */
void rpc_addressee_copy(struct rpc_stream *stream);
size_t rpc_addressee_send(struct rpc_stream *stream);
/* It has ended: was it refused for its name? */
void rpc_addressee_missed(const struct rpc_stream *stream);
/* Callee: what the caller wants; whether that is us. If not: stream->refusal_text. */
void rpc_addressee_take(struct rpc_stream *stream, const grpc_metadata_array *metadata);
bool rpc_addressee_fits(struct rpc_stream *stream);

/* server.c: a stream of the server is OVER. Under rpc->lock. */
void rpc_server_stream_gone(struct rpc_server *server, const struct rpc_stream *stream);

/* admission.c: who is let in to a server. A thread of its own accepts. */
struct rpc_admission;
/* Binds; nobody is let in before rpc_admission_start(). 0 or -E…. */
int rpc_admission_open(struct rpc *rpc, grpc_server *server, const char *address,
                       struct rpc_admission **out);
int rpc_admission_start(struct rpc_admission *admission);
/* Lets nobody in any more. Connections go on. */
void rpc_admission_stop(struct rpc_admission *admission);
void rpc_admission_free(struct rpc_admission *admission);
int rpc_admission_port(const struct rpc_admission *admission);
/* A stream was opened on the connection that gRPC calls NAME: its number, for
 * rpc_admission_leave(), and PEER "ipv4:…", malloc'ed. 0: the stream is too much, and its
 * connection has been cut. */
uint64_t rpc_admission_enter(struct rpc_admission *admission, const char *name, char **peer);
/* WHOLE: the stream's. Under rpc->lock. */
void rpc_admission_leave(struct rpc_admission *admission, uint64_t number, uint64_t whole);
/* Adds its share. */
void rpc_admission_stats(struct rpc_admission *admission, struct rpc_stats *out);

#endif
