/* job_batches.h - the answering end of imc.v1.Comet/Push: batches from job, spread over the loops,
 * results gathered.
 *
 *   job ══► rpc thread: unpack, check fence and replay (replay_window.h)
 *              └─► every loop that is meant: deliver its share
 *                                              │ the last loop has done its share
 *   job ◄══ PushReply(seq): gone, refused, pending
 *   job ◄══ PushReply(late) ◄── a pending item's last ticket was told: end of that loop's turn
 *
 * A batch lives until every ticket that points into it has been told. */
#ifndef IMC_COMET_JOB_JOB_BATCHES_H
#define IMC_COMET_JOB_JOB_BATCHES_H

#include "comet/wire/push.h"
#include "common/rpc/rpc.h"
#include <stdbool.h>

struct comet;
struct worker;
struct job_batches;
struct job_results;

/* Any thread: messages to rooms, or to all (broadcast_gaps.h: bits), may not have come here. */
typedef void (*job_missed_fn)(struct comet *comet, unsigned missed, const char *why);

struct job_batches *job_batches_open(struct comet *comet, job_missed_fn missed);
void job_batches_close(struct job_batches *service);
/* rpc thread: struct rpc_method.opened, with the service as server_arg. */
void job_batches_opened(struct rpc_stream *stream, void *service);
/* Per worker: late results of this turn. */
struct job_results *job_results_open(struct worker *worker);
void job_results_close(struct job_results *results);

#endif
