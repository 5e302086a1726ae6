/* outcome.h - what comets and logic said about a message, and what follows from it. Owner loop
 * only.
 */
#ifndef IMC_JOB_DELIVERY_OUTCOME_H
#define IMC_JOB_DELIVERY_OUTCOME_H

#include "job/comets/comets.h"
#include "job/mailbox/mailbox_handover.h"

/* For comets_open(). Answers to forgotten messages are ignored. */
void outcome_item(struct job *job, struct message *message, Imc__V1__PushItem__Kind kind,
                  Imc__V1__PushResult result);
/* For handover_open(). */
enum handover_verdict outcome_settled(struct job *job, struct message *message,
                                      const Imc__V1__SettleResult *result);

#endif
