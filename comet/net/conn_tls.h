/* conn_tls.h - TLS between a connection and its socket. Owner loop only. For a connection without
 * TLS conn->tls is NULL, and nothing here is called.
 *
 *   accept ─► nothing came ─► the client's hello waits ─► handshake under way ─► open ─► closed
 *                             conn_tls_shake_all(), a few a turn: a hello costs CPU
 *
 * Plaintext never waits in TLS: each read takes out all that came whole. So a connection that is
 * held or paused leaves its bytes in the kernel, as one without TLS does.
 *
 * With tls.kernel the kernel may seal what is sent (common/tls/kernel.h). Then bytes are written as
 * without TLS, and the engine only has its alerts and KeyUpdates to send.
 *
 * Else written bytes become a record of at most 16 KiB. The kernel may take a part of the record
 * only. Its plaintext then counts as not sent, although it cannot be taken back: `begun`. The rest
 * of the record is kept, and the caller shows the same plaintext again when the socket is writable.
 */
#ifndef IMC_COMET_NET_CONN_TLS_H
#define IMC_COMET_NET_CONN_TLS_H

#include "comet/net/conn_internal.h"
#include <sys/types.h>

struct tls_server;

struct conn_tls {
    struct conn *conn;
    struct tls_server *server;
    struct tls_engine *engine;   /* NULL: nothing has come yet */
    size_t begun;                /* plaintext of the record of which the kernel has taken a part */
    TAILQ_ENTRY(conn_tls) link;  /* of those that wait for their turn */
    bool waits : 1, counted : 1; /* in that list; among frontend_tls.shaking */
    bool open : 1;               /* counted by who seals: the kernel or the daemon */
};

/* What a loop with a TLS listener has. */
struct frontend_tls {
    struct frontend *frontend;
    void (*has_room)(struct frontend *frontend);
    struct slab *conns;
    uint8_t *in;                    /* what a socket gives */
    uint8_t *plain;                 /* pieces of a record, gathered */
    TAILQ_HEAD(, conn_tls) waiting; /* a hello has come: oldest first */
    size_t shaking;                 /* hello has come, and the handshake is not over */
    struct loop_task shake;
    bool kernel; /* is asked to seal what is sent: tls.kernel */
};

/* NULL if no listener of the loop speaks TLS. HAS_ROOM is called when fewer handshakes than
 * conn.handshakes are under way again. */
struct frontend_tls *frontend_tls_open(struct frontend *frontend,
                                       void (*has_room)(struct frontend *frontend));
void frontend_tls_close(struct frontend_tls *tls);
/* Are as many handshakes under way as conn.handshakes allows? */
bool frontend_tls_is_full(const struct frontend *frontend);

/* Right after conn_accept(). */
void conn_tls_begin(struct conn *conn, struct tls_server *server);
/* The connection ends. Says so to a client that has said so. */
void conn_tls_end(struct conn *conn);
/* True also for a connection without TLS. */
static inline bool conn_tls_is_open(const struct conn *conn);
bool conn_tls_handshake_over(const struct conn_tls *tls);

/* The socket is readable: takes at most MOST bytes from it, says in WIRE how many, writes their
 * plaintext to BUF, which has FRONTEND_READ bytes, and returns its length. 0: nothing yet, or the
 * end, see conn_tls_is_over(). -E…: the socket failed. */
ssize_t conn_tls_receive(struct conn *conn, uint8_t *buf, size_t most, size_t *wire);
/* Has the peer ended, or broken, its side? */
bool conn_tls_is_over(const struct conn *conn);
/* As send_iov() of conn_write.c: bytes of plaintext that the kernel has, or -E…. */
ssize_t conn_tls_send(struct conn *conn, const struct iovec *iov, int n);
/* Sends what waits in TLS. 0: all of it is sent. 1: some still waits. -E…: the socket failed. */
int conn_tls_flush(struct conn *conn);
bool conn_tls_has_output(const struct conn *conn);
/* We write nothing more. As conn_tls_flush(). */
int conn_tls_close(struct conn *conn);
/* Bytes of memory to be counted against conn.strangers. */
size_t conn_tls_kept(const struct conn *conn);

static inline bool conn_tls_is_open(const struct conn *conn)
{
    return conn->tls == NULL || conn_tls_handshake_over(conn->tls);
}

/* The first bytes of the queue that TLS has, and the kernel not whole. */
static inline size_t conn_tls_begun(const struct conn *conn)
{
    return conn->tls != NULL ? conn->tls->begun : 0;
}

#endif
