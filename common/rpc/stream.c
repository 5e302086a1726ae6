/* stream.c - one stream, on either side; the state machine is drawn in internal.h.
 *
 *   any thread:  rpc_stream_send ─► queue ─stream_pump─► one send batch at a time ─► stream_sent
 *                                             ▲                                         │
 *                                             └─────────────────────────────────────────┘
 *   rpc thread:  receive batch ─► stream_received ─► events->message ─► the next receive batch … */
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/rpc/internal.h"
#include <assert.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum {
    QUEUE_FIRST = 8,
    /* What HTTP/2 may add to a message, and for its answer: AROUND bytes, and one more for so many
     * bytes of the message. */
    AROUND = 128,
    AROUND_EACH = 256,
};

/* For the whole process. They are not in struct rpc, which may be freed before the last message. */
static _Atomic size_t held_bytes;
static _Atomic uint64_t pause_count;

static void stream_release(struct rpc_stream *stream);

/* ── what is held ── */

static void held_add(size_t bytes)
{
    atomic_fetch_add_explicit(&held_bytes, bytes, memory_order_relaxed);
}

static void held_sub(size_t bytes)
{
    atomic_fetch_sub_explicit(&held_bytes, bytes, memory_order_relaxed);
}

int64_t rpc_held(void)
{
    return (int64_t)atomic_load_explicit(&held_bytes, memory_order_relaxed);
}

uint64_t rpc_paused(void)
{
    return atomic_load_explicit(&pause_count, memory_order_relaxed);
}

void rpc_stream_hold(struct rpc_stream *stream, size_t bytes)
{
    atomic_fetch_add_explicit(&stream->held, 1, memory_order_relaxed);
    held_add(bytes);
}

void rpc_stream_answered(struct rpc_stream *stream)
{
    atomic_fetch_sub_explicit(&stream->held, 1, memory_order_relaxed);
}

void rpc_stream_release(struct rpc_stream *stream, size_t bytes)
{
    (void)stream; /* unused, since bytes are counted for all streams together */
    held_sub(bytes);
}

/* ── the queue of messages; under stream->lock ── */

static void queue_push(struct rpc_stream *stream, struct msg *msg)
{
    if (stream->queue_len == stream->queue_size) {
        uint32_t size = stream->queue_size == 0 ? QUEUE_FIRST : stream->queue_size * 2;
        struct msg **queue = mem_alloc(size * sizeof(void *));
        for (uint32_t i = 0; i < stream->queue_len; i++)
            queue[i] = stream->queue[(stream->queue_head + i) & (stream->queue_size - 1)];
        free(stream->queue);
        stream->queue = queue;
        stream->queue_size = size;
        stream->queue_head = 0;
    }
    stream->queue[(stream->queue_head + stream->queue_len) & (stream->queue_size - 1)] = msg;
    stream->queue_len++;
    held_add(msg->len);
}

static struct msg *queue_pop(struct rpc_stream *stream)
{
    struct msg *msg = stream->queue[stream->queue_head];

    stream->queue_head = (stream->queue_head + 1) & (stream->queue_size - 1);
    stream->queue_len--;
    return msg;
}

static void queue_clear(struct rpc_stream *stream)
{
    while (stream->queue_len > 0) {
        struct msg *msg = queue_pop(stream);
        held_sub(msg->len);
        msg_unref(msg);
    }
}

/* ── sending ── */

enum stream_next { NEXT_NOTHING, NEXT_MESSAGE, NEXT_STATUS };

/* Says what to send next. Under stream->lock. A callee that was closed sends its queue first, then
 * the status. */
static enum stream_next stream_choose(const struct rpc_stream *stream)
{
    bool callee_closing = stream->state == STREAM_CLOSING && stream->server != NULL;

    if (stream->sending || (stream->state != STREAM_OPEN && !callee_closing))
        return NEXT_NOTHING;
    if (stream->queue_len > 0)
        return NEXT_MESSAGE;
    return callee_closing && !stream->status_queued ? NEXT_STATUS : NEXT_NOTHING;
}

static void stream_start_message(struct rpc_stream *stream, struct msg *msg, bool more)
{
    grpc_op op = {.op = GRPC_OP_SEND_MESSAGE, .flags = more ? GRPC_WRITE_BUFFER_HINT : 0};

    stream->out_len = msg->len;
    stream->out = rpc_buffer_of(msg);
    op.data.send_message.send_message = stream->out;
    rpc_start_batch(stream->call, &op, 1, &stream->send_tag);
}

