/* metrics.h - what job counts, all in the main loop's block. */
#ifndef IMC_JOB_BASE_METRICS_H
#define IMC_JOB_BASE_METRICS_H

#include "common/base/metrics.h"
#include "common/trace/tracer.h"

/* As common/base/metrics.h has it; rows of one name stand together. */
#define JOB_METRICS(X, H)                                                                          \
    X(CONSUMED, "imc_job_consumed_total", NULL, METRIC_COUNTER, "Messages taken from the bus.")    \
    X(DELIVERED_UID, "imc_job_delivered_total", "kind=\"uid\"", METRIC_COUNTER,                    \
      "Messages that comets took (room and all: that every comet it went to answered).")           \
    X(DELIVERED_ROOM, "imc_job_delivered_total", "kind=\"room\"", METRIC_COUNTER, "")              \
    X(DELIVERED_ALL, "imc_job_delivered_total", "kind=\"all\"", METRIC_COUNTER, "")                \
    X(GONE, "imc_job_gone_total", NULL, METRIC_COUNTER,                                            \
      "uid messages that no hinted session took; they are settled.")                               \
    X(SETTLED, "imc_job_settled_total", NULL, METRIC_COUNTER,                                      \
      "Messages that logic put into a mailbox.")                                                   \
    X(SETTLE_UNKNOWN, "imc_job_settle_retries_total", "why=\"unknown\"", METRIC_COUNTER,           \
      "Settles repeated: where the user is was not known, storing failed, or an earlier message "  \
      "waits.")                                                                                    \
    X(SETTLE_FAILED, "imc_job_settle_retries_total", "why=\"failed\"", METRIC_COUNTER, "")         \
    X(SETTLE_ORDER, "imc_job_settle_retries_total", "why=\"order\"", METRIC_COUNTER, "")           \
    X(DIVERTED, "imc_job_diverted_total", NULL, METRIC_COUNTER,                                    \
      "Messages that could not be stored, and went to sessions that had come meanwhile.")          \
    X(PARKED_ALL, "imc_job_parked_total", NULL, METRIC_COUNTER,                                    \
      "Messages put off: they have to be stored, settle.window was full, and they are read from "  \
      "the bus again later.")                                                                      \
    X(PARKED_LOST, "imc_job_parked_lost_total", NULL, METRIC_COUNTER,                              \
      "Messages put off that the bus did not have any more, or another one in their place.")       \
    X(UNPOKED, "imc_job_unpoked_total", NULL, METRIC_COUNTER,                                      \
      "Sessions not told of a stored message: their comet was not among the live ones within "     \
      "settle.patience.")                                                                          \
    X(POKED, "imc_job_poked_total", NULL, METRIC_COUNTER,                                          \
      "Pokes sent: sessions told to read their mailbox.")                                          \
    X(HELD, "imc_job_held_total", NULL, METRIC_COUNTER,                                            \
      "Messages that had to wait for an earlier one of the same user.")                            \
    X(RESENT, "imc_job_resent_total", NULL, METRIC_COUNTER, "Items sent again on a new stream.")   \
    X(ROOM_ITEMS_SENT, "imc_job_room_items_total", "what=\"sent\"", METRIC_COUNTER,                \
      "Items of messages to rooms, per comet; left_out: the comet has no member of the room.")     \
    X(ROOM_ITEMS_LEFT_OUT, "imc_job_room_items_total", "what=\"left_out\"", METRIC_COUNTER, "")    \
    X(ROOM_NEWS_REFUSED, "imc_job_room_news_refused_total", NULL, METRIC_COUNTER,                  \
      "Times that a comet's rooms could not be known: more than comet.rooms, or news that fit "    \
      "nothing. It gets every message to a room.")                                                 \
    X(ROOM_GRANTS, "imc_job_room_grants", NULL, METRIC_GAUGE,                                      \
      "Comets for which messages to rooms without members there may be left out at present.")      \
    X(ROOMS_KNOWN, "imc_job_rooms_known", NULL, METRIC_GAUGE,                                      \
      "Rooms with members that comets have told of, summed over comets.")                          \
    X(KEPT, "imc_job_room_items_kept_total", NULL, METRIC_COUNTER,                                 \
      "Room and all items kept for a comet that was taken for dead, in case it comes back.")       \
    X(KEPT_DROPPED, "imc_job_room_items_dropped_total", NULL, METRIC_COUNTER,                      \
      "Room and all items not kept (any longer) for a comet that was taken for dead: comet.hold "  \
      "or comet.hold_bytes was over. If it comes back, its sessions are told.")                    \
    X(KEPT_BYTES, "imc_job_room_items_kept_bytes", NULL, METRIC_GAUGE,                             \
      "Bytes kept for comets that were taken for dead.")                                           \
    X(REFUSED, "imc_job_refused_total", NULL, METRIC_COUNTER,                                      \
      "Items refused: another job owns the partition.")                                            \
    X(LATE, "imc_job_late_total", NULL, METRIC_COUNTER,                                            \
      "Results that came after their batch's answer.")                                             \
    X(MALFORMED, "imc_job_malformed_total", "what=\"envelope\"", METRIC_COUNTER,                   \
      "Skipped: messages of the bus that are no valid envelope, answers that fit no batch.")       \
    X(MALFORMED_ANSWER, "imc_job_malformed_total", "what=\"answer\"", METRIC_COUNTER, "")          \
    X(KEYS, "imc_job_keys_unsupported_total", NULL, METRIC_COUNTER,                                \
      "Skipped: goim's pushes by key to one of our own comets, which only goim's logic makes.")    \
    X(FOREIGN, "imc_job_foreign_total", NULL, METRIC_COUNTER,                                      \
      "Skipped: pushes for a goim comet, which goim's job delivers (goim.comets in logic.ini).")   \
    X(DROPPED, "imc_job_forgotten_total", NULL, METRIC_COUNTER,                                    \
      "Unresolved messages forgotten because their partition went to another job, which replays "  \
      "them.")                                                                                     \
    X(LOG_RESTARTS, "imc_job_log_restarts_total", NULL, METRIC_COUNTER,                            \
      "Partitions whose log is another one than before (data lost, topic made anew): read from "   \
      "its beginning.")                                                                            \
    X(BUS_ERRORS, "imc_job_bus_errors_total", NULL, METRIC_COUNTER,                                \
      "Errors that the Kafka client reported.")                                                    \
    X(CONSUMER_RESTARTS, "imc_job_consumer_restarts_total", NULL, METRIC_COUNTER,                  \
      "Kafka consumers that failed for good and were opened anew.")                                \
    X(UNRESOLVED, "imc_job_unresolved", NULL, METRIC_GAUGE,                                        \
      "Messages consumed and not yet resolved.")                                                   \
    X(UNRESOLVED_BYTES, "imc_job_unresolved_bytes", NULL, METRIC_GAUGE, "Their memory.")           \
    X(SETTLING, "imc_job_settling", NULL, METRIC_GAUGE,                                            \
      "Those of them that are, or wait to be, stored.")                                            \
    X(SETTLING_BYTES, "imc_job_settling_bytes", NULL, METRIC_GAUGE, "Their memory.")               \
    X(PARKED, "imc_job_parked_messages", NULL, METRIC_GAUGE,                                       \
      "Messages put off, at most settle.parked: not among the unresolved ones.")                   \
    X(BACKLOG_USED, "imc_job_backlog_ratio", NULL, METRIC_GAUGE_MILLI,                             \
      "How much of what may be put off is used: of settle.parked, or of the offsets that a "       \
      "partition may be read ahead. At 1 nothing is read: look why nothing is stored, or not "     \
      "fast enough (imc_job_settle_retries_total, Redis, logics).")                                \
    X(LAG_MS, "imc_job_lag_seconds", NULL, METRIC_GAUGE_MILLI,                                     \
      "How late messages are read, in the partition furthest behind: their age when they were, "   \
      "or for how long they have waited; the most of the last half second. It grows: add jobs, "   \
      "or look at what they wait for: imc_rpc_batch_seconds, imc_job_unresolved, "                 \
      "imc_job_backlog_ratio.")                                                                    \
    X(STORING_IDLE_MS, "imc_job_storing_idle_seconds", NULL, METRIC_GAUGE_MILLI,                   \
      "For how long nothing could be stored although something waits for it.")                     \
    X(STORING_STALLED, "imc_job_storing_stalled", NULL, METRIC_GAUGE,                              \
      "1: messages have to be stored, and none could be for some seconds: look at Redis and at "   \
      "the logics.")                                                                               \
    X(EVENTS_READ, "imc_job_events_records_total", NULL, METRIC_COUNTER,                           \
      "Records read of the log of sessions.")                                                      \
    X(EVENTS_CONNECTED, "imc_job_events_total", "type=\"connected\"", METRIC_COUNTER,              \
      "Session events for the business, those that come twice too.")                               \
    X(EVENTS_DISCONNECTED, "imc_job_events_total", "type=\"disconnected\"", METRIC_COUNTER, "")    \
    X(EVENTS_JOINED, "imc_job_events_total", "type=\"joined\"", METRIC_COUNTER, "")                \
    X(EVENTS_LEFT, "imc_job_events_total", "type=\"left\"", METRIC_COUNTER, "")                    \
    X(EVENTS_STORED, "imc_job_events_total", "type=\"stored\"", METRIC_COUNTER, "")                \
    X(EVENTS_DELIVERED, "imc_job_events_total", "type=\"delivered\"", METRIC_COUNTER, "")          \
    X(EVENTS_ACKNOWLEDGED, "imc_job_events_total", "type=\"acknowledged\"", METRIC_COUNTER, "")    \
    X(EVENTS_EXPIRED, "imc_job_events_total", "type=\"expired\"", METRIC_COUNTER, "")              \
    X(EVENTS_FACTS, "imc_job_events_facts_waiting", NULL, METRIC_GAUGE,                            \
      "Messages that are over, of which events.log is to say so before their offsets are "         \
      "committed.")                                                                                \
    X(EVENTS_REPLACED, "imc_job_events_replaced_total", NULL, METRIC_COUNTER,                      \
      "Ends of sessions that are not told, because the uid came back within events.debounce.")     \
    X(EVENTS_LOST, "imc_job_events_lost_total", NULL, METRIC_COUNTER,                              \
      "Sessions that ended with their comet: their ends were written for it.")                     \
    X(EVENTS_REPEATED, "imc_job_events_skipped_total", "why=\"repeated\"", METRIC_COUNTER,         \
      "Records that told nothing new. repeated: said twice; late: a session was opened after its " \
      "end; malformed: not a record of a session; large: events.topic takes no such message.")     \
    X(EVENTS_LATE, "imc_job_events_skipped_total", "why=\"late\"", METRIC_COUNTER, "")             \
    X(EVENTS_MALFORMED, "imc_job_events_skipped_total", "why=\"malformed\"", METRIC_COUNTER, "")   \
    X(EVENTS_LARGE, "imc_job_events_skipped_total", "why=\"large\"", METRIC_COUNTER, "")           \
    X(EVENTS_FAILED, "imc_job_events_failed_total", NULL, METRIC_COUNTER,                          \
      "Messages to events.topic and events.log that were not confirmed: they are sent again.")     \
    X(EVENTS_RESTARTS, "imc_job_events_restarts_total", NULL, METRIC_COUNTER,                      \
      "Producers to events.topic and events.log that were replaced for that.")                     \
    X(EVENTS_PARTITIONS, "imc_job_events_partitions", NULL, METRIC_GAUGE,                          \
      "Partitions of events.log assigned.")                                                        \
    X(EVENTS_UNOWNED, "imc_job_events_unowned", NULL, METRIC_GAUGE,                                \
      "Those that no job had when this one asked Kafka last: as imc_job_partitions_unowned.")      \
    X(EVENTS_READING, "imc_job_events_reading", NULL, METRIC_GAUGE,                                \
      "Those of which this job has not come to the end yet; until then it ends no session there "  \
      "whose comet is dead. Above 0 for minutes: is Kafka slow, or the log very long?")            \
    X(EVENTS_ENDING, "imc_job_events_ending", NULL, METRIC_GAUGE,                                  \
      "Ends of sessions that this job has written, of dead comets or due, and not read in the "    \
      "log yet. Above 0 for minutes: does Kafka take what is written, and tell it?")               \
    X(EVENTS_OPEN, "imc_job_events_open", NULL, METRIC_GAUGE,                                      \
      "Open sessions in those partitions.")                                                        \
    X(EVENTS_REMEMBERED, "imc_job_events_remembered", NULL, METRIC_GAUGE,                          \
      "Sessions that ended, and are remembered.")                                                  \
    X(EVENTS_ABSENT, "imc_job_events_absent", NULL, METRIC_GAUGE,                                  \
      "Sessions whose ends wait for events.debounce.")                                             \
    X(EVENTS_WAITING, "imc_job_events_waiting", NULL, METRIC_GAUGE,                                \
      "Events that the business does not have yet.")                                               \
    X(WEBHOOK_POSTED, "imc_job_webhook_posts_total", "result=\"ok\"", METRIC_COUNTER,              \
      "Posts to events.url. ok: answered 2xx; connect: no address that may be used, no "           \
      "connection, TLS; timeout: no answer within events.url_timeout; status: another one; "       \
      "answer: not HTTP. What failed is posted again.")                                            \
    X(WEBHOOK_FAILED_CONNECT, "imc_job_webhook_posts_total", "result=\"connect\"", METRIC_COUNTER, \
      "")                                                                                          \
    X(WEBHOOK_FAILED_TIMEOUT, "imc_job_webhook_posts_total", "result=\"timeout\"", METRIC_COUNTER, \
      "")                                                                                          \
    X(WEBHOOK_FAILED_STATUS, "imc_job_webhook_posts_total", "result=\"status\"", METRIC_COUNTER,   \
      "")                                                                                          \
    X(WEBHOOK_FAILED_ANSWER, "imc_job_webhook_posts_total", "result=\"answer\"", METRIC_COUNTER,   \
      "")                                                                                          \
    X(WEBHOOK_EVENTS, "imc_job_webhook_events_total", NULL, METRIC_COUNTER,                        \
      "Events in posts that were answered 2xx.")                                                   \
    X(WEBHOOK_US, "imc_job_webhook_seconds_total", NULL, METRIC_COUNTER_MICRO,                     \
      "How long posts that were answered have taken, all together.")                               \
    X(WEBHOOK_DISABLED, "imc_job_webhook_disabled", NULL, METRIC_GAUGE,                            \
      "1: events.url answered 410, and nothing is posted until SIGHUP or a restart.")              \
    X(USERS, "imc_job_users_unresolved", NULL, METRIC_GAUGE, "Users with unresolved messages.")    \
    X(PARTITIONS, "imc_job_partitions", NULL, METRIC_GAUGE, "Partitions assigned.")                \
    X(PARTITIONS_UNREAD, "imc_job_partitions_unread", NULL, METRIC_GAUGE,                          \
      "Assigned partitions that are not read: no fence is known yet, or comets refuse ours. Not "  \
      "0 for longer than a minute: look at the way to Redis, and for two jobs with one lease.id.") \
    X(PARTITIONS_UNOWNED, "imc_job_partitions_unowned", NULL, METRIC_GAUGE,                        \
      "Partitions of bus.topic that no job had when this one asked Kafka last. If it sees that "   \
      "twice, it leaves the group and joins again, so that they are dealt out.")                   \
    X(LAG, "imc_job_lag", NULL, METRIC_GAUGE,                                                      \
      "Messages in the assigned partitions behind what is resolved.")                              \
    X(COMETS, "imc_job_comets", NULL, METRIC_GAUGE, "Live comets.")                                \
    X(COMETS_UP, "imc_job_comet_streams_up", NULL, METRIC_GAUGE,                                   \
      "Live comets whose stream is not broken.")                                                   \
    X(LOGICS, "imc_job_logics", NULL, METRIC_GAUGE, "Live logics.")                                \
    TRACER_METRICS(X)

enum job_metric {
#define X(id, ...) JOB_##id,
#define H(id, ...) JOB_##id, JOB_##id##_LAST = JOB_##id + HISTOGRAM_SLOTS - 1,
    JOB_METRICS(X, H)
#undef X
#undef H
        JOB_METRIC_COUNT /* of values in a block */
};

enum { JOB_METRIC_ROWS = 0 JOB_METRICS(METRIC_ONE, METRIC_ONE) };
extern const struct metric_row job_metric_rows[JOB_METRIC_ROWS];

#endif
