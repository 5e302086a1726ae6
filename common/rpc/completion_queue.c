/* completion_queue.c - the completion queue and its one thread; streams are in stream.c.
 *
 *   gRPC ─► completion queue ──rpc_thread──► tag->done() ──► stream / client / server ──► callbacks
 *                                  └── rpc_connect_expire: streams that were not connected in time
 */
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/base/time.h"
#include "common/rpc/internal.h"
#include <assert.h>
#include <errno.h>
#include <grpc/byte_buffer_reader.h>
#include <grpc/support/log.h>
#include <grpc/support/time.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* gRPC is not instrumented, so ThreadSanitizer cannot see that it passes tags and messages from
 * thread to thread. These calls tell it. */
#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define RPC_TSAN 1
#endif
#endif
#if defined(__SANITIZE_THREAD__) || defined(RPC_TSAN)
#include <sanitizer/tsan_interface.h>
#define rpc_tsan_release(tag) __tsan_release(tag)
#define rpc_tsan_acquire(tag) __tsan_acquire(tag)
#else
#define rpc_tsan_release(tag) ((void)(tag))
#define rpc_tsan_acquire(tag) ((void)(tag))
#endif

enum { PAUSE_MS = 5 };

grpc_arg rpc_arg(const char *key, int value)
{
    /* gRPC declares the key as char *, but only reads it. */
    return (grpc_arg){.type = GRPC_ARG_INTEGER, .key = mem_unconst(key), .value.integer = value};
}

void rpc_hand_over(struct rpc_tag *tag)
{
    rpc_tsan_release(tag);
}

void rpc_tag_done(struct rpc_tag *tag, bool ok)
{
    rpc_tsan_acquire(tag);
    tag->done(tag, ok);
}

int rpc_thread_start(pthread_t *thread, void *(*run)(void *arg), void *arg)
{
    sigset_t all, before;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int err = -pthread_create(thread, NULL, run, arg);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return err;
}

void rpc_start_batch(grpc_call *call, const grpc_op *ops, size_t n, struct rpc_tag *tag)
{
    rpc_tsan_release(tag);
    grpc_call_error err = grpc_call_start_batch(call, ops, n, tag, NULL);
    /* An error means that we misused gRPC: two batches of one kind, or a queue that was shut
     * down. */
    assert(err == GRPC_CALL_OK);
    (void)err;
}

struct msg *rpc_msg_of(grpc_byte_buffer *buffer, size_t max_message)
{
    grpc_byte_buffer_reader reader;

    if (!grpc_byte_buffer_reader_init(&reader, buffer))
        return NULL;
    struct msg *msg = msg_new(grpc_byte_buffer_length(reader.buffer_out));
    size_t at = 0;
    grpc_slice *slice;
    while (grpc_byte_buffer_reader_peek(&reader, &slice)) {
        size_t len = GRPC_SLICE_LENGTH(*slice);
        assert(len <= msg->len - at);
        if (len > 0)
            memcpy(msg->data + at, GRPC_SLICE_START_PTR(*slice), len);
        at += len;
    }
    assert(at == msg->len);
    grpc_byte_buffer_reader_destroy(&reader);
    if (buffer->data.raw.compression == GRPC_COMPRESS_NONE)
        return msg;
    struct msg *inflated = rpc_inflate(msg, max_message);
    msg_unref(msg);
    return inflated;
}

static void rpc_slice_gone(void *msg)
{
    rpc_tsan_acquire(msg);
    msg_unref(msg);
}

grpc_byte_buffer *rpc_buffer_of(struct msg *msg)
{
    rpc_tsan_release(msg);
    grpc_slice slice = grpc_slice_new_with_user_data(msg->data, msg->len, rpc_slice_gone, msg);
    grpc_byte_buffer *buffer = grpc_raw_byte_buffer_create(&slice, 1);

    grpc_slice_unref(slice);
    return buffer;
}

void rpc_connect_watch(struct rpc_stream *stream)
{
    struct rpc *rpc = stream->rpc;

    stream->connect_due_ms = time_mono_ms() + stream->connect_timeout_ms;
    if (rpc->connecting == NULL || stream->connect_due_ms < rpc->connect_due_ms)
        rpc->connect_due_ms = stream->connect_due_ms;
    stream->connecting_next = rpc->connecting;
    rpc->connecting = stream;
}

void rpc_connect_forget(struct rpc_stream *stream)
{
    if (stream->connect_due_ms == 0)
        return;
    struct rpc_stream **at = &stream->rpc->connecting;
    while (*at != stream)
        at = &(*at)->connecting_next;
    *at = stream->connecting_next;
    stream->connect_due_ms = 0;
}

static void rpc_connect_fail(struct rpc_stream *stream)
{
    struct rpc_channel *channel = stream->channel;
    bool connected =
        grpc_channel_check_connectivity_state(stream->link->channel, 0) == GRPC_CHANNEL_READY;

    rpc_connect_forget(stream);
    stream->connect_late = true;
    snprintf(stream->why, sizeof stream->why, "%s %s within %d ms",
             connected ? "no answer from" : "cannot connect to", channel->address,
             stream->connect_timeout_ms);
    grpc_call_cancel(stream->call, NULL);
    if (!connected)
        rpc_diagnose(channel);
}

