/* logic_batch.h - packs requests to logic into a batch, and finds their answers in the reply.
 * Pure. */
#ifndef IMC_COMET_LOGIC_LOGIC_BATCH_H
#define IMC_COMET_LOGIC_LOGIC_BATCH_H

#include "comet/logic/logic_request.h"
#include "common/base/mem.h"
#include "proto/session.pb-c.h"

struct worker;

/* Fills the lists of BATCH from REQUESTS, of which there are COUNTS of each kind. BATCH then points
 * into ARENA and into the requests. */
void logic_batch_build(const struct worker *worker, Imc__V1__SessionBatch *batch,
                       struct arena *arena, struct logic_request_queue *requests,
                       const size_t counts[REQUEST_KINDS]);
/* About how many bytes REQUEST takes in a batch. */
size_t logic_batch_size(const struct logic_request *request);
/* True: REPLY has as many results of each kind as COUNTS says. */
bool logic_batch_is_answered_by(const Imc__V1__SessionReply *reply,
                                const size_t counts[REQUEST_KINDS]);
/* The status of request I of KIND: for CONNECT a close code, else LogicStatus. */
uint32_t logic_batch_status(const Imc__V1__SessionReply *reply, enum logic_request_kind kind,
                            size_t i);

#endif
