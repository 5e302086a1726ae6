/* conn.h - one client connection: socket, state, bounded output. Owner loop only.
 *
 *   accept ─► CONN_HANDSHAKE ── conn_upgraded() ──► CONN_AUTH (where TCP starts)
 *             (WebSocket: HTTP upgrade)                  │ events->frame or message: an auth
 *                                                        ▼ session_connect() asks logic
 *                                                   CONN_CONNECTING
 *                                                        │ logic has admitted it: conn_opened()
 *                                                        ▼
 *   CONN_CLOSED ◄─ flushed, or ─ CONN_CLOSING ◄──── CONN_OPEN
 *        ▲         linger over                 conn_kick(): op 6, WebSocket close; from any state
 *        └─ the peer is gone, the socket failed: from any state
 *
 * What a connection's bytes mean, and what becomes of its messages, others know: it tells
 * struct conn_events.
 *
 * While CONNECTING nothing is read: what a client sends after its auth waits (as in imgo) until
 * logic has answered.
 *
 * Small on purpose: an idle connection is this struct and a table slot. Whatever only busy or slow
 * connections need (input remainder, output queue, catch-up) is allocated while it is needed. */
#ifndef IMC_COMET_NET_CONN_H
#define IMC_COMET_NET_CONN_H

#include "comet/wire/push.h"
#include "comet/wire/wire.h"
#include "common/containers/wheel.h"
#include "common/protocol/ops.h"
#include <stdbool.h>
#include <sys/uio.h>

struct worker;
struct frame;
struct room;
struct sendq;
struct ws;
struct ws_item;
struct catchup;

enum conn_state {
    CONN_HANDSHAKE,
    CONN_AUTH,
    CONN_CONNECTING,
    CONN_OPEN,
    CONN_CLOSING,
    CONN_CLOSED
};

struct conn {
    struct worker *worker;
    uint64_t handle; /* handle_table.h; 0 before CONN_CONNECTING */
    int64_t uid;
    struct wheel_timer timer;  /* handshake, heartbeat or linger deadline, by state */
    struct sendq *out;         /* NULL: nothing queued */
    struct msg *in;            /* unparsed input, NULL: none */
    struct ws *ws;             /* only while a message is being put together; NULL otherwise */
    struct room *room;         /* fanout/room.h; NULL: in none */
    struct catchup *catchup;   /* session/catchup.h; NULL: it is up to date */
    uint32_t room_index;       /* position in room's members */
    uint32_t kept;             /* bytes counted against conn.strangers: conn_keep() */
    struct conn *next, **prev; /* the frontend's list of live or of closing connections */
    struct conn *chain;        /* conn_internal.h: wants attention at the end of the turn */
    uint32_t last_heard;       /* loop time in units of 256 ms */
    int32_t auth_seq;          /* of the auth frame, for its reply */
    uint16_t auth_version;     /* likewise */
    uint16_t polled;           /* events the poller watches for */
    int fd;
    uint8_t state; /* enum conn_state */
    uint8_t wire;  /* enum wire */
    bool is_ws : 1;
    bool writable_armed : 1;
    bool close_sent : 1; /* WebSocket close frame */
    bool counted : 1;    /* known to logic: a Disconnect is owed */
    bool registered : 1; /* known to the routers of the ring that session.h registers under */
    bool recalled : 1;   /* is to be told that it missed something: mass_kick.h */
    bool missed : 1;     /* routers may have taken its user for away: it fetches once registered,
                            and until then before whatever comes for it is written */
    /* net/'s own: */
    bool close_received : 1; /* WebSocket close frame */
    bool paused : 1;         /* not polled for input: CONNECTING, and something came */
    bool eof : 1;            /* the peer will send nothing more; we are still flushing */
    bool shut : 1;           /* we have sent our FIN */
    bool by_us : 1;          /* who began the end */
    uint8_t controls : 3;    /* WebSocket pings and pongs before auth */
    bool chained : 1, broken : 1, resume : 1, drained : 1; /* conn_internal.h */
};

