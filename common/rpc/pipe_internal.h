/* pipe_internal.h - what pipe.c and pipe_link.c share. */
#ifndef IMC_COMMON_RPC_PIPE_INTERNAL_H
#define IMC_COMMON_RPC_PIPE_INTERNAL_H

#include "common/rpc/pipe.h"

struct pipe_link;

struct link_reply {
    uint64_t seq;
    void *reply;
    uint32_t held; /* bytes that count against the peer until the reply is handled */
};

static inline void reply_drop(const struct pipe_ops *ops, void *reply)
{
    if (ops->decode != NULL)
        ops->drop(reply);
    else
        msg_unref(reply);
}

/* pipe_link.c: the link of one attempt to open the stream. */
extern const struct rpc_stream_events link_events; /* their ARG is the link */
/* With two references: the pipe's and the rpc thread's. */
struct pipe_link *link_new(struct pipe *pipe, struct loop *loop, const struct pipe_ops *ops);
/* Owner loop. What has come goes to pipe_take() and pipe_broke(). */
void link_drain(struct pipe_link *link);
/* Owner loop. From now on PIPE is told nothing, and its loop may be freed. */
void link_cut(struct pipe_link *link);
void link_unref(struct pipe_link *link);

/* pipe.c, owner loop: */
/* REPLY has come; takes it. */
void pipe_take(struct pipe *pipe, const struct link_reply *reply);
/* The stream has ended, because of WHY. */
void pipe_broke(struct pipe *pipe, const char *why);

#endif
