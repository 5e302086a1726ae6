/* push.h - a message on its way through comet: borrowed bytes, what keeps them alive, and a ticket
 * for whoever wants to know what became of it.
 *
 * A push points into the decoded batch it came with; nothing is copied per receiver. */
#ifndef IMC_COMET_WIRE_PUSH_H
#define IMC_COMET_WIRE_PUSH_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct conn;

/* Keeps decoded bytes alive: a batch from job or a reply from logic. Any thread may drop a
 * reference. */
struct backing {
    _Atomic uint32_t refs;
    void (*free)(struct backing *backing);
};

static inline struct backing *backing_ref(struct backing *backing)
{
    atomic_fetch_add_explicit(&backing->refs, 1, memory_order_relaxed);
    return backing;
}

static inline void backing_unref(struct backing *backing)
{
    if (backing != 0 && atomic_fetch_sub_explicit(&backing->refs, 1, memory_order_acq_rel) == 1)
        backing->free(backing);
}

struct push {
    struct backing *backing; /* whoever keeps the push beyond the call takes a reference */
    const uint8_t *body;
    uint32_t body_len;
    int32_t op;
    int32_t accept_op; /* what a goim client must accept to get a message to all; 0: OP */
    uint64_t id;
    uint64_t expires_ms;
    const uint8_t *trace; /* TRACE_MARK_LEN bytes, as long as BACKING; NULL: it is not traced */
};

static inline int32_t push_accept_op(const struct push *push)
{
    return push->accept_op != 0 ? push->accept_op : push->op;
}

enum ticket_result {
    TICKET_WRITTEN,  /* the kernel has all of it; for a room: its walk has begun */
    TICKET_STORED,   /* it is in the mailbox, from which its session will fetch it */
    TICKET_DECLINED, /* its session does not accept the operation */
    TICKET_DROPPED,  /* it will not be written: the connection ended, or the entry was discarded */
};

struct ticket;

/* What the owner of a ticket does when the push ends, and what he can tell before. */
struct ticket_ops {
    /* Called exactly once for a ticket that was taken, on the loop that took it. That may be before
     * the call that took it returns. */
    void (*done)(void *owner, uint64_t arg, struct conn *conn, enum ticket_result result);
    /* Sets PUSH to the push of the ticket, valid as long as the ticket. NULL: the owner does not
     * know it. */
    void (*push)(const struct ticket *ticket, struct push *push);
    bool in_mailbox; /* the mailbox has the message until it is written; ARG is its id */
    bool passive;    /* only looks on: what is queued with it is treated as without a ticket */
};

struct ticket {
    const struct ticket_ops *ops; /* NULL: nobody wants to know */
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

/* False: the push of the ticket is not known, and PUSH is unchanged. */
static inline bool ticket_push(const struct ticket *ticket, struct push *push)
{
    if (ticket->ops == 0 || ticket->ops->push == 0)
        return false;
    ticket->ops->push(ticket, push);
    return true;
}

/* Is there an owner who is to be told if the push cannot be written? */
static inline bool ticket_is_owned(const struct ticket *ticket)
{
    return ticket->ops != 0 && !ticket->ops->passive;
}

static inline bool ticket_in_mailbox(const struct ticket *ticket)
{
    return ticket->ops != 0 && ticket->ops->in_mailbox;
}

#endif
