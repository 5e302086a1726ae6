/* pipe.h - batches to one peer and their answers, on a loop: "a few batches in flight, the next one
 * filling".
 *
 *      owner's queues ──fill()──► batch SEQ ──stream──► peer
 *                     ◄─answered()── reply SEQ ◄────────┘
 *
 * The owner keeps whatever waits in its own queues and calls pipe_kick(). Whenever fewer than
 * `window` batches are unanswered, the pipe asks fill() for the next one, which takes everything
 * that waits (up to its limit). So a lone request leaves at once, and under load batches grow until
 * the peer is saturated. There are at most about 1,000 batches a second (bursts aside): a batch
 * costs far more than what is in it, so beyond that they had better grow.
 *
 * Batches and replies are protobuf messages whose field 1 is `fixed64 seq`: the pipe reads it
 * without decoding the rest. A reply without it goes to event(). The pipe reconnects by itself (100
 * ms … 1 s) until closed. Everything here: owner loop only, except decode(). */
#ifndef IMC_COMMON_RPC_PIPE_H
#define IMC_COMMON_RPC_PIPE_H

#include "common/base/loop.h"
#include "common/base/msg.h"
#include "common/rpc/rpc.h"

struct pipe;

struct pipe_ops {
    /* Packs the next batch with this SEQ, or NULL if nothing waits. *BATCH is the owner's memory of
     * it, handed back by answered() or failed(). */
    struct msg *(*fill)(struct pipe *pipe, void *arg, uint64_t seq, void **batch);
    /* rpc thread, optional: turns the bytes into what answered()/event() get as REPLY (an unpacked
     * message). NULL = malformed: the stream is closed. Without it REPLY is the struct msg itself.
     * Consumes MSG. */
    void *(*decode)(struct msg *msg);
    /* Takes REPLY and BATCH. */
    void (*answered)(struct pipe *pipe, void *arg, void *batch, void *reply);
    /* The peer sent a message without seq. Takes REPLY. May be NULL if the peer never does. */
    void (*event)(struct pipe *pipe, void *arg, void *reply);
    /* The stream broke, or pipe_close(), before the answer: called for every unanswered batch in
     * order of seq. */
    void (*failed)(struct pipe *pipe, void *arg, void *batch);
    /* First answer of a stream has come (up) / the stream broke or could not be opened (down, WHY).
     * Optional. */
    void (*state)(struct pipe *pipe, void *arg, bool up, const char *why);
    /* Frees a decoded reply nobody took (a late one of a broken stream). Any thread. Required with
     * decode. */
    void (*drop)(void *reply);
};

struct pipe_options {
    const char *path;   /* the method */
    int window;         /* batches in flight */
    int timeout_ms;     /* an unanswered batch after this long breaks the stream; 0 = never */
    struct rpc_name to; /* whom it is for; id "": whoever is there */
};

/* Opens towards ADDRESS ("host:port") at once. OPS is static (a late reply may need drop() even
 * after pipe_close()), OPTIONS->path outlives the pipe. fill() must not close the pipe; every other
 * callback may. */
struct pipe *pipe_open(struct loop *loop, struct rpc *rpc, const char *address,
                       const struct pipe_options *options, const struct pipe_ops *ops, void *arg);
/* From the next stream on it is for NAME: the same peer in another life. */
void pipe_want(struct pipe *pipe, const struct rpc_name *name);
/* Something waits: fill() will be asked at the end of this turn if the window has room. Cheap, call
 * it per item. */
void pipe_kick(struct pipe *pipe);
/* Batches unanswered. */
int pipe_in_flight(const struct pipe *pipe);
/* False while the last attempt to open the stream failed or it broke and no answer has come since:
 * fill() is not asked meanwhile, except for one probing batch. True for a pipe that was just
 * opened. */
bool pipe_is_up(const struct pipe *pipe);
const char *pipe_address(const struct pipe *pipe);
/* Fails what is unanswered and frees the pipe at the end of the turn; no callback after this
 * returns. */
void pipe_close(struct pipe *pipe);

/* Reads the leading fixed64 seq of a packed batch or reply; 0 = there is none. Any thread. */
uint64_t pipe_seq(const struct msg *msg);

#endif
