/* job_backlog.h - how far behind the jobs are, as they tell, and what is refused because of it.
 * Main loop only.
 *
 *   job ══ Backlog, twice a second ══► job_backlogs_take ─► job_backlogs_verdict
 *                                            http/push.c, push/push.c ask ──┘
 *
 * A report counts for some seconds: a job that has died is not behind, its partitions are another
 * one's by then. */
#ifndef IMC_LOGIC_PUSH_JOB_BACKLOG_H
#define IMC_LOGIC_PUSH_JOB_BACKLOG_H

#include "logic/base/logic.h"

struct job_backlogs *job_backlogs_open(struct logic *logic);
void job_backlogs_close(struct job_backlogs *backlogs);
/* What a job tells of itself. */
struct job_backlog_report {
    uint32_t lag_ms;        /* how late it reads messages */
    uint32_t used_permille; /* of what it may put off because it has to be stored */
    bool stalled;           /* nothing can be stored */
    const char *why;        /* of that; "" else */
};
/* JOB: its lease id. */
void job_backlogs_take(struct job_backlogs *backlogs, const char *job,
                       const struct job_backlog_report *told);

enum job_backlog_verdict {
    JOB_BACKLOG_FINE,
    JOB_BACKLOG_AWAY, /* no more for users who are away: what is to be stored piles up */
    JOB_BACKLOG_ALL,  /* no more at all: what is accepted now is delivered too late */
};
enum { JOB_BACKLOG_WHY = 320 };
/* WHY, of JOB_BACKLOG_WHY bytes, for the caller of a push that is refused. */
enum job_backlog_verdict job_backlogs_verdict(const struct job_backlogs *backlogs, char *why);
/* The gauges. */
void job_backlogs_scrape(struct job_backlogs *backlogs);

#endif
