/* job.h - what the daemon has; each part finds here what it needs of the others. Struct only:
 * job_parts.c fills it. Main loop only. */
#ifndef IMC_JOB_BASE_JOB_H
#define IMC_JOB_BASE_JOB_H

#include "common/base/list.h"
#include "job/base/config.h"
#include "job/base/metrics.h"
#include "job/base/windows.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct comet_peers;
struct handover;
struct loop;
struct message;
struct partition;
struct redis;
struct rpc;
struct tls;
struct tracer;
struct user_order;

/* How far behind we are, as logics are told: lag_report.h. */
struct job_report {
    int64_t lag_ms;        /* how late messages are read */
    int64_t used_permille; /* of what may be put off */
    bool stalled;          /* nothing could be stored for some seconds */
    char why[192];         /* of that */
};

struct job {
    struct loop *loop;
    struct rpc *rpc;
    struct tls *tls;     /* of the daemon */
    struct redis *redis; /* NULL: not known yet */
    const struct job_config *config;
    _Atomic int64_t *counters;
    char id[64];                       /* of our lease: what batches carry */
    struct user_order *order;          /* user_order.h: one user's messages, one after the other */
    struct comet_peers *comets;        /* comets.h: who lives, and the stream to each */
    struct handover *handover;         /* mailbox_handover.h: what has to be stored, to logic */
    LIST_HEAD(, partition) partitions; /* those assigned: partition_init() to partition_free() */
    struct tracer *tracer;             /* common/trace/tracer.h; NULL: not open yet */
    struct windows windows;
    struct job_report report;
    uint64_t looks;       /* of lag_report.c */
    bool comets_known;    /* the list of comets has been read once */
    int64_t session_ms;   /* bus.session_timeout, or the least that the brokers allow */
    uint64_t fence_heard; /* the highest that comets say they have heard, partition_fence.h */
    /* Of the daemon, with its argument. Both may be NULL. */
    void (*stalled)(bool stalled, const char *why,
                    void *arg);     /* storing stands still, or goes on */
    void (*logics_told)(void *arg); /* a logic answers, or does so no more */
    void *daemon_arg;
    /* events/message_facts.h, if the business is told of messages: the last word on a message of a
     * user, which has a `fact`. It resolves the message. */
    void (*tell_fact)(struct message *message, void *arg);
    void *tell_arg;
};

static inline void job_count(struct job *job, enum job_metric id)
{
    metric_add(job->counters, id, 1);
}

#endif
