/* calls_internal.h - a call to goim.logic.Logic under way. Main loop only, after it was unpacked.
 */
#ifndef IMC_LOGIC_GOIM_CALLS_INTERNAL_H
#define IMC_LOGIC_GOIM_CALLS_INTERNAL_H

#include "common/rpc/rpc.h"
#include "logic/foreign/foreign.h"
#include "logic/peers/session_batch.h"

struct goim_method;

struct goim_call {
    /* For goim_connect.h, which reads auths out of comets' batches; of BATCH the item, the arena,
     * LOGIC and HELD are used, of SB nothing but these. */
    struct stream_batch batch;
    struct session_batch sb;
    const struct goim_method *method;
    const ProtobufCMessage *in;
    struct rpc_stream *call;
    int64_t uid;
};

/* Both end CALL, and free it. */
void goim_call_answer(struct goim_call *call, const ProtobufCMessage *answer);
void goim_call_refuse(struct goim_call *call, enum rpc_refusal refusal, const char *why);
/* Redis does not answer. */
void goim_call_unavailable(struct goim_call *call);
/* False: KEY or SERVER is empty or too long, and CALL was refused. */
bool goim_call_names(struct goim_call *call, const char *key, const char *server);

/* connect.c, online.c */
void goim_call_connect(struct goim_call *call);
void goim_call_renew(struct goim_call *call);

#endif
