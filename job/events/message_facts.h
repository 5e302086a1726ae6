/* message_facts.h - what became of messages that went to sessions without a mailbox, or that ended
 * before they came into one: into the log of sessions, before their offsets are committed. Main
 * loop only.
 *
 *   outcome ─► job->tell_fact ─► WAITING ─pump─► SENT ─► the log has it: resolved
 *                                   ▲              │
 *                                   └── failed ◄───┘
 *
 * If this job dies before, the message is read again, comets know that they had it, and it is told
 * then. What a mailbox takes, and what leaves it, is told by logic. */
#ifndef IMC_JOB_EVENTS_MESSAGE_FACTS_H
#define IMC_JOB_EVENTS_MESSAGE_FACTS_H

#include "common/base/list.h"
#include "common/kafka/ordered_producer.h"
#include <stddef.h>
#include <stdint.h>

struct event_outlets;
struct message_fact_write;

struct message_facts {
    struct event_outlets *outlets;
    STAILQ_HEAD(, message_fact_write) waiting;
    size_t n; /* waiting, and sent */
};

/* It is job->tell_fact, if events.types has an event of messages. */
void message_facts_init(struct message_facts *facts, struct event_outlets *outlets);
/* Sends what waits. */
void message_facts_pump(struct message_facts *facts);
/* Forgets what waits; no message of it is assigned any more. What was sent is forgotten when the
 * producer is closed. */
void message_facts_close(struct message_facts *facts);

#endif
