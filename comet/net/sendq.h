/* sendq.h - bounded output queue of one connection: what the socket did not take, in order. Owner
 * loop only.
 *
 * Exists only while something waits. Entries refer to shared messages; a ticket comes with each.
 * The queue knows nothing of sockets: conn_write.c fills it and sends from it. */
#ifndef IMC_COMET_NET_SENDQ_H
#define IMC_COMET_NET_SENDQ_H

#include "comet/wire/push.h"
#include "common/base/msg.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

struct slab;

struct sendq_entry {
    struct sendq_entry *next;
    struct msg *msg;
    uint64_t since_ms;
    struct ticket ticket;
    uint32_t sent; /* bytes of it that are gone */
};

struct sendq {
    struct sendq *next, **prev; /* all queues of the loop */
    struct conn *conn;
    struct sendq_entry *head, **tail;
    size_t bytes;      /* unsent */
    uint64_t watch_ms; /* entries with a ticket from this time on have not been told as stalled; 0:
                          none */
};

void sendq_init(struct sendq *sendq, struct conn *conn);
/* SENT bytes of MSG are gone already. Takes a reference of its own. */
void sendq_add(struct sendq *sendq, struct slab *entries, struct msg *msg, uint32_t sent,
               struct ticket ticket, uint64_t now_ms);
/* Up to MAX pieces of what is to be sent; how many. */
int sendq_iov(const struct sendq *sendq, struct iovec *iov, int max);
/* BYTES were sent. Returns the entries that are done, linked by next, for sendq_entry_free(). */
struct sendq_entry *sendq_advance(struct sendq *sendq, size_t bytes);
/* Takes out the entries with a ticket of which nothing has been sent. */
struct sendq_entry *sendq_take_untouched(struct sendq *sendq);
struct sendq_entry *sendq_take_all(struct sendq *sendq);
void sendq_entry_free(struct slab *entries, struct sendq_entry *entry);
/* True once for entries with a ticket that have waited AGE_MS. */
bool sendq_stalled(struct sendq *sendq, uint64_t now_ms, uint64_t age_ms);

#endif