static void stream_start_status(struct rpc_stream *stream)
{
    grpc_slice details =
        grpc_slice_from_static_string(stream->refusal != NULL ? stream->refusal : "");
    grpc_op op = {.op = GRPC_OP_SEND_STATUS_FROM_SERVER};

    op.data.send_status_from_server.status = stream->status;
    op.data.send_status_from_server.status_details = &details;
    rpc_start_batch(stream->call, &op, 1, &stream->send_tag);
}

/* Starts what can be sent. Only one thread at a time is in the loop. Another thread that comes
 * leaves it the work, because the first looks again after each batch. A batch may be done, on the
 * rpc thread, before rpc_start_batch() returns here. */
static void stream_pump(struct rpc_stream *stream)
{
    enum stream_next next;

    pthread_mutex_lock(&stream->lock);
    if (stream->pumping || stream->state >= STREAM_ENDED) {
        pthread_mutex_unlock(&stream->lock);
        return;
    }
    stream->pumping = true;
    while ((next = stream_choose(stream)) != NEXT_NOTHING) {
        struct msg *msg = next == NEXT_MESSAGE ? queue_pop(stream) : NULL;
        bool more = stream->queue_len > 0;
        stream->sending = true;
        stream->status_queued = next == NEXT_STATUS;
        stream->ops++;
        pthread_mutex_unlock(&stream->lock);
        if (msg != NULL)
            stream_start_message(stream, msg, more);
        else
            stream_start_status(stream);
        pthread_mutex_lock(&stream->lock);
    }
    stream->pumping = false;
    bool release = stream->state == STREAM_OVER;
    pthread_mutex_unlock(&stream->lock);
    if (release)
        stream_release(stream);
}

static void stream_sent(struct rpc_tag *tag, bool ok)
{
    struct rpc_stream *stream = rpc_container_of(tag, struct rpc_stream, send_tag);

    if (stream->out != NULL) {
        grpc_byte_buffer_destroy(stream->out);
        held_sub(stream->out_len);
    }
    stream->out = NULL;
    if (ok) {
        /* Not ok: the call has failed. Its end will be reported, so nothing more is sent. */
        pthread_mutex_lock(&stream->lock);
        stream->sending = false;
        pthread_mutex_unlock(&stream->lock);
        stream_pump(stream);
    }
    rpc_stream_op_done(stream);
}

int rpc_stream_send(struct rpc_stream *stream, struct msg *msg)
{
    if (msg->len > stream->max_message) {
        msg_unref(msg);
        return -EMSGSIZE;
    }
    pthread_mutex_lock(&stream->lock);
    bool open = stream->state == STREAM_OPENING || stream->state == STREAM_OPEN;
    if (open)
        queue_push(stream, msg);
    pthread_mutex_unlock(&stream->lock);
    if (!open) {
        msg_unref(msg);
        return -EPIPE;
    }
    stream_pump(stream);
    return 0;
}

/* ── receiving; rpc thread ── */

static void stream_receive(struct rpc_stream *stream)
{
    grpc_op op = {.op = GRPC_OP_RECV_MESSAGE};

    op.data.recv_message.recv_message = &stream->in;
    rpc_start_batch(stream->call, &op, 1, &stream->recv_tag);
}

/* The caller will send nothing more. The callee's stream ends as well, once its queue is sent. */
static void stream_half_closed(struct rpc_stream *stream)
{
    pthread_mutex_lock(&stream->lock);
    if (stream->state == STREAM_OPEN)
        stream->state = STREAM_CLOSING;
    pthread_mutex_unlock(&stream->lock);
    stream_pump(stream);
}

/* Messages that are held and messages that wait to be sent count alike. So we stop reading a peer
 * that does not read its answers. A stream that holds nothing may always be read. */
static bool stream_may_read(struct rpc_stream *stream)
{
    pthread_mutex_lock(&stream->lock);
    uint32_t n = atomic_load_explicit(&stream->held, memory_order_relaxed) + stream->queue_len;
    pthread_mutex_unlock(&stream->lock);
    return n == 0 || (n < RPC_UNANSWERED_MAX && (size_t)rpc_held() < stream->rpc->limits.held);
}

