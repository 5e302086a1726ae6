/* job_batches.h - answers imc.v1.Comet/Push: spreads batches from job over the loops, and gathers
 * the results.
 *
 *   job ══► rpc thread: unpack, check fence and replay (replay_window.h)
 *              └─► every loop that is meant: deliver its share
 *                                              │ the last loop has done its share
 *   job ◄══ PushReply(seq): gone, refused, pending
 *   job ◄══ PushReply(late) ◄── a pending item's last ticket was told: end of that loop's turn
 *
 * A batch lives until every ticket that points into it is done. */
#ifndef IMC_COMET_JOB_JOB_BATCHES_H
#define IMC_COMET_JOB_JOB_BATCHES_H

#include "comet/wire/push.h"
#include "common/rpc/rpc.h"
#include <stdbool.h>

struct comet;
struct worker;
struct job_batches;
struct job_results;

/* Called on any thread: messages to rooms, or to all, may be missing here (MISSED: bits of
 * broadcast_gaps.h). */
typedef void (*job_missed_fn)(struct comet *comet, unsigned missed, const char *why);

struct job_batches *job_batches_open(struct comet *comet, job_missed_fn missed);
void job_batches_close(struct job_batches *service);
/* rpc thread: for struct rpc_method.opened, with the service as ARG. */
void job_batches_opened(struct rpc_stream *stream, void *arg);
/* The late results of one worker. */
struct job_results *job_results_open(struct worker *worker);
void job_results_close(struct job_results *results);

#endif
