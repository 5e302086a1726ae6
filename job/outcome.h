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
void outcome_item(struct job *job, struct message *message, Imc__V1__PushItem__Kind kind,
                  Imc__V1__PushResult result);

enum outcome_settle {
    OUTCOME_DONE,     /* nothing more to ask logic */
    OUTCOME_AGAIN,    /* the settle must be repeated */
    OUTCOME_DIVERTED, /* it waits for sessions, or those before it, and is settled anew if need be
                       */
};
/* Logic answered. NULL: it did not (for FAILED). */
enum outcome_settle outcome_settled(struct job *job, struct message *message,
                                    const Imc__V1__SettleResult *result);

#endif
