/* envelope_trace.h - marks envelopes of messages that are to be traced. Main loop only. */
#ifndef IMC_LOGIC_PUSH_ENVELOPE_TRACE_H
#define IMC_LOGIC_PUSH_ENVELOPE_TRACE_H

#include "logic/push/kafka_producer.h"
#include "logic/trace/traces.h"
#include "proto/bus.pb-c.h"

/* Marks ENVELOPE, which has its id, if the message is to be traced: because of PUSH (NULL: nobody
 * asked) or of its user. It joins the trace of CONTEXT, the caller's, which may be NULL. NULL: it
 * is not traced. ENVELOPE borrows from what is returned. */
struct traced *envelope_trace(struct logic *logic, Imc__V1__PushMsg *envelope,
                              struct push_trace *push, const struct trace_context *context);
/* Kafka has answered for TICKET, or did not take it. Frees *TRACED, and sets it NULL. */
void envelope_trace_end(struct logic *logic, struct traced **traced,
                        const struct kafka_ticket *ticket, int err, const char *why);

#endif
