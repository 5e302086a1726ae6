/* push.h - a message on its way through comet: borrowed bytes, what keeps them alive, and who wants
 * to know its end.
 *
 * Nothing is copied per receiver: a push points into the decoded batch it came with. */
#ifndef IMC_COMET_WIRE_PUSH_H
#define IMC_COMET_WIRE_PUSH_H

#include <stdbool.h>
#include <stdint.h>

struct conn;

/* Keeps decoded bytes (a batch from job, a reply from logic) alive. References may be dropped on
 * any thread. */
struct backing {
    uint32_t refs; /* atomic */
    void (*free)(struct backing *backing);
};

static inline struct backing *backing_ref(struct backing *backing)
{
    __atomic_fetch_add(&backing->refs, 1, __ATOMIC_RELAXED);
    return backing;
}

static inline void backing_unref(struct backing *backing)
{
    if (backing != 0 && __atomic_sub_fetch(&backing->refs, 1, __ATOMIC_ACQ_REL) == 0)
        backing->free(backing);
}

struct push {
    struct backing *backing; /* whoever keeps the push beyond the call takes a reference */
    const uint8_t *body;
    uint32_t body_len;
    int32_t op;
    uint64_t id;
    uint64_t expires_ms;
};

enum ticket_result {
    TICKET_WRITTEN, /* the kernel has all of it (a room's: its walk has begun) */
    TICKET_STORED,  /* it is in the mailbox, from which its session will fetch it */
    TICKET_DROPPED, /* it never will: the connection ended, or the entry was discarded */
};

struct ticket;

/* What becomes of whoever stands behind a ticket, and what may be asked of him. */
struct ticket_ops {
    /* Called exactly once for a ticket that was taken, on the loop that took it, possibly before
     * the taking call returns. */
    void (*done)(void *owner, uint64_t arg, struct conn *conn, enum ticket_result result);
    /* The push that the ticket stands for, valid while the ticket is. NULL: nobody can tell. */
    void (*push)(const struct ticket *ticket, struct push *push);
    bool in_mailbox; /* the message is in its user's mailbox until it was written; ARG is its id */
};

struct ticket {
    const struct ticket_ops *ops; /* NULL: nobody asks */
    void *owner;
    uint64_t arg;
};

#define TICKET_NONE ((struct ticket){0})

static inline void ticket_done(const struct ticket *ticket, struct conn *conn,
                               enum ticket_result result)
{
    if (ticket->ops != 0)
        ticket->ops->done(ticket->owner, ticket->arg, conn, result);
}

/* False: it stands for no push that anybody could tell; PUSH is as it was. */
static inline bool ticket_push(const struct ticket *ticket, struct push *push)
{
    if (ticket->ops == 0 || ticket->ops->push == 0)
        return false;
    ticket->ops->push(ticket, push);
    return true;
}

static inline bool ticket_in_mailbox(const struct ticket *ticket)
{
    return ticket->ops != 0 && ticket->ops->in_mailbox;
}

#endif
