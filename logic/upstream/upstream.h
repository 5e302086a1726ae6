/* upstream.h - hands what clients send to the business on: to the topic upstream.topic, or by HTTP
 * to upstream.url. Main loop only.
 *
 *   upstream_send ─┬─► cloud_event_make ─► ordered_producer, librdkafka ══► Kafka
 *                  └─► cloud_event_json ─► webhook ══► the business ─► replies.h ─► done()
 *
 * What was given in order is there in order: all messages with the same uid. What is told of them:
 * common/kafka/ordered_producer.h, common/webhook/webhook.h. Comets send what fails again, with the
 * same number.
 *
 * The topic is the business's: it is not created. The ready condition "upstream" says whether it,
 * or the URL, takes messages; nothing else waits for it. */
#ifndef IMC_LOGIC_UPSTREAM_UPSTREAM_H
#define IMC_LOGIC_UPSTREAM_UPSTREAM_H

#include "common/kafka/ordered_producer.h"
#include "common/webhook/webhook.h"
#include "logic/base/logic.h"
#include "logic/upstream/cloud_event.h"

struct upstream;

/* Embedded in what waits for a message. done() is called exactly once, never within
 * upstream_send(). ERR 0: the business has it, or Kafka for it. BODY is the business's reply, LEN
 * bytes, valid during the call; NULL: none. -EAGAIN: it may have it; send it again. -EMSGSIZE,
 * -EBADMSG: it does not take it, ever. */
struct upstream_ticket {
    union {
        struct ordered_ticket topic;
        struct {
            struct webhook_ticket ticket;
            struct upstream *upstream;
            char *json, id[CLOUD_EVENT_ID_MAX];
        } post;
    } by; /* this folder's */
    void (*done)(struct upstream_ticket *ticket, int err, const void *body, size_t len);
};

/* Fills logic->upstream, or leaves it NULL if upstream.topic and upstream.url are empty. 0, or
 * -EINVAL and the like after logging. */
int upstream_open(struct logic *logic);
/* Sends EVENT, of which nothing is kept, if there is a logic->upstream, and takes TICKET if it
 * returns 0. -EAGAIN: not now, send it again later. -EMSGSIZE: the topic takes no such message. */
int upstream_send(struct logic *logic, const struct upstream_event *event,
                  struct upstream_ticket *ticket);
/* Bytes of messages that are not done. */
size_t upstream_waiting(const struct upstream *upstream);
/* Sets the gauges. */
void upstream_scrape(const struct upstream *upstream);
/* What waits is done, -EAGAIN. As ordered_producer_close(). NULL is fine. */
void upstream_close(struct upstream *upstream);

#endif
