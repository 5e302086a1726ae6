/* config.h - comet's settings; read-only once the workers run, but for what is _Atomic: a reload
 * changes it. */
#ifndef IMC_COMET_BASE_CONFIG_H
#define IMC_COMET_BASE_CONFIG_H

#include "common/daemon/daemon.h"
#include "common/trace/tracer.h"

struct comet_config {
    struct daemon_config daemon; /* first */
    int64_t workers;             /* comet.workers: loops; 0 = one per core */
    char *tcp_listen, *tcp_advertise;
    char *ws_listen, *ws_advertise;
    char *tls_kernel;                   /* off, auto, on */
    char *tcps_listen, *tcps_advertise; /* TCP over TLS; empty: off; advertise may be a proxy's */
    char *wss_listen, *wss_advertise;   /* likewise WebSocket */
    char *node_host, *node_ips;
    char *allowed_origins;      /* ws.allowed_origins: list, empty = any */
    char *pass_headers;         /* ws.pass_headers: list, empty = none */
    int64_t pass_headers_max;   /* ws.pass_headers_max: bytes */
    char *protocols;            /* ws.protocols: list, empty = the first one offered */
    int64_t ping_ms;            /* ws.ping: silence after which a session is pinged, 0 = never */
    int64_t silent_ms;          /* session.silent */
    int64_t renew_interval_ms;  /* session.renew_interval */
    int64_t handshake_ms;       /* conn.handshake_timeout: to the end of auth */
    _Atomic int64_t handshakes; /* conn.handshakes: of TLS, under way in a loop */
    int64_t heartbeat_ms;       /* conn.heartbeat: a longer silence ends the connection */
    int64_t linger_ms;          /* conn.linger: time to flush and to wait for the peer's close */
    int64_t max_body;           /* conn.max_body: client frames */
    int64_t max_auth;           /* conn.max_auth: of the auth frame, at most max_body */
    _Atomic int64_t strangers;  /* conn.strangers: bytes kept for all that are not authenticated */
    int64_t max_connections;    /* conn.max: per process, 0 = what RLIMIT_NOFILE leaves */
    int64_t
        most_clients; /* no setting: conn.max within the limit of open files; 0: not known yet */
    _Atomic int64_t per_address; /* conn.per_address: connections, 0 = any number */
    _Atomic int64_t rate_per_address, rate_burst; /* new connections a second, 0 = any number */
    char *conn_trusted;                           /* conn.trusted: list of networks */
    bool proxy_protocol;                          /* proxy.protocol */
    char *proxy_trusted;                          /* proxy.trusted: list of networks */
    _Atomic int64_t sendq_bytes;                  /* fanout.sendq: bytes queued per connection */
    _Atomic int64_t spill_ms;                     /* fanout.spill_after */
    int64_t walk_slice;                           /* fanout.slice: members per turn */
    int64_t walk_bytes;                           /* fanout.batch: bytes of pushes in one walk */
    int64_t walk_delay_ms;    /* fanout.max_delay: how long a message to a large room may wait for
                                 others */
    int64_t walk_patience_ms; /* fanout.patience: how long walks wait for sockets that are behind */
    _Atomic int64_t drain_rate; /* drain.rate: sessions a second, at least, that are told to go */
    _Atomic int64_t rooms_per_session; /* rooms.per_session: the main one included */
    _Atomic int64_t rooms_max;         /* rooms.max: of a loop */
    int64_t rooms_linger_ms;           /* rooms.linger */
    int64_t recall_ms;      /* rooms.recall: time in which all that missed something are kicked */
    int64_t vouch_ms;       /* rooms.vouch_timeout */
    int64_t sdk_gap_ms;     /* imgo.sdk_gap */
    int64_t connect_ms;     /* logic.connect_timeout */
    int64_t logic_window;   /* logic.window: batches in flight per loop and logic */
    int64_t logic_connects; /* logic.connects: admissions in flight per loop */
    _Atomic int64_t upstream_window; /* frames of a session for the business without an answer */
    int64_t upstream_timeout_ms;     /* upstream.timeout */
    _Atomic int64_t upstream_max_waiting;            /* upstream.max_waiting: bytes of a loop */
    _Atomic int64_t frames_per_second, frames_burst; /* of a session, 0 = any number */
    _Atomic int64_t bytes_per_second, bytes_burst;   /* likewise */
    _Atomic int64_t ack_window;                      /* session.ack_window */
    _Atomic int64_t ack_wait_ms;                     /* session.ack_wait */
    int64_t held_messages;       /* session.held: pushes held in memory while a session catches up;
                                    beyond: mailbox */
    struct tracer_config tracer; /* [trace] */
};

extern const struct config_row comet_config_rows[];
int comet_config_check(const void *arg, char *err, size_t errlen);

#endif
