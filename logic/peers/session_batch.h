/* session_batch.h - a batch of a comet's requests, and the reply to it. The result of the last item
 * sends the reply. Main loop only. */
#ifndef IMC_LOGIC_PEERS_SESSION_BATCH_H
#define IMC_LOGIC_PEERS_SESSION_BATCH_H

#include "logic/peers/streams.h"
#include "proto/session.pb-c.h"

struct connect;
struct mailbox_page;

/* Lives in the batch's own arena. */
struct session_batch {
    struct stream_batch *batch;
    struct logic *logic;
    const Imc__V1__SessionBatch *in;
    Imc__V1__SessionReply reply;
    size_t pending;           /* items without a result, plus 1 while items are being started */
    size_t registers_pending; /* registers without a result; `registered` is sent after them */
    size_t routers_pending;   /* routers that have not answered `registered` */
    size_t bytes_left;        /* what this reply may still take of mailbox.page_bytes */
    size_t replies_left;      /* bytes of the business's replies that it may still take */
    uint64_t ring;            /* ring under which the first put was carried out */
    bool has_put, ring_changed;
    uint64_t deadline_ms; /* of connects and renews, by loop time */
    const char *region;   /* of the comet; NULL: not looked up yet */
    struct connect *connects;
    struct connect **asked; /* those whose token is looked up, in the order of the question */
};

/* An item has its result. The last one sends the reply and frees the batch. */
void session_batch_drop(struct session_batch *sb);
/* A router has carried out a put under RING. */
void session_batch_put(struct session_batch *sb, uint64_t ring);
/* Copies messages of PAGE, as many as bytes_left allows, to *WAITING; *N is how many. Returns the
 * reply's `more`. */
bool session_batch_page(struct session_batch *sb, const struct mailbox_page *page,
                        Imc__V1__Waiting ***waiting, size_t *n);

#endif
