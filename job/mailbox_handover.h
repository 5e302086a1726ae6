/* mailbox_handover.h - messages that found nobody, on their way into the mailbox. Owner loop only.
 *
 *   handover_add() ─► a live logic (by uid) ─► its queue ══ SettleBatch ══► logic
 *        ▲              │ none                   │ stream broke               └─► outcome_settled()
 *        │              ▼                        ▼                                  │ again
 *        └────────── stranded              retry: after 50 ms, 100 ms … 1 s ◄───────┘
 *
 * Messages of one uid go to one logic, in order; whatever upsets the order (a retry, a logic that
 * died) is caught by outcome_settled(): a message is only taken as settled after the one before it.
 */
#ifndef IMC_JOB_MAILBOX_HANDOVER_H
#define IMC_JOB_MAILBOX_HANDOVER_H

#include "common/membership/membership.h"
#include "job/message.h"
#include "proto/session.pb-c.h"

struct job;
struct handover;

struct handover *handover_open(struct job *job);
void handover_close(struct handover *settle);
/* Membership's list of logics. */
void handover_logics_changed(struct handover *settle, const struct member_list *list);
size_t handover_logics(const struct handover *settle);
/* Those that answer what they are told. */
size_t handover_logics_answering(const struct handover *settle);
/* Takes a reference; outcome_settled() will be told as often as it asks for. */
void handover_add(struct handover *settle, struct message *message);

/* Since when nothing could be stored although something waits for it (loop time; now if all is
 * well), and why not. */
uint64_t handover_idle_since(struct handover *settle, const char **why);
/* Tells every logic job->report. */
void handover_tell(struct handover *settle);

/* From logic_peer.c. One answers, or does no more. */
void handover_logic_answers(struct handover *settle);
/* From logic_peer.c. What a logic said, or what we know, of settles that failed. */
void handover_why(struct handover *settle, const char *why);
/* From logic_peer.c. RESULT NULL: no answer. Takes the reference to TASK. */
void handover_answered(struct handover *settle, struct message *message,
                       const Imc__V1__SettleResult *result);

#endif
