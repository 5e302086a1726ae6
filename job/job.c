#include "job/job.h"
#include "job/comets.h"
#include "job/dispatch.h"
#include "job/mailbox_handover.h"
#include "job/message.h"

#include <assert.h>

#define ROW_(type, section, key, field, init, min, max, doc)                        \
    {                                                                               \
        section, key, type, offsetof(struct job_config, field), init, min, max, doc \
    }

const struct config_row job_config_rows[] = {
    ROW_(CONFIG_LIST, "bus", "brokers", bus_brokers, "127.0.0.1:9092", 0, 0,
         "Kafka brokers to begin with, host:port each."),
    ROW_(CONFIG_STRING, "bus", "topic", bus_topic, "imc-push", 0, 0,
         "The topic that logic produces to."),
    ROW_(CONFIG_INT, "bus", "partitions", bus_partitions, "8", 1, 10000,
         "Partitions of the topic if it has to be created: the most jobs that can share the work."),
    ROW_(CONFIG_INT, "bus", "replication", bus_replication, "1", 1, 15,
         "Copies of each partition if the topic has to be created; 3 in production."),
    ROW_(CONFIG_STRING, "bus", "group", bus_group, "imc-job", 0, 0,
         "Consumer group; all jobs of a cluster share it."),
    ROW_(CONFIG_STRING, "bus", "options", bus_options, "", 0, 0,
         "Further properties for librdkafka, name=value,name=value."),
    ROW_(CONFIG_DURATION, "bus", "fetch_wait", fetch_wait_ms, "500ms", 1, 10000,
         "How long a broker keeps a fetch for which it has nothing yet. It answers at once when a "
         "message comes; imc-devbus does not: 5ms there."),
    ROW_(CONFIG_DURATION, "bus", "session_timeout", session_ms, "4s", 1000, 300000,
         "A job that is not heard of for this long loses its partitions to the others: how long "
         "users "
         "wait for messages when a job dies and does not come back. Brokers refuse less than their "
         "group.min.session.timeout.ms, 6 s by default: then it is 6 s. The shorter, the shorter a "
         "stall of the machine or the network that costs a job its partitions, which are then read "
         "again from the last commit (comets recognise what repeats); heartbeats come eight times "
         "as "
         "often."),
    ROW_(CONFIG_INT, "job", "window", window, "50000", 1, 1000000,
         "Messages consumed and not yet taken by comets; beyond, the rest waits in Kafka."),
    ROW_(CONFIG_BYTES, "job", "window_bytes", window_bytes, "64m", 65536, 0x100000000,
         "The same in bytes."),
    ROW_(CONFIG_BYTES, "job", "max_message", max_message, "1m", 1024, 2097152,
         "Messages of the bus with a larger body are skipped."),
    ROW_(CONFIG_INT, "comet", "window", comet_window, "4", 1, 64, "Batches in flight to a comet."),
    ROW_(CONFIG_INT, "comet", "items", comet_items, "1024", 1, 65536, "Items in a batch at most."),
    ROW_(CONFIG_BYTES, "comet", "bytes", comet_bytes, "512k", 1024, 1048576,
         "Bytes after which a batch is full."),
    ROW_(CONFIG_DURATION, "comet", "timeout", comet_timeout_ms, "10s", 100, 600000,
         "A batch unanswered for this long breaks the stream; what it held is sent again."),
    ROW_(CONFIG_DURATION, "comet", "hold", hold_ms, "60s", 0, 3600000,
         "How long messages to rooms and to all are kept for a comet that was taken for dead: it "
         "may only have stood still. 0 = not at all; its sessions are told that they missed some."),
    ROW_(CONFIG_BYTES, "comet", "hold_bytes", hold_bytes, "64m", 0, 0x100000000,
         "What may be kept so, for all comets together; a comet for which there is no room gets "
         "nothing of it."),
    ROW_(CONFIG_INT, "logic", "window", logic_window, "2", 1, 64,
         "Settle batches in flight to a logic."),
    ROW_(CONFIG_INT, "logic", "items", logic_items, "512", 1, 8192,
         "Messages in a settle batch at most."),
    ROW_(CONFIG_BYTES, "logic", "bytes", logic_bytes, "512k", 1024, 1048576,
         "Bytes after which a batch is full."),
    ROW_(CONFIG_DURATION, "logic", "timeout", logic_timeout_ms, "10s", 100, 600000,
         "A settle batch unanswered for this long goes to another logic."),
    ROW_(CONFIG_DURATION, "settle", "retry_first", retry_first_ms, "50ms", 1, 60000,
         "Pause before a settle is repeated; it doubles each time."),
    ROW_(CONFIG_DURATION, "settle", "retry_last", retry_last_ms, "1s", 1, 60000,
         "Longest such pause."),
    ROW_(CONFIG_DURATION, "settle", "patience", patience_ms, "15s", 0, 600000,
         "How long to wait for a comet that holds a session but is not among the live ones, before "
         "the stored message is "
         "left to the user's next connect."),
    ROW_(CONFIG_INT, "settle", "window", settle_window, "16384", 64, 1000000,
         "Messages held in memory that are, or wait to be, stored; beyond, they are put off and "
         "read from Kafka again, and do not hold up what can be delivered."),
    ROW_(CONFIG_BYTES, "settle", "window_bytes", settle_window_bytes, "32m", 65536, 0x100000000,
         "The same in bytes."),
    ROW_(CONFIG_INT, "settle", "parked", settle_parked, "1000000", 1000, 100000000,
         "Messages put off at most, of about 50 bytes each; beyond, nothing is read. Not more "
         "than 200,000 offsets of a partition either: that far comets remember what they had."),
    {0},
};

const struct metric_row job_metric_rows[JOB_METRIC_COUNT] = {
#define X(id, name, labels, type, help) {name, labels, type, help},
    JOB_METRICS(X)
#undef X
};

void job_open(struct job *job, struct loop *loop, struct rpc *rpc, const struct job_config *config,
              int64_t *counters)
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
