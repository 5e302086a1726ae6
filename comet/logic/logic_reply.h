/* logic_reply.h - a logic's reply: decoded on the rpc thread, kept as long as a held message needs
 * it. Then the loop's. */
#ifndef IMC_COMET_LOGIC_LOGIC_REPLY_H
#define IMC_COMET_LOGIC_LOGIC_REPLY_H

#include "comet/logic/logic_request.h"
#include "common/protocol/unpack.h"
#include "proto/session.pb-c.h"

struct logic_reply {
    struct backing backing;
    struct decoded decoded;
    const Imc__V1__SessionReply *proto;
};

/* The functions of struct pipe_ops. */
void *logic_reply_decode(struct msg *msg);
void logic_reply_drop(void *decoded);
/* Fills ANSWER with the answer to request I of KIND. It lives as long as the reply. */
void logic_reply_answer(struct logic_reply *reply, enum logic_request_kind kind, size_t i,
                        struct logic_answer *answer);

#endif
