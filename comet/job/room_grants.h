/* room_grants.h - tells jobs which rooms have members here, and grants them the right to leave out
 * items to other rooms. Main loop only, except where it says otherwise.
 *
 *   loops ── claims ──► announced_rooms ── news ──► job ── applied ──► all jobs know it:
 *   rpc thread: a job asks ──► grant_stream ─ grant ─┘                 room_claims_release
 *                                  │ its stream has ended
 *                                  └─► its grant goes on, to its end
 *
 * The rule: a claim is released when each job whose grant may not be over has applied the news of
 * it. A job is not asked whether it lives: its grant ends ROOM_GRANT_MS after it sent the question,
 * for us ROOM_GRANT_OVER_MS after we have answered (common/protocol/room_news.h). Both clocks count
 * the time that the machine sleeps.
 *
 * A job is told only while it has a grant, or asks for one. It gets one piece of news at a time,
 * and the next one when it has applied that. One that was slow gets no grant for a while, so that
 * clients do not wait for it again and again. */
#ifndef IMC_COMET_JOB_ROOM_GRANTS_H
#define IMC_COMET_JOB_ROOM_GRANTS_H

#include "comet/fanout/room_claims.h"
#include "common/base/loop.h"
#include "proto/push.pb-c.h"

#include <stdatomic.h>

struct rpc_stream;
struct room_grants;

enum {
    GRANT_STREAMS_MAX = 256, /* jobs that may ask; a stream that has ended counts until its grant
                              * is over */
    GRANT_SLOW_MS = 10000,   /* a job that was slow gets no grant for so long */
};

/* For N_LOOPS loops, whose claims come by room_grants_claim(). MAIN is the loop that owns this;
 * COUNTERS its block of comet's metrics. */
struct room_grants *room_grants_open(struct loop *main, int n_loops, _Atomic int64_t *counters);
/* When the loops and the rpc thread have ended. Drops what is posted still. NULL is fine. */
void room_grants_close(struct room_grants *grants);
/* Now and then, at least ten times a second: notices grants that are over. */
void room_grants_look(struct room_grants *grants);

/* room_claims_tell_fn for the loops of GRANTS; any thread. */
void room_grants_claim(struct room_grants *grants, struct claims_post *post);
/* rpc thread: a job asked, on STREAM; the stream has ended. */
void room_grants_asked(struct room_grants *grants, struct rpc_stream *stream,
                       const Imc__V1__RoomsQuestion *question);
void room_grants_ended(struct room_grants *grants, struct rpc_stream *stream);

#endif
