/* conn_read.h - reading: a client's bytes become frames and messages. Owner loop only, from the
 * frontend's callbacks.
 *
 * Input is parsed where it was received, in a buffer that all connections of the loop share. Only
 * an incomplete rest is kept with its connection. */
#ifndef IMC_COMET_NET_CONN_READ_H
#define IMC_COMET_NET_CONN_READ_H

#include <stdint.h>
#include <sys/types.h>

struct conn;

/* The socket is readable: reads once, at most FRONTEND_READ bytes, and handles all that came. May
 * close the connection. */
void conn_read_ready(struct conn *conn);
/* Where plaintext of CONN is to be put that comes in next: behind the rest that was kept. */
uint8_t *conn_read_buffer(const struct conn *conn);
/* N bytes of plaintext are there, as from conn_tls_receive(), for which WIRE bytes were read from
 * the socket now. May close the connection. */
void conn_read_decrypted(struct conn *conn, size_t wire, ssize_t n);
/* The connection became CONN_OPEN, or is held no more: handles what the client sent meanwhile. */
void conn_read_resume(struct conn *conn);

#endif
