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
 * A connection does not know what its bytes mean or what becomes of its messages. It reports to
 * struct conn_events.
 *
 * In CONN_CONNECTING nothing is read, nor while the connection is held (conn_hold). What a client
 * sends after its auth waits until logic has answered, as in imgo.
 *
 * The struct is small on purpose: an idle connection is this struct and a table slot. What only
 * busy or slow connections need is allocated while they need it: input remainder, output queue,
 * catch-up. */
#ifndef IMC_COMET_NET_CONN_H
#define IMC_COMET_NET_CONN_H

#include "comet/wire/push.h"
#include "comet/wire/wire.h"
#include "common/base/list.h"
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
struct goim_client;
struct conn_tls;

/* A session in a room. */
struct seat {
    struct room *room;
    uint32_t index; /* position in room's members */
};

/* The rooms of a session beside its main one. */
struct seats {
    uint32_t n, cap;
    struct seat list[];
};

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
    struct wheel_timer timer; /* handshake, heartbeat or linger deadline, by state */
    struct sendq *out;        /* NULL: nothing queued */
    struct msg *in;           /* unparsed input, NULL: none */
    struct ws *ws;            /* only while a message is being put together; NULL otherwise */
    struct conn_tls *tls;     /* conn_tls.h; NULL: the socket has plaintext */
    struct seat main;         /* fanout/room.h; room NULL: it has no main room */
    struct seats *seats;      /* likewise, in rooms beside that; NULL: none */
    struct catchup *catchup;  /* session/catchup.h; NULL: it is up to date */
    struct goim_client *goim; /* goim_client.h; NULL: imgo's client, or not admitted yet */
    uint32_t kept;            /* bytes counted against conn.strangers: conn_keep() */
    uint32_t frames_full, bytes_full; /* in a session: conn_rate.h */
    uint32_t address;                 /* of the client, 0: not known yet: addresses.h */
    LIST_ENTRY(conn) link;            /* the frontend's list of live or of closing connections */
    struct conn *chain;               /* conn_internal.h: wants attention at the end of the turn */
    uint32_t last_heard;              /* loop time in units of 256 ms */
    int32_t auth_seq;                 /* of the auth frame, for its reply */
    uint16_t auth_version;            /* likewise */
    uint16_t polled;                  /* events the poller watches for */
    int fd;
    uint8_t state;         /* enum conn_state */
    uint8_t wire;          /* enum wire */
    uint16_t lingered_kib; /* thrown away in CONN_CLOSING; each read counts as one at least */
    bool is_ws : 1;
    bool writable_armed : 1;
    bool close_sent : 1; /* WebSocket close frame */
    bool counted : 1;    /* logic knows the session: it must be sent a Disconnect */
    bool registered : 1; /* the current routers know it: session/reregister.h */
    bool recalled : 1;   /* mass_kick_recall() will kick it, because it missed a message */
    bool missed : 1;  /* routers may have taken its user for away. It fetches its mailbox once it is
                         registered, and until then before each push to it is written */
    uint8_t held : 2; /* enum conn_holder: nothing more of it is handled */
    bool upstream : 1;    /* session/upstream.h has something of it */
    bool expires : 1;     /* session/token_ends.h knows when */
    bool renews : 1;      /* session/renewals.h has a further token of it, or had one lately */
    bool renewing : 1;    /* logic has not said yet what that is worth */
    bool by_object : 1;   /* it authenticated with goim's JSON object */
    bool logged : 1;      /* session/session_log.h has it */
    uint8_t end_code : 4; /* enum close_code: why we ended it; CLOSE_NONE: we did not, or without
                             words */
    /* only for the files of net/: */
    bool header_due : 1;     /* a PROXY header comes first: client_address.h */
    bool named : 1;          /* a proxy has named the client's address: client_address.h */
    bool passes : 1;         /* passed_headers.h has something of it */
    bool close_received : 1; /* WebSocket close frame */
    bool paused : 1;         /* not polled for input: CONNECTING or held, and something came */
    bool eof : 1;            /* the peer will send nothing more; we are still flushing */
    bool shut : 1;           /* we have sent our FIN */
    bool by_us : 1;          /* we ended it, not the peer */
    uint8_t controls : 3;    /* WebSocket pings and pongs before auth */
    bool chained : 1, broken : 1, resume : 1, drained : 1; /* conn_internal.h */
    uint32_t opened; /* when CONN_OPEN began, as last_heard; 0: it never did */
};

/* What the layers above are told of a connection. frontend_open() sets it, once. */
struct conn_events {
    /* A client's frame (TCP) or message (WebSocket) in CONN_AUTH or CONN_OPEN; borrowed. The
     * callback may answer or kick. */
    void (*frame)(struct conn *conn, const struct frame *frame);
    void (*message)(struct conn *conn, const struct ws_item *item);
    /* The output queue became empty. Called at the end of the turn, in CONN_OPEN. */
    void (*drained)(struct conn *conn);
    /* The oldest queued entry with a ticket has waited fanout.spill_after. */
    void (*stalled)(struct conn *conn);
    /* CONN_CLOSING or CONN_CLOSED begins: the connection takes no more messages. Called once. */
    void (*leaving)(struct conn *conn);
    /* The connection ended; the tickets of its queue have been dropped. */
    void (*closed)(struct conn *conn);
};

