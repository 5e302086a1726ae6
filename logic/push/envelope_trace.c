#include "logic/push/envelope_trace.h"
#include "logic/base/pb.h"

struct traced *envelope_trace(struct logic *logic, Imc__V1__PushMsg *envelope,
                              struct push_trace *push, const struct trace_context *context)
{
    struct traced *traced =
        traces_begin(logic, &(struct traced_message){
                                .id = envelope->id,
                                .op = envelope->operation,
                                .len = envelope->msg.len,
                                .expires_ms = envelope->expires_ms,
                                .has_uid = envelope->has_uid,
                                .all = envelope->type == IMC__V1__PUSH_MSG__TYPE__BROADCAST,
                                .uid = envelope->uid,
                                .room = envelope->room,
                                .push = push,
                                .context = context,
                            });

    if (traced != NULL)
        envelope->trace = pb_bytes(traced_mark(traced), TRACE_MARK_LEN);
    return traced;
}

void envelope_trace_end(struct logic *logic, struct traced **traced,
                        const struct kafka_ticket *ticket, int err, const char *why)
{
    traces_end(logic, *traced, &(struct traced_end){err, why, ticket->partition, ticket->offset});
    *traced = NULL;
}
