/* waiting.h - turns a message for a mailbox, as comets and jobs send it, into mailbox.h's form. */
#ifndef IMC_LOGIC_PEERS_WAITING_H
#define IMC_LOGIC_PEERS_WAITING_H

#include "common/trace/trace_mark.h"
#include "logic/mailbox/mailbox.h"
#include "proto/bus.pb-c.h"

/* Borrows the body. */
static inline struct mailbox_message mailbox_message_of(const Imc__V1__Waiting *waiting)
{
    return (struct mailbox_message){
        .id = waiting->id,
        .op = waiting->op,
        .expires_ms = waiting->expires_ms,
        .body = waiting->body.data,
        .len = waiting->body.len,
        .trace = waiting->trace.len == TRACE_MARK_LEN ? waiting->trace.data : NULL,
    };
}

#endif
