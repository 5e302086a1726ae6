/* conn_internal.h - what only the frontend's own files may do with a connection. Owner loop only.
 *
 *   listener ─► conn_accept ─► conn_on_event ─► writable: conn_write_flush
 *                                            └► readable: conn_read_ready
 *
 * A connection that breaks inside a call does not end there, because the callers still use it.
 * conn_break() puts it on the frontend's chain, as does other work that is due after the callers
 * have returned. conn_attend_all() works through the chain at the end of the turn. */
#ifndef IMC_COMET_NET_CONN_INTERNAL_H
#define IMC_COMET_NET_CONN_INTERNAL_H

#include "comet/net/conn.h"
#include "comet/net/frontend_internal.h"

/* --- conn.c: life --- */
/* Takes over FD, which must be non-blocking. */
struct conn *conn_accept(struct frontend *frontend, int fd, bool is_ws);
/* Ends the connection now. Only for the frontend's own callbacks, never inside a write or a
 * handler. */
void conn_close(struct conn *conn);
/* The socket failed: nothing more is written, and the connection ends at the end of the turn. */
void conn_break(struct conn *conn);
/* What came while nothing was read is handled at the end of the turn. */
void conn_read_later(struct conn *conn);
/* The output queue became empty: the event `drained` comes at the end of the turn. */
void conn_note_drained(struct conn *conn);
void conn_attend_all(struct loop *loop, struct loop_task *task);
/* The poller's callback. */
void conn_on_event(void *socket, uint32_t events);
/* Tells the poller what the connection waits for. */
void conn_poll_update(struct conn *conn);
/* A sign of life. */
void conn_heard(struct conn *conn);
/* The WebSocket handshake is over: CONN_HANDSHAKE becomes CONN_AUTH. */
void conn_upgraded(struct conn *conn);
void conn_on_timer(struct wheel *wheel, struct wheel_timer *timer);

/* --- conn_write.c --- */
/* Hands bytes to the socket as they are. Returns how many the kernel took, 0 if it has no room, or
 * -E…. */
ssize_t conn_write_socket(struct conn *conn, const struct iovec *iov, int n);
void conn_write_flush(struct conn *conn);
/* Between the two calls, replies to a client gather in a buffer. Thousands of tiny frames in one
 * read are so answered by a few writes. Any other write to the connection sends the gathered
 * replies first. */
void conn_write_cork(struct conn *conn);
void conn_write_uncork(struct conn *conn);
/* Writes a reply, given as bytes on the wire. Beyond the queue's limit the connection is kicked as
 * too slow. */
void conn_write_reply(struct conn *conn, const struct iovec *iov, int n);
/* Writes our last words: in any state but CONN_CLOSED, and beyond the queue's limit. */
void conn_write_force(struct conn *conn, const struct iovec *iov, int n);
/* Drops the queue and its tickets. */
void conn_write_drop(struct conn *conn);
/* Timer callback: finds the connections whose queue has stalled. */
void conn_write_on_scan(uv_timer_t *timer);

/* --- conn_close.c: ways into CONN_CLOSING, and out of it --- */
/* Answers with an HTTP error instead of the upgrade. TEXT is the whole response. */
void conn_close_http(struct conn *conn, char *text, size_t len);
/* The client violated RFC 6455: sends a close frame with CODE (1002, 1007, 1009) and REASON. */
void conn_close_ws_fail(struct conn *conn, uint16_t code, const char *reason);
/* Like conn_kick() with KICK, but the WebSocket close has CODE, one of RFC 6455. */
void conn_close_ws_kick(struct conn *conn, enum close_code kick, uint16_t code, const char *reason);
/* The peer's close frame came; CODE 0: it had none. It is answered, then the connection ends. */
void conn_close_ws_peer(struct conn *conn, uint16_t code);
/* The last queued byte is gone. */
void conn_close_flushed(struct conn *conn);
/* The peer has sent its FIN. */
void conn_close_eof(struct conn *conn);

static inline struct frontend *conn_frontend(const struct conn *conn)
{
    return conn->worker->frontend;
}

static inline void conn_count(const struct conn *conn, size_t metric, int64_t by)
{
    metric_add(conn->worker->counters, metric, by);
}

/* Builds for finding bugs check the invariants after every change of state. */
#if defined(__SANITIZE_ADDRESS__) || !defined(__OPTIMIZE__)
#define conn_checked(conn) conn_check(conn)
#else
#define conn_checked(conn) ((void)(conn))
#endif

#endif
