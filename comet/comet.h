/* comet.h - the daemon: configuration, metrics, workers. Configuration is read-only once the
 * workers run. */
#ifndef IMC_COMET_COMET_H
#define IMC_COMET_COMET_H

#include "comet/worker.h"
#include "common/daemon/daemon.h"

struct comet_config {
    struct daemon_config daemon; /* first */
    int64_t workers;             /* comet.workers: loops; 0 = one per core */
    char *tcp_listen, *tcp_advertise;
    char *ws_listen, *ws_advertise;
    char *echo_listen; /* test.ws_echo: empty = off; an RFC 6455 echo of our own WebSocket code */
    char *allowed_origins;    /* ws.allowed_origins: list, empty = any */
    char *protocols;          /* ws.protocols: list, empty = the first one offered */
    int64_t ping_ms;          /* ws.ping: silence after which a session is pinged, 0 = never */
    int64_t silent_ms;        /* session.silent */
    int64_t handshake_ms;     /* conn.handshake_timeout: to the end of auth */
    int64_t heartbeat_ms;     /* conn.heartbeat: silence longer than this closes */
    int64_t linger_ms;        /* conn.linger: time to flush and to wait for the peer's close */
    int64_t max_body;         /* conn.max_body: client frames */
    int64_t max_auth;         /* conn.max_auth: of the auth frame, not over max_body */
    int64_t strangers;        /* conn.strangers: bytes kept for all who are not authenticated */
    int64_t max_connections;  /* conn.max: per process, 0 = what RLIMIT_NOFILE leaves */
    int64_t sendq_bytes;      /* fanout.sendq: bytes queued per connection */
    int64_t spill_ms;         /* fanout.spill_after */
    int64_t walk_slice;       /* fanout.slice: members per turn */
    int64_t walk_bytes;       /* fanout.batch: bytes of pushes in one walk */
    int64_t walk_delay_ms;    /* fanout.max_delay: how long a message to a large room may wait for
                                 others */
    int64_t walk_patience_ms; /* fanout.patience: how long walks wait for sockets that are behind */
    int64_t drain_rate;       /* drain.rate: sessions a second, at least */
    int64_t recall_ms;        /* rooms.recall: time to tell all who missed something */
    int64_t vouch_ms;         /* rooms.vouch_timeout */
    int64_t sdk_gap_ms;       /* imgo.sdk_gap */
    int64_t connect_ms;       /* logic.connect_timeout */
    int64_t logic_window;     /* logic.window: batches in flight per loop and logic */
    int64_t held_messages;    /* session.held: pushes held in memory while a session catches up;
                                 beyond: mailbox */
};

/* X(ID, name, labels, type, help); rows of one name stand together. Edge's and session's rows in
 * one table. */
