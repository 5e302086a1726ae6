/* job_parts.h - opens the parts between the bus and the peers, and tells each whom to call. Main
 * loop only. */
#ifndef IMC_JOB_JOB_PARTS_H
#define IMC_JOB_JOB_PARTS_H

#include "job/base/job.h"

/* Borrows all of what it gets. */
void job_parts_open(struct job *job, struct loop *loop, struct rpc *rpc,
                    const struct job_config *config, _Atomic int64_t *counters);
/* REDIS has the mailboxes. Call it before messages and logics come. */
void job_parts_shards(struct job *job, struct redis *redis);
/* Every partition must have been forgotten before. */
void job_parts_close(struct job *job);
void job_parts_scrape(struct job *job);

#endif
