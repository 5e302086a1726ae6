/* job.h - what the daemon's parts share. Everything on the main loop.
 *
 *   Kafka ──kafka_consumer──► dispatch ──user_order──► comets ══► comet
 *     ▲                          │ nowhere               │ answers
 *     │ offsets                  ▼                       ▼
 *     └── partition ◄── mailbox_handover, logic_peer ◄─ outcome
 */
#ifndef IMC_JOB_JOB_H
#define IMC_JOB_JOB_H

#include "job/config.h"
#include "job/metrics.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct job_window {
    size_t count, bytes;
};

/* How far behind we are, as logics are told: lag_report.h. */
struct job_report {
    int64_t lag_ms;        /* how late messages are read */
    int64_t used_permille; /* of what may be put off */
    bool stalled;          /* nothing could be stored for some seconds */
    char why[128];         /* of that */
};

struct message;

struct job {
    struct loop *loop;
    struct rpc *rpc;
    const struct job_config *config;
    _Atomic int64_t *counters;
    char id[64]; /* of our lease: what batches carry */
    struct user_order *hold;
    struct comet_peers *comets;
    struct handover *settle;
    struct partition *partitions; /* those assigned: partition_init() to partition_free() */
    /* Of all partitions. What is to be stored has a window of its own, so that storing, which can
     * be slow or stand still, does not hold up delivering. */
    struct job_window delivering, storing;
    size_t parked;        /* read again later: reread.h */
    bool full;            /* nothing is consumed until there is room again */
    bool short_of_memory; /* the windows are small */
    bool refill;          /* storing has become half empty, and AGAIN was not told yet */
    struct job_report report;
    uint64_t looks;    /* of lag_report.c */
    bool comets_known; /* the list of comets has been read once */
    bool closing;
    int64_t session_ms;   /* bus.session_timeout, or the least that the brokers allow */
    uint64_t fence_heard; /* the highest that comets say they have heard, job/partition_fence.h */
    /* Told once when there is room again, and whenever nothing is unresolved any more. */
    void (*room)(struct job *job, void *arg);
    /* Parked messages may be read. */
    void (*again)(struct job *job, void *arg);
    void (*idle)(struct job *job, void *arg);
    void *arg;
    /* Storing stands still, or goes on again. May be NULL. */
    void (*stalled)(bool stalled, const char *why, void *arg);
    void (*logics_told)(void *arg); /* one answers, or does no more */
    void *daemon_arg;
};

/* Opens the parts between the bus and the peers. Borrows all of what it gets. */
void job_open(struct job *job, struct loop *loop, struct rpc *rpc, const struct job_config *config,
              _Atomic int64_t *counters);
/* Every partition must have been forgotten before. */
void job_close(struct job *job);
/* TASK became unresolved / was resolved, parked or forgotten. */
void job_charge(struct job *job, const struct message *message);
void job_discharge(struct job *job, const struct message *message);
/* While memory is short the windows are a sixteenth of what they are else. */
void job_memory(struct job *job, bool is_short);
/* From delivering to storing, unless it is there already. What has been out for delivery finds a
 * place there in any case. */
void job_charge_storing(struct job *job, struct message *message);
/* What is known of a message's user when it comes. */
enum job_whereabouts {
    JOB_USER_AWAY,    /* nobody was there */
    JOB_USER_UNKNOWN, /* no router had an answer in time: he may be there */
    JOB_USER_THERE,   /* his session is gone meanwhile: perhaps he is only moving */
};
/* May a new message wait to be stored? Each of these has a share of the window to itself, so that
 * those who may be there do not wait behind those who are away. */
bool job_may_store(const struct job *job, enum job_whereabouts user);
/* May a parked message come back? */
bool job_may_return(const struct job *job);
/* By N messages, perhaps negative. */
void job_parked(struct job *job, int n);
static inline size_t job_unresolved(const struct job *job)
{
    return job->delivering.count + job->storing.count;
}
void job_scrape(struct job *job);

static inline void job_count(struct job *job, enum job_metric id)
{
    metric_add(job->counters, id, 1);
}

#endif
