/* mailbox_handover.h - messages that found nobody, on their way into the mailbox. Main loop only.
 *
 *   handover_add() ─► a live logic (by uid) ─► its queue ══ SettleBatch ══► logic
 *        ▲              │ none                   │ stream broke               └─► settled()
 *        │              ▼                        ▼                                  │ again
 *        └────────── stranded              retry: after 50 ms, 100 ms … 1 s ◄───────┘
 *
 * Messages of one uid go to one logic, in order. A retry or a logic that died may upset the order.
 * settled() catches that: it takes a message as stored only after the one before it. */
#ifndef IMC_JOB_MAILBOX_MAILBOX_HANDOVER_H
#define IMC_JOB_MAILBOX_MAILBOX_HANDOVER_H

#include "common/membership/membership.h"
#include "job/base/message.h"
#include "proto/session.pb-c.h"

struct job;
struct handover;

enum handover_verdict {
    HANDOVER_DONE,     /* nothing more to ask logic */
    HANDOVER_AGAIN,    /* logic has to be asked again */
    HANDOVER_DIVERTED, /* the message waits for sessions, or for those before it; if need be it is
                          added anew */
};
/* Logic answered for MESSAGE. RESULT NULL: it did not, and counts as FAILED. */
typedef enum handover_verdict (*handover_settled_fn)(struct job *job, struct message *message,
                                                     const Imc__V1__SettleResult *result);

struct handover *handover_open(struct job *job, handover_settled_fn settled);
void handover_close(struct handover *handover);
/* Membership's list of logics. */
void handover_logics_changed(struct handover *handover, const struct member_list *list);
size_t handover_logics(const struct handover *handover);
/* Those that answer what they are told. */
size_t handover_logics_answering(const struct handover *handover);
/* Takes a reference; settled() is told as often as it says AGAIN. */
void handover_add(struct handover *handover, struct message *message);

/* Since when nothing could be stored although something waits for it, on the shard of Redis where
 * that is so for longest, and why not. In loop time; now, if all is well. */
uint64_t handover_idle_since(struct handover *handover, size_t *shard, const char **why);
/* Tells every logic job->report. */
void handover_tell(struct handover *handover);

#endif
