/* calls.h - goim.logic.Logic, the gRPC service by which goim's own comets ask a logic. With
 * goim.comets on, they may ask this one; otherwise every call is refused.
 *
 *   goim's comet ──► rpc thread: unpack ──inbox──► main loop: a row of calls.c ─► … ─► answer
 *
 * connect.c, online.c and calls.c have a function for each call. The server's name is what the
 * comet says: it holds no lease. */
#ifndef IMC_LOGIC_GOIM_CALLS_H
#define IMC_LOGIC_GOIM_CALLS_H

#include "common/rpc/rpc.h"
#include "logic/base/logic.h"

enum { GOIM_ROOMS_MAX = 65536 }; /* in a call to RenewOnline */

/* rpc thread: a call came. Takes both references. */
void goim_call_came(struct logic *logic, struct rpc_stream *stream, struct msg *request);

#endif
