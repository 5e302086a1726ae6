/* metrics.h - what comet counts. Each loop has a block of its own, and so has the thread of gRPC.
 */
#ifndef IMC_COMET_BASE_METRICS_H
#define IMC_COMET_BASE_METRICS_H

#include "common/base/metrics.h"
#include "common/trace/tracer.h"

/* As common/base/metrics.h has it; rows of one name stand together. */
#define COMET_METRICS(X, H)                                                                        \
    X(CONNECTIONS, "imc_comet_connections", NULL, METRIC_GAUGE,                                    \
      "Open client connections in any state.")                                                     \
    X(SESSIONS, "imc_comet_sessions", NULL, METRIC_GAUGE, "Authenticated sessions.")               \
    X(ACCEPTED_TCP, "imc_comet_accepted_total", "listener=\"tcp\"", METRIC_COUNTER,                \
      "Connections accepted.")                                                                     \
    X(ACCEPTED_WS, "imc_comet_accepted_total", "listener=\"ws\"", METRIC_COUNTER, "")              \
    X(ACCEPTED_TCPS, "imc_comet_accepted_total", "listener=\"tcps\"", METRIC_COUNTER, "")          \
    X(ACCEPTED_WSS, "imc_comet_accepted_total", "listener=\"wss\"", METRIC_COUNTER, "")            \
    X(TLS_PLAIN, "imc_comet_tls_plain_total", NULL, METRIC_COUNTER,                                \
      "Connections to a TLS port whose client did not speak TLS.")                                 \
    X(TLS_PUT_OFF, "imc_comet_tls_put_off_total", NULL, METRIC_COUNTER,                            \
      "Times that a TLS port stopped accepting because conn.handshakes were under way.")           \
    X(TLS_DAEMON, "imc_comet_tls_connections", "sealed_by=\"daemon\"", METRIC_GAUGE,               \
      "Open TLS connections, by who encrypts what is sent: comet itself, or Linux (tls.kernel).")  \
    X(TLS_KERNEL, "imc_comet_tls_connections", "sealed_by=\"kernel\"", METRIC_GAUGE, "")           \
    X(REFUSED_FULL, "imc_comet_refused_total", "reason=\"full\"", METRIC_COUNTER,                  \
      "Connections closed right after accept. full: conn.max or the file limit is reached; "       \
      "memory: memory.limit nearly is; address, rate: conn.per_address or conn.rate_per_address, " \
      "status 429 too; proxy: not from proxy.trusted; header: no PROXY header.")                   \
    X(REFUSED_MEMORY, "imc_comet_refused_total", "reason=\"memory\"", METRIC_COUNTER, "")          \
    X(REFUSED_ADDRESS, "imc_comet_refused_total", "reason=\"address\"", METRIC_COUNTER, "")        \
    X(REFUSED_RATE, "imc_comet_refused_total", "reason=\"rate\"", METRIC_COUNTER, "")              \
    X(REFUSED_PROXY, "imc_comet_refused_total", "reason=\"proxy\"", METRIC_COUNTER, "")            \
    X(REFUSED_HEADER, "imc_comet_refused_total", "reason=\"header\"", METRIC_COUNTER, "")          \
    X(ADDRESSES, "imc_comet_addresses", NULL, METRIC_GAUGE,                                        \
      "Client addresses that are remembered: those with connections, and those without that came " \
      "a short time ago.")                                                                         \
    X(CROWDED, "imc_comet_accept_pauses_total", NULL, METRIC_COUNTER,                              \
      "Times that a loop accepted nobody for some milliseconds, because logic.connects clients "   \
      "waited to be admitted beside those that were being admitted.")                              \
    X(LET_GO_SLOW, "imc_comet_let_go_total", "what=\"reader\"", METRIC_COUNTER,                    \
      "Connections closed because memory was nearly used up: slowest readers, oldest strangers.")  \
    X(LET_GO_STRANGER, "imc_comet_let_go_total", "what=\"stranger\"", METRIC_COUNTER, "")          \
    X(JOB_STREAMS, "imc_comet_job_streams", NULL, METRIC_GAUGE,                                    \
      "Open streams of jobs, which bring what is pushed.")                                         \
    X(WRITES, "imc_comet_writes_total", NULL, METRIC_COUNTER, "Successful send() calls.")          \
    X(WRITE_BYTES, "imc_comet_write_bytes_total", NULL, METRIC_COUNTER, "Bytes the kernel took.")  \
    X(DELIVERIES_UID, "imc_comet_deliveries_total", "kind=\"uid\"", METRIC_COUNTER,                \
      "Messages written to a session.")                                                            \
    X(DELIVERIES_ROOM, "imc_comet_deliveries_total", "kind=\"room\"", METRIC_COUNTER, "")          \
    X(DELIVERIES_ALL, "imc_comet_deliveries_total", "kind=\"all\"", METRIC_COUNTER, "")            \
    X(DELIVERIES_KEY, "imc_comet_deliveries_total", "kind=\"key\"", METRIC_COUNTER, "")            \
    X(DELIVERIES_WAITING, "imc_comet_deliveries_total", "kind=\"waiting\"", METRIC_COUNTER, "")    \
    H(DELIVERY_UID, "imc_delivery_seconds", "kind=\"uid\",until=\"written\"", LE_500US, LE_100S,   \
      "From the acceptance of a message (logic is about to give it to Kafka) until the kernel "    \
      "has it for a session (written), or a session that acknowledges has said so "                \
      "(acknowledged). waiting: from a mailbox, so mostly the time that its user was away. If "    \
      "uid and room grow, follow the way of a message: imc_bus_produce_seconds, "                  \
      "imc_job_lag_seconds, imc_rpc_batch_seconds, imc_loop_lag_seconds; if room alone, "          \
      "imc_comet_walk_seconds. Not goim's calls. Clocks are compared with Redis's.")               \
    H(DELIVERY_ROOM, "imc_delivery_seconds", "kind=\"room\",until=\"written\"", LE_500US, LE_100S, \
      "")                                                                                          \
    H(DELIVERY_ALL, "imc_delivery_seconds", "kind=\"all\",until=\"written\"", LE_500US, LE_100S,   \
      "")                                                                                          \
    H(DELIVERY_WAITING, "imc_delivery_seconds", "kind=\"waiting\",until=\"written\"", LE_500US,    \
      LE_100S, "")                                                                                 \
    H(ACKED_UID, "imc_delivery_seconds", "kind=\"uid\",until=\"acknowledged\"", LE_500US, LE_100S, \
      "")                                                                                          \
    H(ACKED_WAITING, "imc_delivery_seconds", "kind=\"waiting\",until=\"acknowledged\"", LE_500US,  \
      LE_100S, "")                                                                                 \
    X(WALKS, "imc_comet_walks_total", NULL, METRIC_COUNTER, "Room and broadcast walks begun.")     \
    H(WALK_ROOM, "imc_comet_walk_seconds", "to=\"room\"", LE_100US, LE_25S,                        \
      "How long a walk over the members of a room, or over everybody, took on a loop. If it "      \
      "grows: rooms are larger, or sockets slower. More loops (comet.workers) or comets divide "   \
      "it; "                                                                                       \
      "fanout.slice bounds a turn of it.")                                                         \
    H(WALK_ALL, "imc_comet_walk_seconds", "to=\"all\"", LE_100US, LE_25S, "")                      \
    X(WALK_WAITS, "imc_comet_walk_waits_total", NULL, METRIC_COUNTER,                              \
      "Times a walk was put off for 5 ms because too many sockets had not taken the one before.")  \
    X(QUEUED_BYTES, "imc_comet_queued_bytes", NULL, METRIC_GAUGE,                                  \
      "Bytes waiting for slow sockets.")                                                           \
    X(ROOMS, "imc_comet_rooms", NULL, METRIC_GAUGE, "Rooms with members, summed over loops.")      \
    X(ROOMS_ANNOUNCED, "imc_comet_rooms_announced", NULL, METRIC_GAUGE,                            \
      "Rooms of which jobs are told that they have members here, or had some within rooms.linger") \
    X(ROOM_GRANTS, "imc_comet_room_grants", NULL, METRIC_GAUGE,                                    \
      "Jobs that may leave out items to other rooms at present; of the others every item comes.")  \
    X(ROOM_GRANTS_REFUSED, "imc_comet_room_grants_refused_total", NULL, METRIC_COUNTER,            \
      "Times that a job got no grant: it was slow to apply news, or too many asked.")              \
    X(JOINS_WAITING, "imc_comet_joins_waiting", NULL, METRIC_GAUGE,                                \
      "Replies to clients that are held until jobs know of the rooms that they have entered.")     \
    X(JOINS_HELD, "imc_comet_joins_held_total", NULL, METRIC_COUNTER, "Replies that were held.")   \
    X(JOINS_HELD_MS, "imc_comet_joins_held_seconds_total", NULL, METRIC_COUNTER_MILLI,             \
      "For how long, summed up.")                                                                  \
    X(JOINS_OUTWAITED, "imc_comet_joins_outwaited_total", NULL, METRIC_COUNTER,                    \
      "Those of them that waited for a job which did not answer, until its grant was over.")       \
    X(ROOMS_REFUSED_SESSION, "imc_comet_rooms_refused_total", "limit=\"session\"", METRIC_COUNTER, \
      "Rooms that a session could not enter: it is in rooms.per_session, or this comet has "       \
      "rooms.max.")                                                                                \
    X(ROOMS_REFUSED_NODE, "imc_comet_rooms_refused_total", "limit=\"node\"", METRIC_COUNTER, "")   \
    X(ORDERED_DONE, "imc_comet_ordered_rooms_total", "result=\"done\"", METRIC_COUNTER,            \
      "Sessions that were to join or leave a room by order of the business: done, or was so "      \
      "before; full: rooms.per_session or rooms.max is reached; undecided: still connecting.")     \
    X(ORDERED_FULL, "imc_comet_ordered_rooms_total", "result=\"full\"", METRIC_COUNTER, "")        \
    X(ORDERED_UNDECIDED, "imc_comet_ordered_rooms_total", "result=\"undecided\"", METRIC_COUNTER,  \
      "")                                                                                          \
    X(ORDERS_WAITING, "imc_comet_room_orders_waiting", NULL, METRIC_GAUGE,                         \
      "Orders to join or leave a room that wait for a session which is still connecting.")         \
    X(QUESTIONS, "imc_comet_questions_total", NULL, METRIC_COUNTER,                                \
      "Questions of logics: what sessions are like, who is in a room.")                            \
    X(QUESTIONS_DROPPED, "imc_comet_questions_dropped_total", NULL, METRIC_COUNTER,                \
      "Those of them that were not answered, because a logic had too many under way.")             \
    X(STRANGER_BYTES, "imc_comet_stranger_bytes", NULL, METRIC_GAUGE,                              \
      "Bytes kept for clients that have not authenticated yet.")                                   \
    X(STRANGERS_BYTES, "imc_comet_strangers_refused_total", "reason=\"bytes\"", METRIC_COUNTER,    \
      "Clients refused before authentication: conn.strangers is reached, or too many pings.")      \
    X(STRANGERS_PINGS, "imc_comet_strangers_refused_total", "reason=\"pings\"", METRIC_COUNTER,    \
      "")                                                                                          \
    X(RATE_FRAMES, "imc_comet_rate_limited_total", "limit=\"frames\"", METRIC_COUNTER,             \
      "Sessions closed (code 10) because they sent more than session.frames_per_second or "        \
      "session.bytes_per_second allow.")                                                           \
    X(RATE_BYTES, "imc_comet_rate_limited_total", "limit=\"bytes\"", METRIC_COUNTER, "")           \
    X(FRAMES_IN, "imc_comet_frames_in_total", NULL, METRIC_COUNTER,                                \
      "Frames received from clients.")                                                             \
    X(UPSTREAM_UNHANDLED, "imc_comet_upstream_unhandled_total", NULL, METRIC_COUNTER,              \
      "Frames of operation 4, or of an operation unknown to us, answered without a business to "   \
      "hand them to.")                                                                             \
    X(UPSTREAM_TAKEN, "imc_comet_upstream_total", "result=\"taken\"", METRIC_COUNTER,              \
      "Frames for the business. taken: it has them, or Kafka for it; dropped: given up after "     \
      "upstream.timeout, or because they are refused: the client was told, if it was there.")      \
    X(UPSTREAM_DROPPED, "imc_comet_upstream_total", "result=\"dropped\"", METRIC_COUNTER, "")      \
    X(UPSTREAM_WAITING, "imc_comet_upstream_waiting", NULL, METRIC_GAUGE,                          \
      "Frames for the business without an answer.")                                                \
    X(UPSTREAM_BYTES, "imc_comet_upstream_waiting_bytes", NULL, METRIC_GAUGE, "Bytes of those.")   \
    X(UPSTREAM_HELD, "imc_comet_upstream_held", NULL, METRIC_GAUGE,                                \
      "Sessions that are not read until frames for the business are answered.")                    \
    X(UPSTREAM_AGAIN, "imc_comet_upstream_again_total", NULL, METRIC_COUNTER,                      \
      "Times that frames of a session had to be sent to a logic again.")                           \
    X(UPSTREAM_TIMEOUTS, "imc_comet_upstream_timeouts_total", NULL, METRIC_COUNTER,                \
      "Sessions of which nothing was taken for upstream.timeout.")                                 \
    X(UPSTREAM_REFUSED, "imc_comet_upstream_refused_total", NULL, METRIC_COUNTER,                  \
      "Sessions closed (code 12) because twice upstream.max_waiting waited in their loop.")        \
    X(EVENTS_SAID, "imc_comet_events_total", "result=\"said\"", METRIC_COUNTER,                    \
      "Ends and reopenings of sessions for the log of sessions. said: Kafka has it; dropped: for " \
      "a minute no logic had events.log.")                                                         \
    X(EVENTS_DROPPED, "imc_comet_events_total", "result=\"dropped\"", METRIC_COUNTER, "")          \
    X(EVENTS_AGAIN, "imc_comet_events_again_total", NULL, METRIC_COUNTER,                          \
      "Times that such a thing had to be said to a logic again.")                                  \
    X(EVENTS_WAITING, "imc_comet_events_waiting", NULL, METRIC_GAUGE,                              \
      "Sessions of which something has to be said.")                                               \
    X(KICKED_1, "imc_comet_kicked_total", "reason=\"bad_token\"", METRIC_COUNTER,                  \
      "Connections closed with operation 6, by the name of its code (docs/protocol.md). "          \
      "handshake_timeout, malformed, body_too_large, rate_limited, unknown_op: clients are "       \
      "wrong, or attack. too_slow: they do not keep up. unavailable: look at what /readyz says "   \
      "of the logics.")                                                                            \
    X(KICKED_2, "imc_comet_kicked_total", "reason=\"handshake_timeout\"", METRIC_COUNTER, "")      \
    X(KICKED_3, "imc_comet_kicked_total", "reason=\"malformed\"", METRIC_COUNTER, "")              \
    X(KICKED_4, "imc_comet_kicked_total", "reason=\"body_too_large\"", METRIC_COUNTER, "")         \
    X(KICKED_5, "imc_comet_kicked_total", "reason=\"replaced\"", METRIC_COUNTER, "")               \
    X(KICKED_6, "imc_comet_kicked_total", "reason=\"too_many_sessions\"", METRIC_COUNTER, "")      \
    X(KICKED_7, "imc_comet_kicked_total", "reason=\"kicked\"", METRIC_COUNTER, "")                 \
    X(KICKED_8, "imc_comet_kicked_total", "reason=\"too_slow\"", METRIC_COUNTER, "")               \
    X(KICKED_9, "imc_comet_kicked_total", "reason=\"going_away\"", METRIC_COUNTER, "")             \
    X(KICKED_10, "imc_comet_kicked_total", "reason=\"rate_limited\"", METRIC_COUNTER, "")          \
    X(KICKED_11, "imc_comet_kicked_total", "reason=\"heartbeat_missed\"", METRIC_COUNTER, "")      \
    X(KICKED_12, "imc_comet_kicked_total", "reason=\"unavailable\"", METRIC_COUNTER, "")           \
    X(KICKED_13, "imc_comet_kicked_total", "reason=\"unknown_op\"", METRIC_COUNTER, "")            \
    X(DRAIN_LEFT, "imc_comet_drain_left", NULL, METRIC_GAUGE,                                      \
      "Connections that are still here while comet drains (SIGTERM, POST /drain); 0 otherwise.")   \
    X(DRAIN_NAMED, "imc_comet_drain_told_total", "nodes=\"named\"", METRIC_COUNTER,                \
      "Sessions that a drain told to go (code 9). none: no other comet was known that takes "      \
      "clients, or no logic answered.")                                                            \
    X(DRAIN_UNNAMED, "imc_comet_drain_told_total", "nodes=\"none\"", METRIC_COUNTER, "")           \
    X(HTTP_REFUSED, "imc_comet_handshake_refused_total", NULL, METRIC_COUNTER,                     \
      "WebSocket handshakes answered with an HTTP error.")                                         \
    X(WS_FAILED, "imc_comet_ws_failed_total", NULL, METRIC_COUNTER,                                \
      "Connections closed for an RFC 6455 violation.")                                             \
    X(ROOMS_MISSED, "imc_comet_rooms_missed_total", NULL, METRIC_COUNTER,                          \
      "Sessions told to connect again (code 12) because messages to their room, or to all, may "   \
      "not have come here while others took this comet for dead.")                                 \
    X(TOKENS_ENDED, "imc_comet_tokens_ended_total", NULL, METRIC_COUNTER,                          \
      "Sessions ended with code 1 because their token expired.")                                   \
    X(TOKENS_TIMED, "imc_comet_tokens_timed", NULL, METRIC_GAUGE,                                  \
      "Sessions that a JSON Web Token let in.")                                                    \
    X(RENEWED, "imc_comet_renewals_total", "result=\"renewed\"", METRIC_COUNTER,                   \
      "Further tokens that open sessions sent. again: nobody could say what it is worth, logic "   \
      "is "                                                                                        \
      "asked again; too_soon: session.renew_interval.")                                            \
    X(RENEW_REFUSED, "imc_comet_renewals_total", "result=\"refused\"", METRIC_COUNTER, "")         \
    X(RENEW_AGAIN, "imc_comet_renewals_total", "result=\"again\"", METRIC_COUNTER, "")             \
    X(RENEW_TOO_SOON, "imc_comet_renewals_total", "result=\"too_soon\"", METRIC_COUNTER, "")       \
    X(ORDERED_ENDED, "imc_comet_ended_by_business_total", NULL, METRIC_COUNTER,                    \
      "Sessions that logic had us end: their token or user was revoked.")                          \
    X(GAVE_WAY, "imc_comet_gave_way_total", NULL, METRIC_COUNTER,                                  \
      "Silent sessions closed (code 5) because their user had too many and wanted another one.")   \
    X(REPLACED_OLDEST, "imc_comet_replaced_total", "why=\"oldest\"", METRIC_COUNTER,               \
      "Sessions closed (code 5) for a newer one of their user. oldest: he had too many "           \
      "(sessions.when_full); same_key: it has the same key (sessions.same_key).")                  \
    X(REPLACED_SAME_KEY, "imc_comet_replaced_total", "why=\"same_key\"", METRIC_COUNTER, "")       \
    X(PASSED_HEADERS_REFUSED, "imc_comet_pass_headers_refused_total", NULL, METRIC_COUNTER,        \
      "WebSocket handshakes refused because the headers of ws.pass_headers were longer than "      \
      "ws.pass_headers_max.")                                                                      \
    X(PINGS, "imc_comet_pings_total", NULL, METRIC_COUNTER,                                        \
      "WebSocket pings sent to silent sessions.")                                                  \
    X(CLOSED_BY_PEER, "imc_comet_closed_total", "by=\"peer\"", METRIC_COUNTER,                     \
      "Connections that ended.")                                                                   \
    X(CLOSED_BY_US, "imc_comet_closed_total", "by=\"us\"", METRIC_COUNTER, "")                     \
    X(ITEMS_UID, "imc_comet_items_total", "kind=\"uid\"", METRIC_COUNTER,                          \
      "Items received from job, per loop.")                                                        \
    X(ITEMS_POKE, "imc_comet_items_total", "kind=\"poke\"", METRIC_COUNTER, "")                    \
    X(ITEMS_ROOM, "imc_comet_items_total", "kind=\"room\"", METRIC_COUNTER, "")                    \
    X(ITEMS_ALL, "imc_comet_items_total", "kind=\"all\"", METRIC_COUNTER, "")                      \
    X(ITEMS_GONE, "imc_comet_items_gone_total", NULL, METRIC_COUNTER,                              \
      "uid items that found no session here.")                                                     \
    X(ITEMS_REPEATED, "imc_comet_items_repeated_total", NULL, METRIC_COUNTER,                      \
      "Items skipped because their offset had been applied here (replay).")                        \
    X(ITEMS_FENCED, "imc_comet_items_fenced_total", NULL, METRIC_COUNTER,                          \
      "Items refused because another job owns the partition.")                                     \
    X(FENCES_IMPLAUSIBLE, "imc_comet_fences_implausible_total", NULL, METRIC_COUNTER,              \
      "Items, and words of jobs about a partition, refused because their fence lies more than "    \
      "a day in the future: forged, or a clock is wrong.")                                         \
    X(ITEMS_MISDIRECTED, "imc_comet_items_misdirected_total", NULL, METRIC_COUNTER,                \
      "Items that a job meant for another process, which had this one's id or address.")           \
    X(BATCHES_MALFORMED, "imc_comet_batches_malformed_total", NULL, METRIC_COUNTER,                \
      "Streams from job closed for a batch that could not be decoded.")                            \
    X(GOIM_PUSH, "imc_comet_goim_calls_total", "call=\"push\"", METRIC_COUNTER,                    \
      "Calls of goim's programs to goim.comet.Comet.")                                             \
    X(GOIM_BROADCAST, "imc_comet_goim_calls_total", "call=\"broadcast\"", METRIC_COUNTER, "")      \
    X(GOIM_ROOM, "imc_comet_goim_calls_total", "call=\"room\"", METRIC_COUNTER, "")                \
    X(GOIM_ROOMS, "imc_comet_goim_calls_total", "call=\"rooms\"", METRIC_COUNTER, "")              \
    X(GOIM_MALFORMED, "imc_comet_goim_malformed_total", NULL, METRIC_COUNTER,                      \
      "Such calls refused because they make no sense. The answer says why: see the caller's log.") \
    X(GOIM_UNKNOWN, "imc_comet_goim_keys_unknown_total", NULL, METRIC_COUNTER,                     \
      "Keys in such calls that no session here has.")                                              \
    X(GOIM_DROPPED, "imc_comet_goim_dropped_total", NULL, METRIC_COUNTER,                          \
      "Messages of such calls that were lost because their session reads too slowly.")             \
    X(SPILLED, "imc_comet_spilled_total", NULL, METRIC_COUNTER,                                    \
      "Messages put into the mailbox for a slow session.")                                         \
    X(SPILL_FAILED, "imc_comet_spill_failed_total", NULL, METRIC_COUNTER,                          \
      "Spilled messages handed back to job because the mailbox could not be reached.")             \
    X(HELD, "imc_comet_held_total", NULL, METRIC_COUNTER,                                          \
      "Messages held while a session was catching up.")                                            \
    X(FETCHES, "imc_comet_fetches_total", NULL, METRIC_COUNTER, "Mailbox reads asked for.")        \
    X(CONFIRMED, "imc_comet_confirmed_total", NULL, METRIC_COUNTER,                                \
      "Waiting messages confirmed after writing.")                                                 \
    X(ACK_SESSIONS, "imc_comet_acknowledged_sessions", NULL, METRIC_GAUGE,                         \
      "Sessions that acknowledge their messages.")                                                 \
    X(ACK_SENT, "imc_comet_acknowledged_sent_total", NULL, METRIC_COUNTER,                         \
      "Messages sent to such sessions, to be acknowledged.")                                       \
    X(ACKED, "imc_comet_acknowledged_total", NULL, METRIC_COUNTER,                                 \
      "Messages that were acknowledged.")                                                          \
    X(ACK_LEFT, "imc_comet_unacknowledged_total", NULL, METRIC_COUNTER,                            \
      "Messages that were not acknowledged when their session ended. What was sent is "            \
      "acknowledged, counted here, or still waits for its client.")                                \
    X(ACKS_LATE, "imc_comet_acknowledged_late_total", NULL, METRIC_COUNTER,                        \
      "Messages that went to the mailbox because their client had not acknowledged them within "   \
      "session.ack_wait.")                                                                         \
    X(ACK_WINDOW_FULL, "imc_comet_ack_window_full_total", NULL, METRIC_COUNTER,                    \
      "How often an acknowledged session could not be sent a message because session.ack_window "  \
      "was full.")                                                                                 \
    X(ACKS_REPEATED, "imc_comet_bad_acknowledgements_total", "why=\"repeated\"", METRIC_COUNTER,   \
      "Acknowledgements of what was acknowledged before, or (closed with code 3) was never sent.") \
    X(ACKS_UNSENT, "imc_comet_bad_acknowledgements_total", "why=\"unsent\"", METRIC_COUNTER, "")   \
    X(DECLINED, "imc_comet_declined_total", NULL, METRIC_COUNTER,                                  \
      "Messages to a user or to all that were not sent to a goim session, because it does not "    \
      "accept their operation.")                                                                   \
    X(CONNECTS_OK, "imc_comet_connects_total", "result=\"admitted\"", METRIC_COUNTER,              \
      "Answers to auth.")                                                                          \
    X(CONNECTS_REFUSED, "imc_comet_connects_total", "result=\"refused\"", METRIC_COUNTER, "")      \
    X(CONNECTS_FAILED, "imc_comet_connects_total", "result=\"unavailable\"", METRIC_COUNTER, "")   \
    H(CONNECT_OK, "imc_comet_connect_seconds", "result=\"admitted\"", LE_500US, LE_25S,            \
      "From a client's auth until logic's answer. If it grows, compare imc_rpc_batch_seconds of "  \
      "comet and logic, and imc_redis_command_seconds of logic; imc_comet_accept_pauses_total "    \
      "tells that clients wait in turn (logic.connects).")                                         \
    H(CONNECT_REFUSED, "imc_comet_connect_seconds", "result=\"refused\"", LE_500US, LE_25S, "")    \
    H(CONNECT_FAILED, "imc_comet_connect_seconds", "result=\"unavailable\"", LE_500US, LE_25S, "") \
    X(REGISTERED, "imc_comet_registered_total", NULL, METRIC_COUNTER,                              \
      "Sessions registered again after routers or the lease changed.")                             \
    TRACER_METRICS(X)

enum comet_metric {
#define X(id, ...) COMET_##id,
#define H(id, ...) COMET_##id, COMET_##id##_LAST = COMET_##id + HISTOGRAM_SLOTS - 1,
    COMET_METRICS(X, H)
#undef X
#undef H
        COMET_METRIC_COUNT /* of values in a block */
};

enum { COMET_METRIC_ROWS = 0 COMET_METRICS(METRIC_ONE, METRIC_ONE) };
extern const struct metric_row comet_metric_rows[COMET_METRIC_ROWS];

#endif
