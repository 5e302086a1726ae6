/* job_parts.c - see job_parts.h. Who calls whom, and who is told by a function that was given:
 *
 *   dispatch ─► user_order ┄ dispatch_order_ops ┄► comets, mailbox_handover ─► logic_peer
 *                   ▲                                 ┆             ┆
 *                   └──── outcome ◄┄ outcome_item ┄┄┄┄┘             ┆
 *                            ▲┄┄┄┄┄┄ outcome_settled ┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┘ */
#include "job/job_parts.h"
#include "common/redis/redis.h"
#include "job/comets/comets.h"
#include "job/delivery/dispatch.h"
#include "job/delivery/outcome.h"
#include "job/mailbox/mailbox_handover.h"

#include <assert.h>

void job_parts_open(struct job *job, struct loop *loop, struct rpc *rpc,
                    const struct job_config *config, _Atomic int64_t *counters)
{
    *job = (struct job){.loop = loop,
                        .rpc = rpc,
                        .config = config,
                        .counters = counters,
                        .session_ms = config->session_ms};
    windows_init(&job->windows, config, 1);
    job->order = user_order_open(&dispatch_order_ops, job);
    job->comets = comets_open(job, outcome_item);
    job->handover = handover_open(job, outcome_settled);
}

void job_parts_shards(struct job *job, struct redis *redis)
{
    job->redis = redis;
    windows_init(&job->windows, job->config, redis_shards(redis));
}

void job_parts_close(struct job *job)
{
    assert(windows_unresolved(&job->windows) == 0 && job->windows.parked == 0);
    handover_close(job->handover);
    comets_close(job->comets);
    user_order_close(job->order);
}

void job_parts_scrape(struct job *job)
{
    const struct windows *windows = &job->windows;

    metric_set(job->counters, JOB_UNRESOLVED, (int64_t)windows_unresolved(windows));
    metric_set(job->counters, JOB_UNRESOLVED_BYTES,
               (int64_t)(windows->delivering.bytes + windows->storing.bytes));
    metric_set(job->counters, JOB_SETTLING, (int64_t)windows->storing.count);
    metric_set(job->counters, JOB_SETTLING_BYTES, (int64_t)windows->storing.bytes);
    metric_set(job->counters, JOB_PARKED, (int64_t)windows->parked);
    metric_set(job->counters, JOB_USERS, (int64_t)user_order_users(job->order));
    metric_set(job->counters, JOB_COMETS, (int64_t)comets_count(job->comets));
    metric_set(job->counters, JOB_COMETS_UP, (int64_t)comets_up(job->comets));
    metric_set(job->counters, JOB_KEPT_BYTES, (int64_t)comets_kept_bytes(job->comets));
    metric_set(job->counters, JOB_ROOM_GRANTS, (int64_t)comets_granted(job->comets));
    metric_set(job->counters, JOB_ROOMS_KNOWN, (int64_t)comets_rooms(job->comets));
    metric_set(job->counters, JOB_LOGICS, (int64_t)handover_logics(job->handover));
}