static void stream_read_on(struct rpc_stream *stream)
{
    if (stream_may_read(stream)) {
        stream_receive(stream);
        return;
    }
    if (atomic_fetch_add_explicit(&pause_count, 1, memory_order_relaxed) == 0)
        log_info("a peer waits",
                 "peer=%s; more of its messages are unanswered than one may have, "
                 "or of all peers together; see imc_rpc_paused_total for how often",
                 stream->peer);
    stream->paused_next = stream->rpc->paused;
    stream->rpc->paused = stream;
}

void rpc_paused_look(struct rpc *rpc)
{
    struct rpc_stream *list = rpc->paused, *next;

    rpc->paused = NULL;
    for (struct rpc_stream *stream = list; stream != NULL; stream = next) {
        next = stream->paused_next;
        pthread_mutex_lock(&stream->lock);
        bool ended = stream->state >= STREAM_ENDED;
        pthread_mutex_unlock(&stream->lock);
        if (ended) {
            rpc_stream_op_done(stream); /* for the receive that was put off */
        } else if (stream_may_read(stream)) {
            stream_receive(stream);
        } else {
            stream->paused_next = rpc->paused;
            rpc->paused = stream;
        }
    }
}

/* No message came: the peer sends no more, or (BROKEN) sent one that cannot be inflated. */
static void stream_no_message(struct rpc_stream *stream, bool broken)
{
    if (rpc_is_call(stream))
        rpc_call_half_closed(stream, broken);
    else if (broken)
        rpc_stream_cancel(stream);
    else if (stream->server != NULL)
        stream_half_closed(stream);
    rpc_stream_op_done(stream);
}

static void stream_received(struct rpc_tag *tag, bool ok)
{
    struct rpc_stream *stream = rpc_container_of(tag, struct rpc_stream, recv_tag);
    struct msg *msg = NULL;
    bool came = stream->in != NULL && ok;

    if (came)
        msg = rpc_msg_of(stream->in, stream->max_message);
    if (stream->in != NULL)
        grpc_byte_buffer_destroy(stream->in);
    stream->in = NULL;
    if (msg == NULL) {
        stream_no_message(stream, came);
        return;
    }
    atomic_fetch_add_explicit(&stream->whole, msg->len + msg->len / AROUND_EACH + AROUND,
                              memory_order_relaxed);
    if (stream->events != NULL)
        stream->events->message(stream, stream->arg, msg);
    else
        msg_unref(msg);
    /* Reads on even after the call has ended, until gRPC has no more messages that came before the
     * end. */
    stream_read_on(stream);
}

/* ── life ── */

static void live_add(struct rpc *rpc, struct rpc_stream *stream)
{
    pthread_mutex_lock(&rpc->lock);
    stream->live_next = rpc->live;
    stream->live_prev = &rpc->live;
    if (rpc->live != NULL)
        rpc->live->live_prev = &stream->live_next;
    rpc->live = stream;
    pthread_mutex_unlock(&rpc->lock);
}

static void live_remove(struct rpc *rpc, struct rpc_stream *stream)
{
    pthread_mutex_lock(&rpc->lock);
    *stream->live_prev = stream->live_next;
    if (stream->live_next != NULL)
        stream->live_next->live_prev = stream->live_prev;
    if (stream->server != NULL)
        rpc_server_stream_gone(stream->server, stream);
    pthread_cond_broadcast(&rpc->idle);
    pthread_mutex_unlock(&rpc->lock);
}

struct rpc_stream *rpc_stream_new(struct rpc *rpc, grpc_call *call)
{
    struct rpc_stream *stream = mem_zalloc(sizeof *stream);

    atomic_init(&stream->refs, 1);
    stream->rpc = rpc;
    stream->max_message = rpc->max_message;
    stream->call = call;
    stream->ops = 1;        /* the opening, until its rpc_stream_op_done() */
    stream->sending = true; /* the initial metadata, which rpc_stream_begin() sends */
    stream->send_tag.done = stream_sent;
    stream->recv_tag.done = stream_received;
    pthread_mutex_init(&stream->lock, NULL);
    grpc_metadata_array_init(&stream->metadata);
    grpc_metadata_array_init(&stream->trailing);
    live_add(rpc, stream);
    return stream;
}

