#include "job/mailbox/lag_report.h"
#include "common/base/log.h"
#include "job/base/job.h"
#include "job/mailbox/mailbox_handover.h"
#include "job/mailbox/mailbox_shard.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum {
    STALL_MS = 3000, /* longer than a Redis that fails over or a logic that restarts need */
    TELL_EVERY = 5,  /* looks */
};

/* Says why nothing is stored, and on which shard, if there are several. */
static void lag_report_why(struct job *job, size_t shard, const char *why)
{
    struct job_report *report = &job->report;
    const char *name = mailbox_shard_name(job, shard);

    if (strstr(why, name) != NULL) /* also if there is no name */
        snprintf(report->why, sizeof report->why, "%s", why);
    else
        snprintf(report->why, sizeof report->why, "%s: %s", name, why);
}

static void lag_report_stall(struct job *job, bool stalled)
{
    struct job_report *report = &job->report;

    if (stalled == report->stalled)
        return;
    report->stalled = stalled;
    if (stalled)
        log_error("storing stands still",
                  "settling=%zu parked=%zu why=\"%s\"; who is online is served on, what has to be "
                  "stored waits in Kafka",
                  job->windows.storing.count, job->windows.parked, report->why);
    else
        log_info("storing goes on", "settling=%zu parked=%zu", job->windows.storing.count,
                 job->windows.parked);
    if (job->stalled != NULL)
        job->stalled(stalled, report->why, job->daemon_arg);
}

void lag_report_look(struct job *job, int64_t lag_ms, int64_t span_permille)
{
    const char *why;
    size_t shard;
    uint64_t since_ms = handover_idle_since(job->handover, &shard, &why);
    uint64_t idle_ms = loop_now_ms(job->loop) - since_ms;
    int64_t parked = (int64_t)job->windows.parked * 1000 / job->config->settle_parked;

    /* The worst since logics were told last, because late messages may come all at once. */
    if (job->looks % TELL_EVERY == 1 || lag_ms > job->report.lag_ms)
        job->report.lag_ms = lag_ms;
    job->report.used_permille = parked > span_permille ? parked : span_permille;
    job->report.why[0] = '\0';
    if (idle_ms > STALL_MS)
        lag_report_why(job, shard, why);
    lag_report_stall(job, idle_ms > STALL_MS);
    metric_set(job->counters, JOB_LAG_MS, job->report.lag_ms);
    metric_set(job->counters, JOB_BACKLOG_USED, job->report.used_permille);
    metric_set(job->counters, JOB_STORING_IDLE_MS, (int64_t)idle_ms);
    metric_set(job->counters, JOB_STORING_STALLED, job->report.stalled);
    if (job->looks++ % TELL_EVERY == 0)
        handover_tell(job->handover);
}
