/* job_backlog.h - keeps what jobs report about how far they are behind, and decides which pushes
 * are refused because of it. Main loop only.
 *
 *   job ══ Backlog, twice a second ══► job_backlogs_take ─► job_backlogs_verdict
 *                                            http/push.c, push/push.c ask ──┘
 *
 * A report counts for some seconds. When a job has died, another job takes over its partitions and
 * reports for them. If none reports any more, nobody delivers: the lag is then how long that is
 * so. */
#ifndef IMC_LOGIC_PUSH_JOB_BACKLOG_H
#define IMC_LOGIC_PUSH_JOB_BACKLOG_H

#include "logic/base/logic.h"

struct job_backlogs *job_backlogs_open(struct logic *logic);
void job_backlogs_close(struct job_backlogs *backlogs);
/* What a job reports about itself. */
struct job_backlog_report {
    uint32_t lag_ms;        /* age of the messages that it reads */
    uint32_t used_permille; /* how much it uses of what it may put off because it has to be stored,
                             * in 1/1000 */
    bool stalled;           /* nothing can be stored */
    const char *why;        /* why nothing can be stored; "" if it can */
};
/* Takes a report. JOB is the job's lease id. */
void job_backlogs_take(struct job_backlogs *backlogs, const char *job,
                       const struct job_backlog_report *told);

/* What JOB reported last. WHY in OUT is valid until its next report. False: nothing that still
 * counts. */
bool job_backlogs_of(const struct job_backlogs *backlogs, const char *job,
                     struct job_backlog_report *out);

enum job_backlog_verdict {
    JOB_BACKLOG_FINE,
    JOB_BACKLOG_AWAY, /* refuse messages for users who are away: too much waits to be stored */
    JOB_BACKLOG_ALL,  /* refuse every message: it would be delivered too late */
};
enum { JOB_BACKLOG_WHY = 384 };
/* What to refuse now. WHY gets the reason, for the caller of a push. It has JOB_BACKLOG_WHY
 * bytes. */
enum job_backlog_verdict job_backlogs_verdict(const struct job_backlogs *backlogs, char *why);
/* Has no job reported for push.max_lag, so that every push is refused? */
bool job_backlogs_silent(const struct job_backlogs *backlogs);
/* Sets the gauges. */
void job_backlogs_scrape(struct job_backlogs *backlogs);

#endif