/* Says whom a caller wants, and shows the key. Returns how many entries that takes. */
static size_t stream_metadata(struct rpc_stream *stream)
{
    const char *bearer =
        stream->channel != NULL ? rpc_identity_bearer(stream->link->identity) : NULL;
    size_t n = 0;

    if (stream->channel != NULL && rpc_addressee_send(stream, &stream->sent_metadata[n]))
        n++;
    if (bearer != NULL)
        stream->sent_metadata[n++] = (grpc_metadata){
            .key = grpc_slice_from_static_string(RPC_AUTHORIZATION),
            .value = grpc_slice_from_static_string(bearer),
        };
    return n;
}

void rpc_stream_begin(struct rpc_stream *stream, unsigned extra, uint32_t metadata_flags)
{
    grpc_op op = {.op = GRPC_OP_SEND_INITIAL_METADATA, .flags = metadata_flags};

    op.data.send_initial_metadata.count = stream_metadata(stream);
    op.data.send_initial_metadata.metadata = stream->sent_metadata;
    pthread_mutex_lock(&stream->lock);
    if (stream->state == STREAM_OPENING)
        stream->state = STREAM_OPEN;
    stream->ops += 2 + extra;
    pthread_mutex_unlock(&stream->lock);
    rpc_start_batch(stream->call, &op, 1, &stream->send_tag);
    stream_receive(stream);
}

void rpc_stream_ended(struct rpc_stream *stream)
{
    pthread_mutex_lock(&stream->lock);
    assert(stream->state < STREAM_ENDED);
    stream->state = STREAM_ENDED;
    queue_clear(stream);
    pthread_mutex_unlock(&stream->lock);
}

/* The last batch has come back. No lock is held while closed() runs; in state ENDED no thread can
 * start a batch. */
static void stream_over(struct rpc_stream *stream)
{
    if (stream->events != NULL)
        stream->events->closed(stream, stream->arg, stream->why);
    pthread_mutex_lock(&stream->lock);
    stream->state = STREAM_OVER;
    bool release = !stream->pumping;
    pthread_mutex_unlock(&stream->lock);
    if (release)
        stream_release(stream);
}

void rpc_stream_op_done(struct rpc_stream *stream)
{
    pthread_mutex_lock(&stream->lock);
    assert(stream->ops > 0);
    bool last = --stream->ops == 0 && stream->state == STREAM_ENDED;
    pthread_mutex_unlock(&stream->lock);
    if (last)
        stream_over(stream);
}

/* Called once in state OVER, by the rpc thread or by the thread that is in stream_pump(). Frees the
 * call and the channel now, because the last reference may outlive struct rpc. */
static void stream_release(struct rpc_stream *stream)
{
    grpc_call_unref(stream->call);
    stream->call = NULL;
    grpc_metadata_array_destroy(&stream->metadata);
    grpc_metadata_array_destroy(&stream->trailing);
    if (stream->channel != NULL)
        rpc_channel_unref(stream->channel);
    if (stream->link != NULL)
        rpc_link_unref(stream->link);
    live_remove(stream->rpc, stream);
    rpc_stream_unref(stream);
}

void rpc_stream_cancel(struct rpc_stream *stream)
{
    pthread_mutex_lock(&stream->lock);
    if (stream->state < STREAM_ENDED) {
        stream->closed_here = true;
        stream->state = STREAM_CLOSING;
        /* Cancel under the lock, so that the call cannot be freed meanwhile. Cancelling runs none
         * of our code. */
        grpc_call_cancel(stream->call, NULL);
    }
    pthread_mutex_unlock(&stream->lock);
}

void rpc_stream_close(struct rpc_stream *stream)
{
    if (stream->channel != NULL) {
        rpc_stream_cancel(stream);
        return;
    }
    pthread_mutex_lock(&stream->lock);
    if (stream->state < STREAM_ENDED) {
        stream->closed_here = true;
        stream->state = STREAM_CLOSING;
    }
    pthread_mutex_unlock(&stream->lock);
    stream_pump(stream);
}

struct rpc_stream *rpc_stream_ref(struct rpc_stream *stream)
{
    atomic_fetch_add_explicit(&stream->refs, 1, memory_order_relaxed);
    return stream;
}

void rpc_stream_unref(struct rpc_stream *stream)
{
    if (stream == NULL || atomic_fetch_sub_explicit(&stream->refs, 1, memory_order_acq_rel) != 1)
        return;
    free(stream->queue);
    free(stream->peer);
    free(stream->refusal_text);
    pthread_mutex_destroy(&stream->lock);
    free(stream);
}

const char *rpc_stream_peer(const struct rpc_stream *stream)
{
    return stream->peer;
}