enum write_result {
    WRITE_DONE,   /* the kernel has all of it; the ticket's done() was called */
    WRITE_QUEUED, /* all or a part of it waits; the ticket's done() will be called */
    WRITE_FULL,   /* the queue is at its limit: neither bytes nor ticket were taken */
    WRITE_CLOSED, /* the connection is closing: neither bytes nor ticket were taken */
};

/* Writes at once if nothing is queued, and copies what the kernel did not take. The queue's limit
 * holds for what is added to a queue. A write to an empty queue is always kept whole, however long.
 * After a socket error the result is WRITE_CLOSED; the connection closes at the end of the turn,
 * never inside the call. */
enum write_result conn_write(struct conn *conn, const struct iovec *iov, int n,
                             struct ticket ticket);
/* The same for shared bytes: refers to MSG instead of copying. */
enum write_result conn_write_msg(struct conn *conn, struct msg *msg, struct ticket ticket);
/* One push in the connection's own wire form, in a write of its own. */
enum write_result conn_push(struct conn *conn, const struct push *push, struct ticket ticket);
/* The same for an acknowledged session: with sequence SEQ and the push's id. It has no ticket: what
 * the client acknowledges counts, not what the kernel took. */
enum write_result conn_push_numbered(struct conn *conn, const struct push *push, uint32_t seq);
/* Writes a reply in the connection's wire form. Beyond the queue's limit the connection is kicked
 * as too slow. */
void conn_reply(struct conn *conn, uint16_t version, int32_t op, int32_t seq, const void *body,
                size_t body_len);
/* logic admitted the session: CONN_CONNECTING becomes CONN_OPEN, and the heartbeat deadline
 * replaces the handshake's. The caller sends the auth reply. What the client sent meanwhile is read
 * at the end of the turn. */
void conn_opened(struct conn *conn);
/* What the client sends further is not looked at before conn_let_go(), because the answer to what
 * it has sent is still to come. It stays behind the frame that is being handled, and in the kernel.
 * Meanwhile the client counts as heard of. It is read again, at the end of the turn, when no holder
 * is left. In CONN_OPEN, or in CONN_CONNECTING: the handshake is not late meanwhile. */
enum conn_holder {
    HELD_BY_JOIN = 1,     /* session/held_joins.h */
    HELD_BY_UPSTREAM = 2, /* session/upstream.h */
    HELD_BY_ANY = 3,
};
void conn_hold(struct conn *conn, enum conn_holder holder);
void conn_let_go(struct conn *conn, enum conn_holder holder);
/* Sends operation 6 with CODE and REASON (plain text, no quotes), on WebSocket also close 4000 +
 * CODE; then flushes and closes. Tickets that were not written by then are dropped. Idempotent. */
void conn_kick(struct conn *conn, enum close_code code, const char *reason);
/* Kicks with code 9. MORE are further members of the body of operation 6, `,"name":value…`, at most
 * CONN_MORE_MAX bytes. It may be empty. */
enum { CONN_MORE_MAX = 960 };
void conn_send_away(struct conn *conn, const char *reason, const char *more, size_t more_len);
/* Milliseconds since the last sign of life; may be up to 512 too low, never too high. 0 for a
 * client that is held. */
uint64_t conn_silence(const struct conn *conn);
/* Since it was opened, in ms; right to 256. */
uint64_t conn_open_ms(const struct conn *conn);
/* Kicks with code 5, because a newer session of the user takes its place. The peer seems to be
 * gone, so the connection ends with this turn and does not linger. */
void conn_replace(struct conn *conn, const char *reason);
/* Takes out of the queue, in order, every entry that has a ticket and of which no byte was sent. FN
 * gets the tickets; done() is not called. */
void conn_take_queued(struct conn *conn, void (*fn)(struct ticket *ticket, void *arg), void *arg);
/* The ticket of the entry that was sent in part; NULL if no entry was, or if it has no ticket. The
 * caller may put another ticket in its place. */
struct ticket *conn_begun_ticket(struct conn *conn);
bool conn_has_queued(const struct conn *conn);
/* Bytes that wait in the queue and in the kernel until the peer takes them. */
uint64_t conn_unsent(const struct conn *conn);
/* Peer address as text into OUT (at least INET6_ADDRSTRLEN). */
void conn_peer(const struct conn *conn, char *out, size_t len);
/* Connections of the whole process. */
int64_t conn_total(void);
/* Counts BYTES as kept in memory for this connection, which is not authenticated. False: all such
 * connections together keep too much, and the caller must refuse this one. BYTES are counted even
 * then. */
bool conn_keep(struct conn *conn, size_t bytes);
/* The longest body that the client may send in its present state. */
size_t conn_max_body(const struct conn *conn);
/* Kicks a client whose body is longer than that. */
void conn_kick_too_large(struct conn *conn);
/* Asserts that state and fields agree. */
void conn_check(const struct conn *conn);

#endif
