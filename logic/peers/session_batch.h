/* session_batch.h - a batch of what a comet asks: how many of its items have no result yet, and the
 * reply that they fill. The last result sends it. Main loop only. */
#ifndef IMC_LOGIC_PEERS_SESSION_BATCH_H
#define IMC_LOGIC_PEERS_SESSION_BATCH_H

#include "logic/peers/streams.h"
#include "proto/session.pb-c.h"

struct connect;
struct mailbox_page;

/* In its own arena. */
struct session_batch {
    struct stream_batch *batch;
    struct logic *logic;
    const Imc__V1__SessionBatch *in;
    Imc__V1__SessionReply reply;
    size_t pending;           /* items without a result, + 1 while they are being started */
    size_t registers_pending; /* `registered` waits for them */
    size_t routers_pending;   /* that have not answered `registered` */
    size_t bytes_left;        /* of mailbox.page_bytes: for waiting messages in this reply */
    uint64_t ring;            /* that the first put was applied under */
    bool has_put, ring_changed;
    uint64_t deadline_ms; /* of connects, loop time */
    struct connect *connects;
};

/* An item has its result; the last one sends the reply and frees the batch. */
void session_batch_drop(struct session_batch *sb);
/* A put was applied under RING. */
void session_batch_put(struct session_batch *sb, uint64_t ring);
/* Copies a page into *WAITING of *N messages, as far as bytes_left reaches. The new value of
 * `more`. */
bool session_batch_page(struct session_batch *sb, const struct mailbox_page *page,
                        Imc__V1__Waiting ***waiting, size_t *n);
char *session_batch_text(struct session_batch *sb, const char *text, size_t len);

#endif
