/* sendq.h - bounded output queue of one connection: what the socket did not take, in order. Owner
 * loop only.
 *
 * Exists only while something waits. Entries refer to shared messages; a ticket comes with each.
 * The queue knows nothing of sockets: conn_write.c fills it and sends from it. */
#ifndef IMC_COMET_NET_SENDQ_H
#define IMC_COMET_NET_SENDQ_H

#include "comet/wire/push.h"
#include "common/base/list.h"
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
    uint32_t sent; /* bytes of it that were sent */
};

struct sendq {
    LIST_ENTRY(sendq) link; /* all queues of the loop */
    struct conn *conn;
    struct sendq_entry *head, **tail;
    size_t bytes;      /* unsent */
    uint64_t watch_ms; /* entries with a ticket that were added at this time or later have not been
                          reported as stalled; 0: there are none */
};

void sendq_init(struct sendq *sendq, struct conn *conn);
/* SENT bytes of MSG were sent already. The queue takes a reference of its own. */
void sendq_add(struct sendq *sendq, struct slab *entries, struct msg *msg, uint32_t sent,
               struct ticket ticket, uint64_t now_ms);
/* Fills IOV with up to MAX pieces that are to be sent; returns how many. With ONE_TICKET at most
 * one of them belongs to an entry with a ticket. */
int sendq_iov(const struct sendq *sendq, struct iovec *iov, int max, bool one_ticket);
/* BYTES were sent. Returns the entries that are done, linked by `next`; the caller frees them with
 * sendq_entry_free(). */
struct sendq_entry *sendq_advance(struct sendq *sendq, size_t bytes);
/* Takes out the entries that have a ticket and of which nothing was sent. The first BEGUN unsent
 * bytes count as sent: TLS has them. */
struct sendq_entry *sendq_take_untouched(struct sendq *sendq, size_t begun);
/* The ticket of the entry that was sent in part; NULL if there is none. BEGUN is as above. */
struct ticket *sendq_begun_ticket(struct sendq *sendq, size_t begun);
struct sendq_entry *sendq_take_all(struct sendq *sendq);
void sendq_entry_free(struct slab *entries, struct sendq_entry *entry);
/* True when entries with a ticket have waited AGE_MS. The same entry counts only once. */
bool sendq_stalled(struct sendq *sendq, uint64_t now_ms, uint64_t age_ms);

#endif
