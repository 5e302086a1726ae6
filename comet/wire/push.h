/* push.h - a message on its way through comet: borrowed bytes, what keeps them alive, and who wants
 * to know its end.
 *
 * Nothing is copied per receiver: a push points into the decoded batch it came with. */
#ifndef IMC_COMET_WIRE_PUSH_H
#define IMC_COMET_WIRE_PUSH_H

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

/* Called exactly once for a ticket that was taken, on the loop that took it, possibly before the
 * taking call returns. */
struct ticket {
    void (*done)(void *owner, uint64_t arg, struct conn *conn,
                 enum ticket_result result); /* NULL: nobody asks */
    void *owner;
    uint64_t arg;
};

#define TICKET_NONE ((struct ticket){0})

static inline void ticket_done(const struct ticket *ticket, struct conn *conn,
                               enum ticket_result result)
{
    if (ticket->done != 0)
        ticket->done(ticket->owner, ticket->arg, conn, result);
}

#endif
