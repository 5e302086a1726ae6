/* The link between a stream and its pipe.
 *
 * Each attempt to open the stream has a link of its own. The rpc thread knows only the link, not
 * the pipe. When the pipe gives a stream up, it cuts the link, and what still comes is dropped. The
 * link is freed when pipe, rpc thread and inbox have dropped their references. */
#include "common/base/array.h"
#include "common/base/mem.h"
#include "common/rpc/pipe_internal.h"
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

struct link_replies {
    struct link_reply *items;
    size_t n, size;
};

struct pipe_link {
    struct inbox_item item;
    _Atomic uint32_t refs; /* one of the pipe, one of the rpc thread, one of the inbox while
                            * posted */
    _Atomic bool cut;      /* set under lock: the pipe has gone, what comes is dropped; LOOP may be
                            * gone too */
    _Atomic bool posting;  /* the rpc thread is in inbox_post() */
    struct loop *loop;
    const struct pipe_ops *ops;
    struct pipe *pipe;           /* owner loop only; NULL: cut */
    struct link_replies drained; /* owner loop only: an empty array between two drains, kept for its
                                  * memory */
    bool malformed;              /* rpc thread only */
    struct rpc_stream *stream;   /* a reference, from the first reply on */

    pthread_mutex_t lock; /* guards the rest */
    struct link_replies replies;
    bool posted, closed;
    char why[256];
};

/* ── the link: rpc thread's half ── */

/* The reply no longer counts against the peer, just before it is handled. What the owner does then
 * is bounded by the pipe's window. */
static void link_took(struct pipe_link *link, const struct link_reply *reply)
{
    rpc_stream_answered(link->stream);
    rpc_stream_release(link->stream, reply->held);
}

void link_unref(struct pipe_link *link)
{
    if (atomic_fetch_sub_explicit(&link->refs, 1, memory_order_acq_rel) != 1)
        return;
    for (size_t i = 0; i < link->replies.n; i++) {
        link_took(link, &link->replies.items[i]);
        reply_drop(link->ops, link->replies.items[i].reply);
    }
    rpc_stream_unref(link->stream);
    free(link->replies.items);
    free(link->drained.items);
    pthread_mutex_destroy(&link->lock);
    free(link);
}

static void link_run(struct loop *loop, struct inbox_item *item);

/* Posts the link to its loop and unlocks it. One inbox item stands for all replies since it ran
 * last. A link that was cut posts nothing, and pipe_cut() waits while a post is under way. So the
 * loop may be freed once its pipes are closed. */
static void link_post_unlock(struct pipe_link *link)
{
    bool post = !link->posted && !atomic_load_explicit(&link->cut, memory_order_relaxed);

    link->posted = true;
    if (post)
        atomic_store_explicit(&link->posting, true, memory_order_relaxed);
    pthread_mutex_unlock(&link->lock);
    if (!post)
        return;
    atomic_fetch_add_explicit(&link->refs, 1, memory_order_relaxed);
    link->item.run = link_run;
    bool posted = inbox_post(link->loop, &link->item);
    atomic_store_explicit(&link->posting, false, memory_order_release);
    if (!posted)
        link_unref(link); /* the loop is closed; freeing the link frees its replies */
}

static void link_push(struct pipe_link *link, const struct link_reply *reply)
{
    struct link_replies *replies = &link->replies;

    pthread_mutex_lock(&link->lock);
    ARRAY_ROOM(replies->items, replies->n, replies->size, 8);
    replies->items[replies->n++] = *reply;
    link_post_unlock(link);
}

static void link_message(struct rpc_stream *stream, void *arg, struct msg *msg)
{
    struct pipe_link *link = arg;
    uint64_t seq = pipe_seq(msg);
    uint32_t len = msg->len;
    void *reply = msg;

    if (link->malformed || atomic_load_explicit(&link->cut, memory_order_acquire)) {
        msg_unref(msg);
        return;
    }
    if (link->ops->decode != NULL)
        reply = link->ops->decode(msg);
    if (reply == NULL) {
        link->malformed = true;
        rpc_stream_close(stream);
        return;
    }
    if (link->stream == NULL)
        link->stream = rpc_stream_ref(stream);
    rpc_stream_hold(stream, len);
    link_push(link, &(struct link_reply){seq, reply, len});
}

static void link_closed(struct rpc_stream *stream, void *arg, const char *why)
{
    struct pipe_link *link = arg;

    (void)stream;
    pthread_mutex_lock(&link->lock);
    link->closed = true;
    snprintf(link->why, sizeof link->why, "%s",
             link->malformed ? "malformed message from the peer" : why);
    link_post_unlock(link);
    link_unref(link);
}

const struct rpc_stream_events link_events = {.message = link_message, .closed = link_closed};

/* ── the link: owner loop's half ── */

/* A callback may close the pipe, whose reference to the link may be the last one: the caller has
 * another. */
static void drain(struct pipe_link *link)
{
    pthread_mutex_lock(&link->lock);
    struct link_replies replies = link->replies;
    link->replies = link->drained;
    link->replies.n = 0;
    link->drained = (struct link_replies){0};
    bool closed = link->closed;
    pthread_mutex_unlock(&link->lock);
    for (size_t i = 0; i < replies.n; i++) {
        link_took(link, &replies.items[i]);
        if (link->pipe != NULL)
            pipe_take(link->pipe, &replies.items[i]);
        else
            reply_drop(link->ops, replies.items[i].reply);
    }
    link->drained = replies;
    if (closed && link->pipe != NULL)
        pipe_broke(link->pipe, link->why);
}

void link_drain(struct pipe_link *link)
{
    atomic_fetch_add_explicit(&link->refs, 1, memory_order_relaxed);
    drain(link);
    link_unref(link);
}

static void link_run(struct loop *loop, struct inbox_item *item)
{
    struct pipe_link *link = container_of(item, struct pipe_link, item);

    (void)loop;
    pthread_mutex_lock(&link->lock);
    link->posted = false;
    pthread_mutex_unlock(&link->lock);
    drain(link);
    link_unref(link); /* the inbox's */
}

struct pipe_link *link_new(struct pipe *pipe, struct loop *loop, const struct pipe_ops *ops)
{
    struct pipe_link *link = mem_zalloc(sizeof *link);

    atomic_init(&link->refs, 2); /* those of the pipe and of the rpc thread */
    link->loop = loop;
    link->ops = ops;
    link->pipe = pipe;
    pthread_mutex_init(&link->lock, NULL);
    return link;
}

void link_cut(struct pipe_link *link)
{
    link->pipe = NULL;
    pthread_mutex_lock(&link->lock);
    atomic_store_explicit(&link->cut, true, memory_order_release);
    pthread_mutex_unlock(&link->lock);
    while (atomic_load_explicit(&link->posting, memory_order_acquire))
        sched_yield();
}
