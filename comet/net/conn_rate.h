/* conn_rate.h - how many frames and bytes a client may send a second, in a session: one that sends
 * more is kicked with code 10. Owner loop only.
 *
 * Each has a token bucket of 4 bytes in struct conn (common/base/rate.h). Time is the loop's, so a
 * frame costs two divisions and no system call. Before auth other limits hold: conn.max_auth,
 * conn.strangers, conn.handshake_timeout. */
#ifndef IMC_COMET_NET_CONN_RATE_H
#define IMC_COMET_NET_CONN_RATE_H

#include <stdbool.h>
#include <stddef.h>

struct conn;

/* A session begins, with full buckets. */
void conn_rate_begin(struct conn *conn);
/* A frame came, or on WebSocket a message, a fragment, a ping or a pong. False: it was one too
 * many, and CONN was kicked. */
bool conn_rate_frame(struct conn *conn);
/* The frame that is being handled does not count. */
void conn_rate_give_back(struct conn *conn);
/* The same for N bytes that were read from the socket: over TLS they are ciphertext. */
bool conn_rate_bytes(struct conn *conn, size_t n);

#endif
