/* pipe.h - batches to one peer and their answers, on a loop: "a few batches in flight, the next one
 * filling".
 *
 *      owner's queues ──fill()──► batch SEQ ──stream──► peer
 *                     ◄─answered()── reply SEQ ◄────────┘
 *
 * The owner keeps waiting requests in queues of its own and calls pipe_kick(). While fewer than
 * `window` batches are unanswered, the pipe asks fill() for the next batch. fill() takes everything
 * that waits, up to its limit. So a lone request leaves at once. Under load the batches grow until
 * the peer is saturated. A pipe sends at most about 1,000 batches a second, short bursts aside. A
 * batch costs far more than a request in it, so larger batches are cheaper than more of them.
 *
 * Batches and replies are protobuf messages whose field 1 is `fixed64 seq` (proto/). The pipe reads
 * this field without decoding the rest. A reply without it goes to event(). When the stream breaks,
 * the pipe opens another one after 100 ms to 1 s, until pipe_close(). Owner loop only, except
 * decode(), drop() and pipe_seq(). */
#ifndef IMC_COMMON_RPC_PIPE_H
#define IMC_COMMON_RPC_PIPE_H

#include "common/base/loop.h"
#include "common/base/msg.h"
#include "common/rpc/rpc.h"

struct pipe;

struct pipe_ops {
    /* Packs the next batch, with SEQ as its field 1. NULL: nothing waits. *BATCH is the owner's own
     * record of the batch; answered() or failed() hands it back. */
    struct msg *(*fill)(struct pipe *pipe, void *arg, uint64_t seq, void **batch);
    /* Optional, on the rpc thread: unpacks MSG into the REPLY that answered() or event() gets.
     * Takes the reference to MSG. NULL: MSG is malformed, and the pipe closes the stream. Without
     * decode(), REPLY is the struct msg itself. */
    void *(*decode)(struct msg *msg);
    /* The peer answered BATCH. Takes ownership of REPLY and BATCH. */
    void (*answered)(struct pipe *pipe, void *arg, void *batch, void *reply);
    /* The peer sent a message without seq. Takes ownership of REPLY. NULL: this peer never sends
     * one. */
    void (*event)(struct pipe *pipe, void *arg, void *reply);
    /* The stream broke, or pipe_close() was called, before BATCH was answered. Called for every
     * unanswered batch, in order of seq. Takes ownership of BATCH. */
    void (*failed)(struct pipe *pipe, void *arg, void *batch);
    /* Optional. UP: the first answer on a stream has come. Not UP: the stream broke or could not be
     * opened, and WHY says why. */
    void (*state)(struct pipe *pipe, void *arg, bool up, const char *why);
    /* Frees a decoded reply that came too late, on a broken stream. Any thread. Required with
     * decode(). */
    void (*drop)(void *reply);
};

/* The calls of imc_rpc_batch_seconds. */
enum pipe_call {
    PIPE_UNMEASURED,
    PIPE_SESSIONS,
    PIPE_CONNECTS,
    PIPE_UPSTREAM,
    PIPE_MAP,
    PIPE_PUSH,
    PIPE_SETTLE,
};

struct pipe_options {
    const char *path;    /* the method */
    int window;          /* how many batches may be unanswered */
    int timeout_ms;      /* if a batch is unanswered for so long, the pipe breaks the stream; 0:
                          * never */
    struct rpc_name to;  /* the daemon it is for; id "": any daemon that answers */
    enum pipe_call call; /* what a batch's time counts as */
};

/* Opens a stream to ADDRESS ("host:port") at once. OPS has to be static, because a late reply may
 * need drop() even after pipe_close(). OPTIONS is copied, but OPTIONS->path has to outlive the
 * pipe. fill() must not close the pipe; every other callback may. */
struct pipe *pipe_open(struct loop *loop, struct rpc *rpc, const char *address,
                       const struct pipe_options *options, const struct pipe_ops *ops, void *arg);
/* The peer has taken a new lease: the next stream is for NAME. */
void pipe_want(struct pipe *pipe, const struct rpc_name *name);
/* Something waits: the pipe calls fill() at the end of this turn, if the window has room. Cheap:
 * call it for each request. */
void pipe_kick(struct pipe *pipe);
/* False from when a stream broke, or could not be opened, until the next answer. Meanwhile the pipe
 * asks fill() for one batch only, to probe the peer. True for a pipe that was just opened. */
bool pipe_is_up(const struct pipe *pipe);
const char *pipe_address(const struct pipe *pipe);
/* Calls failed() for each unanswered batch. Frees the pipe at the end of the turn. No callback runs
 * after this returns. */
void pipe_close(struct pipe *pipe);

/* The leading fixed64 seq of a packed batch or reply; 0: there is none. Any thread. */
uint64_t pipe_seq(const struct msg *msg);

#endif
