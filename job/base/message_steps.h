/* message_steps.h - tells the steps of a traced message. For one without a mark the caller does
 * nothing. Main loop only. */
#ifndef IMC_JOB_BASE_MESSAGE_STEPS_H
#define IMC_JOB_BASE_MESSAGE_STEPS_H

#include "job/base/job.h"
#include "job/base/message.h"

/* It came from Kafka, from its partition and offset. */
void message_step_read(struct job *job, const struct message *message);
/* COMET gets it for SESSIONS sessions (0: of a room, or of everybody). POKE: it waits in the
 * mailbox, where the sessions fetch it. */
void message_step_dispatched(struct job *job, const struct message *message, const char *comet,
                             uint32_t sessions, bool poke);

/* It is resolved. */
void message_step_done(struct job *job, const struct message *message);

#endif
