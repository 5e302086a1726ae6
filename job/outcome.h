/* outcome.h - what comets and logic said about a message, and what follows from it. Owner loop
 * only.
 */
#ifndef IMC_JOB_OUTCOME_H
#define IMC_JOB_OUTCOME_H

#include "job/message.h"
#include "proto/push.pb-c.h"
#include "proto/session.pb-c.h"

struct job;

/* One comet answered its item of TASK, or its lease lapsed (GONE). Answers to forgotten messages
 * are ignored. */
void answer_item(struct job *job, struct task *task, Imc__V1__PushItem__Kind kind,
                 Imc__V1__PushResult result);

enum answer_settle {
    ANSWER_DONE,  /* nothing more to ask logic */
    ANSWER_AGAIN, /* the settle must be repeated */
};
/* Logic answered. NULL: it did not (for FAILED). */
enum answer_settle answer_settled(struct job *job, struct task *task,
                                  const Imc__V1__SettleResult *result);

#endif
