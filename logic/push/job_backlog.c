#include "logic/push/job_backlog.h"
#include "common/base/log.h"
#include "common/base/mem.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum {
    LIFE_MS = 5000, /* a report counts for so long: ten intervals */
    JOBS_MOST = 256,
};

struct job_backlog {
    char job[64];
    char why[192];
    uint64_t until_ms; /* loop time until which the report counts */
    uint32_t lag_ms, used_permille;
    bool stalled;
};

struct job_backlogs {
    struct logic *logic;
    uint64_t opened_ms;
    struct job_backlog jobs[JOBS_MOST];
    size_t n;
};

struct job_backlogs *job_backlogs_open(struct logic *logic)
{
    struct job_backlogs *backlogs = mem_zalloc(sizeof *backlogs);

    backlogs->logic = logic;
    backlogs->opened_ms = loop_now_ms(logic->loop);
    return backlogs;
}

void job_backlogs_close(struct job_backlogs *backlogs)
{
    free(backlogs);
}

/* The entry of JOB. If it has none: a free entry, or the one whose report is the oldest. */
static struct job_backlog *backlog_of(struct job_backlogs *backlogs, const char *job)
{
    struct job_backlog *oldest = &backlogs->jobs[0];

    for (size_t i = 0; i < backlogs->n; i++) {
        struct job_backlog *backlog = &backlogs->jobs[i];
        if (strcmp(backlog->job, job) == 0)
            return backlog;
        if (backlog->until_ms < oldest->until_ms)
            oldest = backlog;
    }
    struct job_backlog *backlog = backlogs->n < JOBS_MOST ? &backlogs->jobs[backlogs->n++] : oldest;
    *backlog = (struct job_backlog){0};
    snprintf(backlog->job, sizeof backlog->job, "%s", job);
    return backlog;
}

void job_backlogs_take(struct job_backlogs *backlogs, const char *job,
                       const struct job_backlog_report *told)
{
    struct job_backlog *backlog = backlog_of(backlogs, job);

    loop_assert_owner(backlogs->logic->loop);
    if (told->stalled && !backlog->stalled)
        log_warn("storing stands still", "job=%s why=\"%s\"", backlog->job, told->why);
    else if (!told->stalled && backlog->stalled)
        log_info("storing goes on", "job=%s", backlog->job);
    backlog->until_ms = loop_now_ms(backlogs->logic->loop) + LIFE_MS;
    backlog->lag_ms = told->lag_ms;
    backlog->used_permille = told->used_permille;
    backlog->stalled = told->stalled;
    snprintf(backlog->why, sizeof backlog->why, "%s", told->why);
}

bool job_backlogs_of(const struct job_backlogs *backlogs, const char *job,
                     struct job_backlog_report *out)
{
    uint64_t now = loop_now_ms(backlogs->logic->loop);

    for (size_t i = 0; i < backlogs->n; i++) {
        const struct job_backlog *backlog = &backlogs->jobs[i];
        if (strcmp(backlog->job, job) != 0 || backlog->until_ms <= now)
            continue;
        *out = (struct job_backlog_report){backlog->lag_ms, backlog->used_permille,
                                           backlog->stalled, backlog->why};
        return true;
    }
    return false;
}

/* The worst value of each kind, over all reports that still count. */
struct worst {
    uint32_t lag_ms, used_permille;
    const struct job_backlog *stalled; /* a job that reports that */
    bool silent;                       /* no job reports: the lag is how long that is so */
};

static struct worst job_backlogs_worst(const struct job_backlogs *backlogs)
{
    uint64_t now = loop_now_ms(backlogs->logic->loop), last_ms = backlogs->opened_ms + LIFE_MS;
    struct worst worst = {0};

    for (size_t i = 0; i < backlogs->n; i++) {
        const struct job_backlog *backlog = &backlogs->jobs[i];
        last_ms = backlog->until_ms > last_ms ? backlog->until_ms : last_ms;
        if (backlog->until_ms <= now)
            continue;
        if (backlog->lag_ms > worst.lag_ms)
            worst.lag_ms = backlog->lag_ms;
        if (backlog->used_permille > worst.used_permille)
            worst.used_permille = backlog->used_permille;
        if (backlog->stalled && worst.stalled == NULL)
            worst.stalled = backlog;
    }
    worst.silent = last_ms <= now;
    if (worst.silent) {
        uint64_t silent_ms = now - last_ms + LIFE_MS;
        worst.lag_ms = (uint32_t)(silent_ms < UINT32_MAX ? silent_ms : UINT32_MAX);
    }
    return worst;
}

static bool is_too_late(const struct job_backlogs *backlogs, const struct worst *worst)
{
    int64_t most = backlogs->logic->config->push_max_lag_ms;
    return most > 0 && worst->lag_ms > (uint64_t)most;
}

bool job_backlogs_silent(const struct job_backlogs *backlogs)
{
    const struct worst worst = job_backlogs_worst(backlogs);
    return worst.silent && is_too_late(backlogs, &worst);
}

enum job_backlog_verdict job_backlogs_verdict(const struct job_backlogs *backlogs, char *why)
{
    const struct logic_config *config = backlogs->logic->config;
    const struct worst worst = job_backlogs_worst(backlogs);

    loop_assert_owner(backlogs->logic->loop);
    if (is_too_late(backlogs, &worst)) {
        snprintf(why, JOB_BACKLOG_WHY,
                 "%s %" PRIu32 " s%s, more than push.max_lag (%" PRId64 " s): push later",
                 worst.silent ? "no job has reported for" : "delivery is", worst.lag_ms / 1000,
                 worst.silent ? "" : " behind", config->push_max_lag_ms / 1000);
        return JOB_BACKLOG_ALL;
    }
    if (worst.used_permille < (uint64_t)config->push_max_backlog * 10)
        return JOB_BACKLOG_FINE;
    snprintf(why, JOB_BACKLOG_WHY,
             "what is to be stored for users who are away has piled up to %" PRIu32
             " %% of what job keeps (push.max_backlog)%s%s: push to them later",
             worst.used_permille / 10, worst.stalled != NULL ? ", and storing stands still: " : "",
             worst.stalled != NULL ? worst.stalled->why : "");
    return JOB_BACKLOG_AWAY;
}

void job_backlogs_scrape(struct job_backlogs *backlogs)
{
    const struct worst worst = job_backlogs_worst(backlogs);
    _Atomic int64_t *counters = backlogs->logic->counters;

    metric_set(counters, LOGIC_BACKLOG_LAG_MS, worst.lag_ms);
    metric_set(counters, LOGIC_BACKLOG_USED, worst.used_permille);
    metric_set(counters, LOGIC_STORING_STALLED, worst.stalled != NULL);
}
