/* job.h - the daemon's configuration, metrics and what its parts share. Everything on the main
 * loop.
 *
 *   Kafka ──kafka_consumer──► dispatch ──user_order──► comets ══► comet
 *     ▲                          │ nowhere               │ answers
 *     │ offsets                  ▼                       ▼
 *     └── partition ◄── mailbox_handover, logic_peer ◄─ outcome
 */
#ifndef IMC_JOB_JOB_H
#define IMC_JOB_JOB_H

#include "common/daemon/daemon.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct job_config {
    struct daemon_config daemon; /* first */
    char *bus_brokers, *bus_topic, *bus_group, *bus_options;
    int64_t bus_partitions, bus_replication;
    int64_t fetch_wait_ms, session_ms;
    int64_t window, window_bytes;
    int64_t max_message; /* job.max_message: bytes of a body */
    int64_t comet_window, comet_items, comet_bytes, comet_timeout_ms;
    int64_t hold_ms, hold_bytes; /* comet.hold, comet.hold_bytes */
    int64_t logic_window, logic_items, logic_bytes, logic_timeout_ms;
    int64_t retry_first_ms, retry_last_ms;
    int64_t patience_ms; /* settle.patience */
    int64_t settle_window, settle_window_bytes, settle_parked;
};

/* X(ID, name, labels, type, help); rows of one name stand together. */
#define JOB_METRICS(X)                                                                            \
    X(CONSUMED, "imc_job_consumed_total", NULL, METRIC_COUNTER, "Messages taken from the bus.")   \
    X(DELIVERED_UID, "imc_job_delivered_total", "kind=\"uid\"", METRIC_COUNTER,                   \
      "Messages that comets took (room and all: that every live comet answered).")                \
    X(DELIVERED_ROOM, "imc_job_delivered_total", "kind=\"room\"", METRIC_COUNTER,                 \
      "Messages that comets took (room and all: that every live comet answered).")                \
    X(DELIVERED_ALL, "imc_job_delivered_total", "kind=\"all\"", METRIC_COUNTER,                   \
      "Messages that comets took (room and all: that every live comet answered).")                \
    X(GONE, "imc_job_gone_total", NULL, METRIC_COUNTER,                                           \
      "uid messages that no hinted session took; they are settled.")                              \
    X(SETTLED, "imc_job_settled_total", NULL, METRIC_COUNTER,                                     \
      "Messages that logic put into a mailbox.")                                                  \
    X(SETTLE_UNKNOWN, "imc_job_settle_retries_total", "why=\"unknown\"", METRIC_COUNTER,          \
      "Settles repeated: where the user is was not known, storing failed, or an earlier message " \
      "waits.")                                                                                   \
    X(SETTLE_FAILED, "imc_job_settle_retries_total", "why=\"failed\"", METRIC_COUNTER,            \
      "Settles repeated: where the user is was not known, storing failed, or an earlier message " \
      "waits.")                                                                                   \
    X(SETTLE_ORDER, "imc_job_settle_retries_total", "why=\"order\"", METRIC_COUNTER,              \
      "Settles repeated: where the user is was not known, storing failed, or an earlier message " \
      "waits.")                                                                                   \
    X(DIVERTED, "imc_job_diverted_total", NULL, METRIC_COUNTER,                                   \
      "Messages that could not be stored, and went to sessions that had come meanwhile.")         \
    X(PARKED_ALL, "imc_job_parked_total", NULL, METRIC_COUNTER,                                   \
      "Messages put off: they have to be stored, settle.window was full, and they are read from " \
      "the bus again later.")                                                                     \
    X(PARKED_LOST, "imc_job_parked_lost_total", NULL, METRIC_COUNTER,                             \
      "Messages put off that the bus did not have any more, or another one in their place.")      \
    X(UNPOKED, "imc_job_unpoked_total", NULL, METRIC_COUNTER,                                     \
      "Sessions not told of a stored message: their comet was not among the live ones within "    \
      "settle.patience.")                                                                         \
    X(POKED, "imc_job_poked_total", NULL, METRIC_COUNTER,                                         \
      "Pokes sent: sessions told to read their mailbox.")                                         \
    X(HELD, "imc_job_held_total", NULL, METRIC_COUNTER,                                           \
      "Messages that had to wait for an earlier one of the same user.")                           \
    X(RESENT, "imc_job_resent_total", NULL, METRIC_COUNTER, "Items sent again on a new stream.")  \
    X(KEPT, "imc_job_room_items_kept_total", NULL, METRIC_COUNTER,                                \
      "Room and all items kept for a comet that was taken for dead, in case it comes back.")      \
    X(KEPT_DROPPED, "imc_job_room_items_dropped_total", NULL, METRIC_COUNTER,                     \
      "Room and all items not kept (any longer) for a comet that was taken for dead: comet.hold " \
      "or comet.hold_bytes was over. If it comes back, its sessions are told.")                   \
    X(KEPT_BYTES, "imc_job_room_items_kept_bytes", NULL, METRIC_GAUGE,                            \
      "Bytes kept for comets that were taken for dead.")                                          \
    X(REFUSED, "imc_job_refused_total", NULL, METRIC_COUNTER,                                     \
      "Items refused: another job owns the partition.")                                           \
    X(LATE, "imc_job_late_total", NULL, METRIC_COUNTER,                                           \
      "Results that came after their batch's answer.")                                            \
    X(MALFORMED, "imc_job_malformed_total", "what=\"envelope\"", METRIC_COUNTER,                  \
      "Skipped: messages of the bus that are no valid envelope, answers that fit no batch.")      \
    X(MALFORMED_ANSWER, "imc_job_malformed_total", "what=\"answer\"", METRIC_COUNTER,             \
      "Skipped: messages of the bus that are no valid envelope, answers that fit no batch.")      \
    X(KEYS, "imc_job_keys_unsupported_total", NULL, METRIC_COUNTER,                               \
      "Skipped: goim's pushes by key, not built yet.")                                            \
    X(DROPPED, "imc_job_forgotten_total", NULL, METRIC_COUNTER,                                   \
      "Unresolved messages forgotten because their partition went to another job, which replays " \
      "them.")                                                                                    \
    X(LOG_RESTARTS, "imc_job_log_restarts_total", NULL, METRIC_COUNTER,                           \
      "Partitions whose log is another one than before (data lost, topic made anew): read from "  \
      "its beginning.")                                                                           \
    X(BUS_ERRORS, "imc_job_bus_errors_total", NULL, METRIC_COUNTER,                               \
      "Errors that the Kafka client reported.")                                                   \
    X(CONSUMER_RESTARTS, "imc_job_consumer_restarts_total", NULL, METRIC_COUNTER,                 \
      "Kafka consumers that failed for good and were opened anew.")                               \
    X(UNRESOLVED, "imc_job_unresolved", NULL, METRIC_GAUGE,                                       \
      "Messages consumed and not yet resolved.")                                                  \
    X(UNRESOLVED_BYTES, "imc_job_unresolved_bytes", NULL, METRIC_GAUGE, "Their memory.")          \
    X(SETTLING, "imc_job_settling", NULL, METRIC_GAUGE,                                           \
      "Those of them that are, or wait to be, stored.")                                           \
    X(SETTLING_BYTES, "imc_job_settling_bytes", NULL, METRIC_GAUGE, "Their memory.")              \
    X(PARKED, "imc_job_parked", NULL, METRIC_GAUGE,                                               \
      "Messages put off, at most settle.parked: not among the unresolved ones.")                  \
    X(BACKLOG_USED, "imc_job_backlog_permille", NULL, METRIC_GAUGE,                               \
      "How much of what may be put off is used: of settle.parked, or of the offsets that a "      \
      "partition may be read ahead. At 1000 nothing is read.")                                    \
    X(LAG_MS, "imc_job_lag_milliseconds", NULL, METRIC_GAUGE,                                     \
      "How late messages are read, in the partition furthest behind: their age when they were, "  \
      "or for how long they have waited; the most of the last half second.")                      \
    X(STORING_IDLE_MS, "imc_job_storing_idle_milliseconds", NULL, METRIC_GAUGE,                   \
      "For how long nothing could be stored although something waits for it.")                    \
    X(STORING_STALLED, "imc_job_storing_stalled", NULL, METRIC_GAUGE,                             \
      "1: messages have to be stored, and none could be for some seconds.")                       \
    X(USERS, "imc_job_users_unresolved", NULL, METRIC_GAUGE, "Users with unresolved messages.")   \
    X(PARTITIONS, "imc_job_partitions", NULL, METRIC_GAUGE, "Partitions assigned.")               \
    X(PARTITIONS_UNREAD, "imc_job_partitions_unread", NULL, METRIC_GAUGE,                         \
      "Assigned partitions that are not read: no fence is known yet, or comets refuse ours.")     \
    X(LAG, "imc_job_lag", NULL, METRIC_GAUGE,                                                     \
      "Messages in the assigned partitions behind what is resolved.")                             \
    X(COMETS, "imc_job_comets", NULL, METRIC_GAUGE, "Live comets.")                               \
    X(COMETS_UP, "imc_job_comet_streams_up", NULL, METRIC_GAUGE,                                  \
      "Live comets whose stream is not broken.")                                                  \
    X(LOGICS, "imc_job_logics", NULL, METRIC_GAUGE, "Live logics.")

enum job_metric {
#define X(id, name, labels, type, help) JOB_##id,
    JOB_METRICS(X)
#undef X
        JOB_METRIC_COUNT
};

extern const struct config_row job_config_rows[];
extern const struct metric_row job_metric_rows[];

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
    int64_t *counters;
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
              int64_t *counters);
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
