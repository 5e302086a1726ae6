#include "comet/net/sendq.h"
#include "common/containers/slab.h"

#include <assert.h>

void sendq_init(struct sendq *sendq, struct conn *conn)
{
    *sendq = (struct sendq){.conn = conn, .tail = &sendq->head};
}

void sendq_add(struct sendq *sendq, struct slab *entries, struct msg *msg, uint32_t sent,
               struct ticket ticket, uint64_t now_ms)
{
    assert(sent < msg->len);
    struct sendq_entry *entry = slab_alloc(entries);
    entry->msg = msg_ref(msg);
    entry->sent = sent;
    entry->ticket = ticket;
    entry->since_ms = now_ms;
    *sendq->tail = entry;
    sendq->tail = &entry->next;
    sendq->bytes += msg->len - sent;
    if (ticket_is_owned(&ticket) && sendq->watch_ms == 0)
        sendq->watch_ms = now_ms;
}

int sendq_iov(const struct sendq *sendq, struct iovec *iov, int max, bool one_ticket)
{
    int n = 0, tickets = 0;
    for (struct sendq_entry *entry = sendq->head; entry != NULL && n < max; entry = entry->next) {
        tickets += ticket_is_owned(&entry->ticket);
        if (one_ticket && tickets > 1)
            break;
        iov[n].iov_base = entry->msg->data + entry->sent;
        iov[n].iov_len = entry->msg->len - entry->sent;
        n++;
    }
    return n;
}

struct sendq_entry *sendq_advance(struct sendq *sendq, size_t bytes)
{
    struct sendq_entry *done = NULL, **done_tail = &done;
    assert(bytes <= sendq->bytes);
    sendq->bytes -= bytes;
    while (bytes > 0) {
        struct sendq_entry *entry = sendq->head;
        size_t left = entry->msg->len - entry->sent;
        if (bytes < left) {
            entry->sent += (uint32_t)bytes;
            break;
        }
        bytes -= left;
        sendq->head = entry->next;
        entry->next = NULL;
        *done_tail = entry;
        done_tail = &entry->next;
    }
    if (sendq->head == NULL)
        sendq->tail = &sendq->head;
    return done;
}

/* What is left of BEGUN behind ENTRY. */
static size_t begun_behind(const struct sendq_entry *entry, size_t begun)
{
    size_t left = entry->msg->len - entry->sent;
    return begun > left ? begun - left : 0;
}

struct sendq_entry *sendq_take_untouched(struct sendq *sendq, size_t begun)
{
    struct sendq_entry *taken = NULL, **taken_tail = &taken;
    struct sendq_entry **at = &sendq->head, *entry;
    while ((entry = *at) != NULL) {
        bool touched = entry->sent > 0 || begun > 0;
        begun = begun_behind(entry, begun);
        if (!ticket_is_owned(&entry->ticket) || touched) {
            at = &entry->next;
            continue;
        }
        *at = entry->next;
        entry->next = NULL;
        sendq->bytes -= entry->msg->len;
        *taken_tail = entry;
        taken_tail = &entry->next;
    }
    sendq->tail = at;
    return taken;
}

struct ticket *sendq_begun_ticket(struct sendq *sendq, size_t begun)
{
    struct sendq_entry *entry = sendq->head;
    while (entry != NULL && (entry->sent > 0 || begun > 0)) {
        if (ticket_is_owned(&entry->ticket))
            return &entry->ticket;
        begun = begun_behind(entry, begun);
        entry = entry->next;
    }
    return NULL;
}

struct sendq_entry *sendq_take_all(struct sendq *sendq)
{
    struct sendq_entry *taken = sendq->head;
    sendq->head = NULL;
    sendq->tail = &sendq->head;
    sendq->bytes = 0;
    return taken;
}

void sendq_entry_free(struct slab *entries, struct sendq_entry *entry)
{
    msg_unref(entry->msg);
    slab_free(entries, entry);
}

bool sendq_stalled(struct sendq *sendq, uint64_t now_ms, uint64_t age_ms)
{
    if (sendq->watch_ms == 0 || now_ms - sendq->watch_ms < age_ms)
        return false;
    /* The entry that was watched may have been sent: look for the oldest one that is still here. */
    for (struct sendq_entry *entry = sendq->head; entry != NULL; entry = entry->next) {
        if (!ticket_is_owned(&entry->ticket) || entry->since_ms < sendq->watch_ms)
            continue;
        if (now_ms - entry->since_ms >= age_ms) {
            sendq->watch_ms = 0;
            return true;
        }
        sendq->watch_ms = entry->since_ms;
        return false;
    }
    sendq->watch_ms = 0;
    return false;
}