static void rpc_connect_expire(struct rpc *rpc)
{
    int64_t now = time_mono_ms();

    if (rpc->connecting == NULL || now < rpc->connect_due_ms)
        return;
    rpc->connect_due_ms = INT64_MAX;
    for (struct rpc_stream *stream = rpc->connecting, *next; stream != NULL; stream = next) {
        next = stream->connecting_next;
        if (stream->connect_due_ms <= now)
            rpc_connect_fail(stream);
        else if (stream->connect_due_ms < rpc->connect_due_ms)
            rpc->connect_due_ms = stream->connect_due_ms;
    }
}

/* When the rpc thread has to wake up. It looks at paused streams every PAUSE_MS. A wake-up from the
 * thread that frees what they hold is not needed, since such a stream is in no hurry. */
static gpr_timespec rpc_sleep_until(const struct rpc *rpc)
{
    if (rpc->connecting == NULL && rpc->paused == NULL)
        return gpr_inf_future(GPR_CLOCK_MONOTONIC);
    int64_t wait = rpc->connecting != NULL ? rpc->connect_due_ms - time_mono_ms() : PAUSE_MS;
    if (rpc->paused != NULL && wait > PAUSE_MS)
        wait = PAUSE_MS;
    return gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC),
                        gpr_time_from_millis(wait > 0 ? wait : 0, GPR_TIMESPAN));
}

/* Must return to grpc_completion_queue_next soon, because only there gRPC does handshakes and reads
 * of all connections. */
static void *rpc_thread(void *arg)
{
    struct rpc *rpc = arg;

    pthread_setname_np(pthread_self(), "rpc");
    for (;;) {
        grpc_event event = grpc_completion_queue_next(rpc->cq, rpc_sleep_until(rpc), NULL);
        if (event.type == GRPC_QUEUE_SHUTDOWN)
            return NULL;
        if (event.type == GRPC_OP_COMPLETE) {
            rpc_tag_done(event.tag, event.success != 0);
        }
        rpc_connect_expire(rpc);
        rpc_paused_look(rpc);
    }
}

/* gRPC logs to stderr what its callers learn from results anyway. Only what it says before it
 * aborts is logged. */
static void rpc_log(gpr_log_func_args *args)
{
    if (args->severity == GPR_LOG_SEVERITY_ERROR &&
        strstr(args->message, "assertion failed") != NULL)
        log_error("grpc", "text=\"%s\" at=%s:%d", args->message, args->file, args->line);
    else
        log_debug("grpc", "text=\"%s\" at=%s:%d", args->message, args->file, args->line);
}

static void rpc_locks_init(struct rpc *rpc)
{
    pthread_condattr_t attr;

    pthread_mutex_init(&rpc->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&rpc->idle, &attr);
    pthread_condattr_destroy(&attr);
}

static void rpc_free(struct rpc *rpc)
{
    grpc_completion_queue_destroy(rpc->cq);
    grpc_shutdown_blocking();
    pthread_cond_destroy(&rpc->idle);
    pthread_mutex_destroy(&rpc->lock);
    free(rpc);
}

int rpc_open(struct rpc **out, size_t max_message)
{
    struct rpc *rpc = mem_zalloc(sizeof *rpc);
    sigset_t all, before;

    assert(max_message > 0 && max_message <= INT32_MAX);
    rpc->max_message = max_message;
    rpc->limits = (struct rpc_limits){RPC_CONNECTIONS_DEFAULT, RPC_HELD_DEFAULT};
    rpc_locks_init(rpc);
    /* The main loop handles signals. So they are blocked in our thread and in those that gRPC
     * starts. */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    gpr_set_log_function(rpc_log);
    grpc_init();
    rpc->cq = grpc_completion_queue_create_for_next(NULL);
    int err = -pthread_create(&rpc->thread, NULL, rpc_thread, rpc);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (err != 0) {
        grpc_completion_queue_shutdown(rpc->cq);
        while (
            grpc_completion_queue_next(rpc->cq, gpr_inf_future(GPR_CLOCK_MONOTONIC), NULL).type !=
            GRPC_QUEUE_SHUTDOWN)
            continue;
        rpc_free(rpc);
        return err;
    }
    *out = rpc;
    return 0;
}

void rpc_set_limits(struct rpc *rpc, const struct rpc_limits *limits)
{
    assert(limits->connections > 0 && limits->held > 0);
    rpc->limits = *limits;
}

void rpc_stats(struct rpc *rpc, struct rpc_stats *out)
{
    *out = (struct rpc_stats){.held = rpc_held(), .paused = rpc_paused()};
    rpc_calls_count(out);
    pthread_mutex_lock(&rpc->lock);
    if (rpc->gate != NULL)
        rpc_admission_stats(rpc->gate, out);
    pthread_mutex_unlock(&rpc->lock);
}

void rpc_close(struct rpc *rpc)
{
    if (rpc == NULL)
        return;
    atomic_store(&rpc->closing, true);
    pthread_mutex_lock(&rpc->lock);
    assert(rpc->servers == 0); /* a server's armed requests would never come back */
    /* Owners close their streams. One that was forgotten must not keep the process from ending. */
    for (struct rpc_stream *stream = rpc->live; stream != NULL; stream = stream->live_next)
        rpc_stream_cancel(stream);
    while (rpc->live != NULL || rpc->diagnoses > 0)
        pthread_cond_wait(&rpc->idle, &rpc->lock);
    pthread_mutex_unlock(&rpc->lock);
    grpc_completion_queue_shutdown(rpc->cq);
    pthread_join(rpc->thread, NULL);
    rpc_identity_unref(rpc->identity);
    rpc_free(rpc);
}