/* What those above are told of a connection. Set once, by frontend_open(). */
struct conn_events {
    /* A client's frame (TCP) or message (WebSocket) in CONN_AUTH or CONN_OPEN. It may be answered
     * or kicked, and is borrowed. */
    void (*frame)(struct conn *conn, const struct frame *frame);
    void (*message)(struct conn *conn, const struct ws_item *item);
    /* The output queue became empty: told at the end of the turn, in CONN_OPEN. */
    void (*drained)(struct conn *conn);
    /* The oldest queued entry with a ticket has waited fanout.spill_after. */
    void (*stalled)(struct conn *conn);
    /* It takes no more messages: CONN_CLOSING or CONN_CLOSED begins. Once. */
    void (*leaving)(struct conn *conn);
    /* It ended; its queue's tickets have been dropped. */
    void (*closed)(struct conn *conn);
};

enum write_result {
    WRITE_DONE,   /* the kernel has all of it; the ticket was told */
    WRITE_QUEUED, /* (part of it) waits; the ticket will be told */
    WRITE_FULL,   /* the queue is at its limit: nothing was taken, the ticket neither */
    WRITE_CLOSED, /* the connection is closing: nothing was taken */
};

/* Writes at once if nothing is queued; copies what the kernel did not take. The limit holds for
 * what is added to a queue; the rest of a single write is always kept, however long. A socket error
 * is WRITE_CLOSED; the connection then closes at the end of the turn, never inside the call. */
enum write_result conn_write(struct conn *conn, const struct iovec *iov, int n,
                             struct ticket ticket);
/* The same for shared bytes: refers to MSG instead of copying. */
enum write_result conn_write_msg(struct conn *conn, struct msg *msg, struct ticket ticket);
/* One push in the connection's own wire form, in a write of its own. */
enum write_result conn_push(struct conn *conn, const struct push *push, struct ticket ticket);
/* A reply in the connection's wire form; beyond the queue's limit the connection is kicked as too
 * slow. */
void conn_reply(struct conn *conn, uint16_t version, int32_t op, int32_t seq, const void *body,
                size_t body_len);
/* logic admitted the session: CONN_CONNECTING becomes CONN_OPEN, the heartbeat deadline replaces
 * the handshake's. The auth reply is the caller's to send. What the client sent meanwhile is read
 * from the end of the turn on. */
void conn_opened(struct conn *conn);
/* Operation 6 with CODE and REASON (plain text, no quotes), WebSocket close 4000 + CODE, flush,
 * close. Tickets of what is queued behind are dropped when the connection closes. Idempotent. */
void conn_kick(struct conn *conn, enum close_code code, const char *reason);
/* Milliseconds without a sign of life; up to 512 too few, never too many. */
uint64_t conn_silence(const struct conn *conn);
/* A newer session of its user takes its place: code 5. The peer seems to be gone, so it ends with
 * this turn, without lingering. */
void conn_replace(struct conn *conn);
/* Takes every queued entry with a ticket of which no byte has been sent out of the queue, in order,
 * and hands the tickets to FN instead of completing them. */
void conn_take_queued(struct conn *conn, void (*fn)(struct ticket *ticket, void *arg), void *arg);
/* The ticket of the queued entry that has been sent in part, NULL if there is none or nobody asks.
 * The caller may put another one in its place. */
struct ticket *conn_begun_ticket(struct conn *conn);
bool conn_has_queued(const struct conn *conn);
/* Peer address as text into OUT (at least INET6_ADDRSTRLEN). */
void conn_peer(const struct conn *conn, char *out, size_t len);
/* Connections of the whole process. */
int64_t conn_total(void);
/* BYTES are kept in memory for this connection, which is not authenticated. False: that is too much
 * for all such connections together, and it is to be refused; counted all the same. */
bool conn_keep(struct conn *conn, size_t bytes);
/* The longest body that it may send in its present state. */
size_t conn_max_body(const struct conn *conn);
/* Kicks it for a body that is longer. */
void conn_kick_too_large(struct conn *conn);
/* Asserts that state and fields agree. */
void conn_check(const struct conn *conn);

#endif
