/* acks.h - what an acknowledged session was sent and has not acknowledged (docs/protocol.md,
 * "Acknowledged sessions"). Owner loop only.
 *
 * Where a message is safe while the client has it and has not acknowledged it:
 *
 *   acks_push ─► ON_BUS: its ticket is open, so job has no answer, and Kafka keeps the message
 *                  │  │ not acknowledged for session.ack_wait: job is told that nobody took it
 *                  │  └─► SETTLING ── a poke has its id ──────────────────────────► IN_MAILBOX
 *   acks_push ─────┼────────────────────────────────── read from the mailbox ────────────► │
 *                  │                                                                       │
 *      acknowledged: job is told that it was taken                  acknowledged: confirmed
 *      the session ends: job settles it                   the session ends: it stays there
 *
 * What was acknowledged in SETTLING is confirmed when its poke comes.
 *
 * A session that asked for no acknowledgements has no struct acks. */
#ifndef IMC_COMET_SESSION_ACKS_H
#define IMC_COMET_SESSION_ACKS_H

#include "comet/net/conn.h"
#include "comet/net/goim_client.h"
#include "comet/wire/push.h"
#include "common/containers/wheel.h"
#include <stdbool.h>
#include <stdint.h>

struct client_request;

/* What was sent and not acknowledged. The place in the ring gives the sequence. */
struct unacked {
    uint64_t id;
    uint64_t since_ms;    /* when its ticket was taken */
    struct ticket ticket; /* no ops: SETTLING */
};

/* Set by catchup.c, which reads the mailbox. */
struct acks_mailbox {
    /* The session can be sent more. */
    void (*room)(struct conn *conn);
    /* It had message ID. */
    void (*confirm)(struct conn *conn, uint64_t id);
    /* The ticket of message ID, which is in the mailbox. Written, it is confirmed. */
    struct ticket (*ticket)(const struct conn *conn, uint64_t id);
};

struct acks {
    struct conn *conn;
    const struct acks_mailbox *mailbox;
    struct wheel_timer timer; /* set while a message is ON_BUS, or the session waits for room */
    uint32_t acked;           /* sequence that was acknowledged last */
    uint32_t first, n, cap;   /* of the ring; cap is a power of two, or 0 */
    uint32_t n_late;
    struct unacked *ring;
    uint64_t *late; /* ids acknowledged in SETTLING, oldest first; at most session.ack_window */
};

/* NULL: CONN's client acknowledges nothing. */
static inline struct acks *acks_of(const struct conn *conn)
{
    return conn->goim != NULL ? conn->goim->acks : NULL;
}

/* CONN was admitted as an acknowledged session. */
void acks_begin(struct conn *conn, const struct acks_mailbox *mailbox);
/* The connection ends: what was not acknowledged is settled, or stays in the mailbox. */
void acks_end(struct conn *conn);
/* Sends PUSH with the next sequence. TICKET ends when the client has acknowledged it. WRITE_FULL:
 * as from conn_push(), or session.ack_window messages are not acknowledged. */
enum write_result acks_push(struct conn *conn, const struct push *push, struct ticket ticket);
/* One push in the session's own way. */
static inline enum write_result acks_write(struct conn *conn, const struct push *push,
                                           struct ticket ticket)
{
    return acks_of(conn) != NULL ? acks_push(conn, push, ticket) : conn_push(conn, push, ticket);
}
/* True: no more can be sent until the client acknowledges. */
bool acks_full(const struct acks *acks);
/* Job brings message ID to CONN. True: CONN was sent it before, and TICKET is taken. */
bool acks_again(struct conn *conn, uint64_t id, struct ticket ticket);
/* Message ID is in the mailbox; POKED: a poke says so. True: CONN was sent it before, and needs not
 * fetch it. */
bool acks_kept(struct conn *conn, uint64_t id, bool poked);
/* The ticket of message ID ended as written, for CONN or, if that is NULL, for one that has gone: a
 * delivery. WAITING: it came from the mailbox. How late it was is counted here, unless its client
 * acknowledges: then that was counted before. */
void acks_written(struct worker *worker, const struct conn *conn, uint64_t id, bool waiting);
/* Operation 18 */
void acks_take(struct conn *conn, const struct client_request *request);
/* The callback of worker->ack_wheel. */
void acks_on_timer(struct wheel *wheel, struct wheel_timer *timer);

#endif
