/* upstream.h - produces what clients send to the business to the topic upstream.topic. Main loop
 * only.
 *
 * Messages with the same uid go to the same partition, in the order of the calls. Of messages that
 * were sent one after the other, a later one is told to be in Kafka only if each earlier one was. A
 * message of which Kafka says nothing for bus.timeout fails, and so do all that were sent after it:
 * the caller sends them again, with the same number. So the topic has each message at least once.
 *
 * The topic is the business's: it is not created. The ready condition "upstream" says whether it
 * takes messages; nothing else waits for it. */
#ifndef IMC_LOGIC_UPSTREAM_UPSTREAM_H
#define IMC_LOGIC_UPSTREAM_UPSTREAM_H

#include "common/base/list.h"
#include "logic/base/logic.h"
#include "logic/upstream/cloud_event.h"

/* Embedded in what waits for a message. done() is called exactly once, never within
 * upstream_send(). ERR 0: Kafka has the message, acks=all. -EAGAIN: it may have it; send it
 * again. */
struct upstream_ticket {
    TAILQ_ENTRY(upstream_ticket) link; /* this and the next two: upstream.c */
    uint64_t since_ms;
    size_t bytes;
    void (*done)(struct upstream_ticket *ticket, int err);
};

/* Fills logic->upstream, or leaves it NULL if upstream.topic is empty. 0, or -EINVAL and the like
 * after logging. */
int upstream_open(struct logic *logic);
/* Sends EVENT, of which nothing is kept. 0: TICKET's done() will be called. -EAGAIN: not now, send
 * it again later. -EMSGSIZE: the topic takes no message of that size. */
int upstream_send(struct upstream *upstream, const struct upstream_event *event,
                  struct upstream_ticket *ticket);
/* Bytes of messages that Kafka has not confirmed. */
size_t upstream_waiting(const struct upstream *upstream);
/* Tickets that wait fail. May block for a moment: call it after the main loop has ended. NULL is
 * fine. */
void upstream_close(struct upstream *upstream);

#endif
