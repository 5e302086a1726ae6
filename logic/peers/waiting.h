/* waiting.h - a message for a mailbox, as comets and jobs send it. */
#ifndef IMC_LOGIC_PEERS_WAITING_H
#define IMC_LOGIC_PEERS_WAITING_H

#include "logic/mailbox/mailbox.h"
#include "proto/bus.pb-c.h"

/* The body is borrowed. */
static inline struct mailbox_message mailbox_message_of(const Imc__V1__Waiting *waiting)
{
    return (struct mailbox_message){
        .id = waiting->id,
        .op = waiting->op,
        .expires_ms = waiting->expires_ms,
        .body = waiting->body.data,
        .len = waiting->body.len,
    };
}

#endif
