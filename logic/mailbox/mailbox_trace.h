/* mailbox_trace.h - tells what happens to traced messages in a mailbox. Main loop only. */
#ifndef IMC_LOGIC_MAILBOX_MAILBOX_TRACE_H
#define IMC_LOGIC_MAILBOX_MAILBOX_TRACE_H

#include "common/trace/trace_step.h"
#include "logic/mailbox/mailbox.h"

#include <hiredis/hiredis.h>

/* WHAT has happened to MESSAGE of UID. Does nothing if it is not traced. WHY may be NULL. */
void mailbox_trace(struct logic *logic, int64_t uid, const struct mailbox_message *message,
                   enum trace_what what, const char *why);
/* The same for members that a script has removed. LIST: the first bytes of those that are traced,
 * header and mark, as the scripts answer; NULL is fine. */
void mailbox_trace_list(struct logic *logic, int64_t uid, const redisReply *list,
                        enum trace_what what, const char *why);

#endif
