#include "job/job.h"
#include "job/comets.h"
#include "job/dispatch.h"
#include "job/mailbox_handover.h"
#include "job/message.h"

#include <assert.h>

void job_open(struct job *job, struct loop *loop, struct rpc *rpc, const struct job_config *config,
              _Atomic int64_t *counters)
{
    *job = (struct job){.loop = loop,
                        .rpc = rpc,
                        .config = config,
                        .counters = counters,
                        .session_ms = config->session_ms};
    job->hold = user_order_open(&dispatch_hold_ops, job);
    job->comets = comets_open(job);
    job->settle = handover_open(job);
}

void job_close(struct job *job)
{
    assert(job_unresolved(job) == 0 && job->parked == 0);
    handover_close(job->settle);
    comets_close(job->comets);
    user_order_close(job->hold);
}

/* --- windows --- */

enum {
    STORING_MOST = 4, /* windows: what was out for delivery, and has to be stored after all */
    /* Of each window, while memory is short. Not none of it: what the Kafka client has read ahead
     * is given back only when it is taken, and what is parked only when it is read again. If these
     * are what fills the memory, nothing else would ever end that. */
    SHORT_PART = 16,
};

static void window_add(struct job_window *window, const struct message *message)
{
    window->count++;
    window->bytes += message->size;
}

static void window_sub(struct job_window *window, const struct message *message)
{
    window->count--;
    window->bytes -= message->size;
}

static bool window_is_below(const struct job *job, const struct job_window *window,
                            const struct job_window *share)
{
    size_t part = job->short_of_memory ? SHORT_PART : 1;

    /* At least one message may be under way. */
    return window->count < (share->count + part - 1) / part &&
           window->bytes < (share->bytes + part - 1) / part;
}

static bool storing_is_below(const struct job *job, size_t num, size_t den)
{
    const struct job_window share = {(size_t)job->config->settle_window * num / den,
                                     (size_t)job->config->settle_window_bytes * num / den};

    return window_is_below(job, &job->storing, &share);
}

/* Is NUM / DEN of what bounds reading not reached? */
static bool job_is_below(const struct job *job, size_t num, size_t den)
{
    const struct job_window share = {(size_t)job->config->window * num / den,
                                     (size_t)job->config->window_bytes * num / den};

    return window_is_below(job, &job->delivering, &share) &&
           storing_is_below(job, STORING_MOST * num, den);
}

static void job_fill(struct job *job)
{
    job->full |= !job_is_below(job, 1, 1) || job->parked >= (size_t)job->config->settle_parked;
    job->refill |= !storing_is_below(job, 1, 2);
}

static void job_drain(struct job *job)
{
    size_t parked = (size_t)job->config->settle_parked;

    if (job->full && job_is_below(job, 3, 4) && job->parked < parked - parked / 64) {
        job->full = false;
        if (job->room != NULL)
            job->room(job, job->arg);
    }
    if (job->refill && job_may_return(job)) {
        job->refill = false;
        if (job->again != NULL)
            job->again(job, job->arg);
    }
}

void job_memory(struct job *job, bool is_short)
{
    job->short_of_memory = is_short;
    job_fill(job);
    job_drain(job);
}

void job_charge(struct job *job, const struct message *message)
{
    window_add(message->storing ? &job->storing : &job->delivering, message);
    job_fill(job);
}

void job_discharge(struct job *job, const struct message *message)
{
    window_sub(message->storing ? &job->storing : &job->delivering, message);
    job_drain(job);
    if (job_unresolved(job) == 0 && job->idle != NULL)
        job->idle(job, job->arg);
}

void job_charge_storing(struct job *job, struct message *message)
{
    if (message->storing)
        return;
    window_sub(&job->delivering, message);
    window_add(&job->storing, message);
    message->storing = true;
    job_fill(job);
    job_drain(job);
}

bool job_may_store(const struct job *job, enum job_whereabouts user)
{
    switch (user) {
    case JOB_USER_THERE:
        return storing_is_below(job, 1, 1);
    case JOB_USER_UNKNOWN:
        return storing_is_below(job, 7, 8);
    default: /* in the order they came */
        return job->parked == 0 && storing_is_below(job, 3, 4);
    }
}

bool job_may_return(const struct job *job)
{
    return !job->closing && storing_is_below(job, 1, 2);
}

void job_parked(struct job *job, int n)
{
    job->parked += (size_t)n;
    if (n > 0)
        job_fill(job);
    else
        job_drain(job);
}

void job_scrape(struct job *job)
{
    metric_set(job->counters, JOB_UNRESOLVED, (int64_t)job_unresolved(job));
    metric_set(job->counters, JOB_UNRESOLVED_BYTES,
               (int64_t)(job->delivering.bytes + job->storing.bytes));
    metric_set(job->counters, JOB_SETTLING, (int64_t)job->storing.count);
    metric_set(job->counters, JOB_SETTLING_BYTES, (int64_t)job->storing.bytes);
    metric_set(job->counters, JOB_PARKED, (int64_t)job->parked);
    metric_set(job->counters, JOB_USERS, (int64_t)user_order_users(job->hold));
    metric_set(job->counters, JOB_COMETS, (int64_t)comets_count(job->comets));
    metric_set(job->counters, JOB_COMETS_UP, (int64_t)comets_up(job->comets));
    metric_set(job->counters, JOB_KEPT_BYTES, (int64_t)comets_kept_bytes(job->comets));
    metric_set(job->counters, JOB_LOGICS, (int64_t)handover_logics(job->settle));
}
