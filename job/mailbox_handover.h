/* mailbox_handover.h - messages that found nobody, on their way into the mailbox. Owner loop only.
 *
 *   settle_add() ─► a live logic (by uid) ─► its queue ══ SettleBatch ══► logic ─► answer_settled()
 *        ▲             │ none                    │ stream broke               │ again
 *        │             ▼                         ▼                            ▼
 *        └──────── stranded                   retry: after 50 ms, 100 ms … 1 s
 *
 * Messages of one uid go to one logic, in order; whatever upsets the order (a retry, a logic that
 * died) is caught by answer_settled(): a message is only taken as settled after the one before it.
 */
#ifndef IMC_JOB_MAILBOX_HANDOVER_H
#define IMC_JOB_MAILBOX_HANDOVER_H

#include "common/membership/membership.h"
#include "job/message.h"
#include "proto/session.pb-c.h"

struct job;
struct settle;

struct settle *settle_open(struct job *job);
void settle_close(struct settle *settle);
/* Membership's list of logics. */
void settle_logics_changed(struct settle *settle, const struct member_list *list);
size_t settle_logics(const struct settle *settle);
/* Takes a reference; answer_settled() will be told as often as it asks for. */
void settle_add(struct settle *settle, struct task *task);

/* Since when nothing could be stored although something waits for it (loop time; now if all is
 * well), and why not. */
uint64_t settle_idle_since(struct settle *settle, const char **why);
/* Tells every logic job->report. */
void settle_tell(struct settle *settle);

/* From logic_peer.c. What a logic said, or what we know, of settles that failed. */
void settle_why(struct settle *settle, const char *why);
/* From logic_peer.c. RESULT NULL: no answer. Takes the reference to TASK. */
void settle_answered(struct settle *settle, struct task *task, const Imc__V1__SettleResult *result);

#endif