#define COMET_METRICS(X)                                                                          \
    X(CONNECTIONS, "imc_comet_connections", NULL, METRIC_GAUGE,                                   \
      "Open client connections in any state.")                                                    \
    X(SESSIONS, "imc_comet_sessions", NULL, METRIC_GAUGE, "Authenticated sessions.")              \
    X(ACCEPTED_TCP, "imc_comet_accepted_total", "listener=\"tcp\"", METRIC_COUNTER,               \
      "Connections accepted.")                                                                    \
    X(ACCEPTED_WS, "imc_comet_accepted_total", "listener=\"ws\"", METRIC_COUNTER,                 \
      "Connections accepted.")                                                                    \
    X(REFUSED_FULL, "imc_comet_refused_total", "reason=\"full\"", METRIC_COUNTER,                 \
      "Connections closed right after accept. full: conn.max or the file limit is reached; "      \
      "memory: memory.limit nearly is.")                                                          \
    X(REFUSED_MEMORY, "imc_comet_refused_total", "reason=\"memory\"", METRIC_COUNTER, "")         \
    X(LET_GO_SLOW, "imc_comet_let_go_total", "what=\"reader\"", METRIC_COUNTER,                   \
      "Connections closed because memory was nearly used up: slowest readers, oldest strangers.") \
    X(LET_GO_STRANGER, "imc_comet_let_go_total", "what=\"stranger\"", METRIC_COUNTER, "")         \
    X(WRITES, "imc_comet_writes_total", NULL, METRIC_COUNTER, "Successful send() calls.")         \
    X(WRITE_BYTES, "imc_comet_write_bytes_total", NULL, METRIC_COUNTER, "Bytes the kernel took.") \
    X(DELIVERIES_UID, "imc_comet_deliveries_total", "kind=\"uid\"", METRIC_COUNTER,               \
      "Messages written to a session.")                                                           \
    X(DELIVERIES_ROOM, "imc_comet_deliveries_total", "kind=\"room\"", METRIC_COUNTER,             \
      "Messages written to a session.")                                                           \
    X(DELIVERIES_ALL, "imc_comet_deliveries_total", "kind=\"all\"", METRIC_COUNTER,               \
      "Messages written to a session.")                                                           \
    X(DELIVERIES_WAITING, "imc_comet_deliveries_total", "kind=\"waiting\"", METRIC_COUNTER,       \
      "Messages written to a session.")                                                           \
    X(WALKS, "imc_comet_walks_total", NULL, METRIC_COUNTER, "Room and broadcast walks begun.")    \
    X(WALK_WAITS, "imc_comet_walk_waits_total", NULL, METRIC_COUNTER,                             \
      "Times a walk was put off for 5 ms because too many sockets had not taken the one before.") \
    X(QUEUED_BYTES, "imc_comet_queued_bytes", NULL, METRIC_GAUGE,                                 \
      "Bytes waiting for slow sockets.")                                                          \
    X(ROOMS, "imc_comet_rooms", NULL, METRIC_GAUGE, "Rooms with members, summed over loops.")     \
    X(STRANGER_BYTES, "imc_comet_stranger_bytes", NULL, METRIC_GAUGE,                             \
      "Bytes kept for clients that have not authenticated yet.")                                  \
    X(STRANGERS_BYTES, "imc_comet_strangers_refused_total", "reason=\"bytes\"", METRIC_COUNTER,   \
      "Clients refused before authentication: conn.strangers is reached, or too many pings.")     \
    X(STRANGERS_PINGS, "imc_comet_strangers_refused_total", "reason=\"pings\"", METRIC_COUNTER,   \
      "Clients refused before authentication: conn.strangers is reached, or too many pings.")     \
    X(FRAMES_IN, "imc_comet_frames_in_total", NULL, METRIC_COUNTER,                               \
      "Frames received from clients.")                                                            \
    X(UPSTREAM_UNHANDLED, "imc_comet_upstream_unhandled_total", NULL, METRIC_COUNTER,             \
      "Frames of operation 4 answered without a business to hand them to.")                       \
    X(KICKED_1, "imc_comet_kicked_total", "code=\"1\"", METRIC_COUNTER,                           \
      "Connections closed with operation 6.")                                                     \
    X(KICKED_2, "imc_comet_kicked_total", "code=\"2\"", METRIC_COUNTER,                           \
      "Connections closed with operation 6.")                                                     \
    X(KICKED_3, "imc_comet_kicked_total", "code=\"3\"", METRIC_COUNTER,                           \
      "Connections closed with operation 6.")                                                     \
    X(KICKED_4, "imc_comet_kicked_total", "code=\"4\"", METRIC_COUNTER,                           \
      "Connections closed with operation 6.")                                                     \
    X(KICKED_5, "imc_comet_kicked_total", "code=\"5\"", METRIC_COUNTER,                           \
      "Connections closed with operation 6.")                                                     \
    X(KICKED_6, "imc_comet_kicked_total", "code=\"6\"", METRIC_COUNTER,                           \
      "Connections closed with operation 6.")                                                     \
    X(KICKED_7, "imc_comet_kicked_total", "code=\"7\"", METRIC_COUNTER,                           \
      "Connections closed with operation 6.")                                                     \
    X(KICKED_8, "imc_comet_kicked_total", "code=\"8\"", METRIC_COUNTER,                           \
      "Connections closed with operation 6.")                                                     \
    X(KICKED_9, "imc_comet_kicked_total", "code=\"9\"", METRIC_COUNTER,                           \
      "Connections closed with operation 6.")                                                     \
    X(KICKED_10, "imc_comet_kicked_total", "code=\"10\"", METRIC_COUNTER,                         \
      "Connections closed with operation 6.")                                                     \
    X(KICKED_11, "imc_comet_kicked_total", "code=\"11\"", METRIC_COUNTER,                         \
      "Connections closed with operation 6.")                                                     \
    X(KICKED_12, "imc_comet_kicked_total", "code=\"12\"", METRIC_COUNTER,                         \
      "Connections closed with operation 6.")                                                     \
    X(KICKED_13, "imc_comet_kicked_total", "code=\"13\"", METRIC_COUNTER,                         \
      "Connections closed with operation 6.")                                                     \
    X(HTTP_REFUSED, "imc_comet_handshake_refused_total", NULL, METRIC_COUNTER,                    \
      "WebSocket handshakes answered with an HTTP error.")                                        \
    X(WS_FAILED, "imc_comet_ws_failed_total", NULL, METRIC_COUNTER,                               \
      "Connections closed for an RFC 6455 violation.")                                            \
    X(ROOMS_MISSED, "imc_comet_rooms_missed_total", NULL, METRIC_COUNTER,                         \
      "Sessions told to connect again (code 12) because messages to their room, or to all, may "  \
      "not have come here while others took this comet for dead.")                                \
    X(GAVE_WAY, "imc_comet_gave_way_total", NULL, METRIC_COUNTER,                                 \
      "Silent sessions closed (code 5) because their user had too many and wanted another one.")  \
    X(PINGS, "imc_comet_pings_total", NULL, METRIC_COUNTER,                                       \
      "WebSocket pings sent to silent sessions.")                                                 \
    X(CLOSED_BY_PEER, "imc_comet_closed_total", "by=\"peer\"", METRIC_COUNTER,                    \
      "Connections that ended.")                                                                  \
    X(CLOSED_BY_US, "imc_comet_closed_total", "by=\"us\"", METRIC_COUNTER,                        \
      "Connections that ended.")                                                                  \
    X(ITEMS_UID, "imc_comet_items_total", "kind=\"uid\"", METRIC_COUNTER,                         \
      "Items received from job, per loop.")                                                       \
    X(ITEMS_POKE, "imc_comet_items_total", "kind=\"poke\"", METRIC_COUNTER,                       \
      "Items received from job, per loop.")                                                       \
    X(ITEMS_ROOM, "imc_comet_items_total", "kind=\"room\"", METRIC_COUNTER,                       \
      "Items received from job, per loop.")                                                       \
    X(ITEMS_ALL, "imc_comet_items_total", "kind=\"all\"", METRIC_COUNTER,                         \
      "Items received from job, per loop.")                                                       \
    X(ITEMS_GONE, "imc_comet_items_gone_total", NULL, METRIC_COUNTER,                             \
      "uid items that found no session here.")                                                    \
    X(ITEMS_REPEATED, "imc_comet_items_repeated_total", NULL, METRIC_COUNTER,                     \
      "Items skipped because their offset had been applied here (replay).")                       \
    X(ITEMS_FENCED, "imc_comet_items_fenced_total", NULL, METRIC_COUNTER,                         \
      "Items refused because another job owns the partition.")                                    \
    X(FENCES_IMPLAUSIBLE, "imc_comet_fences_implausible_total", NULL, METRIC_COUNTER,             \
      "Items, and words of jobs about a partition, refused because their fence lies more than "   \
      "a day in the future: forged, or a clock is wrong.")                                        \
    X(ITEMS_MISDIRECTED, "imc_comet_items_misdirected_total", NULL, METRIC_COUNTER,               \
      "Items that a job meant for another process, which had this one's id or address.")          \
    X(BATCHES_MALFORMED, "imc_comet_batches_malformed_total", NULL, METRIC_COUNTER,               \
      "Streams from job closed for a batch that could not be decoded.")                           \
    X(SPILLED, "imc_comet_spilled_total", NULL, METRIC_COUNTER,                                   \
      "Messages put into the mailbox for a slow session.")                                        \
    X(SPILL_FAILED, "imc_comet_spill_failed_total", NULL, METRIC_COUNTER,                         \
      "Spilled messages handed back to job because the mailbox could not be reached.")            \
    X(HELD, "imc_comet_held_total", NULL, METRIC_COUNTER,                                         \
      "Messages held while a session was catching up.")                                           \
    X(FETCHES, "imc_comet_fetches_total", NULL, METRIC_COUNTER, "Mailbox reads asked for.")       \
    X(CONFIRMED, "imc_comet_confirmed_total", NULL, METRIC_COUNTER,                               \
      "Waiting messages confirmed after writing.")                                                \
    X(CONNECTS_OK, "imc_comet_connects_total", "result=\"admitted\"", METRIC_COUNTER,             \
      "Answers to auth.")                                                                         \
    X(CONNECTS_REFUSED, "imc_comet_connects_total", "result=\"refused\"", METRIC_COUNTER,         \
      "Answers to auth.")                                                                         \
    X(CONNECTS_FAILED, "imc_comet_connects_total", "result=\"unavailable\"", METRIC_COUNTER,      \
      "Answers to auth.")                                                                         \
    X(REGISTERED, "imc_comet_registered_total", NULL, METRIC_COUNTER,                             \
      "Sessions registered again after routers or the lease changed.")

enum comet_metric {
#define X(id, name, labels, type, help) COMET_##id,
    COMET_METRICS(X)
#undef X
        COMET_METRIC_COUNT
};

extern const struct config_row comet_config_rows[];
extern const struct metric_row comet_metric_rows[COMET_METRIC_COUNT];
int comet_config_check(const void *arg, char *err, size_t errlen);

struct job_batches;
struct broadcast_gaps;

struct comet {
    struct daemon *daemon;
    const struct comet_config *config;
    char id[64];      /* of our lease */
    uint64_t epoch;   /* of our lease, 0 before it is held; atomic: the main loop writes, everybody
                         reads */
    uint64_t process; /* membership's; 0 before it is known; atomic */
    struct worker *workers;
    size_t n_logics; /* alive; main loop only */
    int n_workers;
    struct broadcast_gaps *standings;
    struct redis *redis;
    struct membership *membership;
    struct rpc_server *server;
    struct job_batches *jobs;
    bool accepting;
    int loops_accepting; /* atomic */
    bool lapsed;         /* the lease had lapsed once: sessions fetch after registering */
    int workers_drained;
    uv_timer_t *tick; /* tells membership how many connections there are */
};

#endif
