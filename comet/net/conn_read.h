/* conn_read.h - reading: a client's bytes become frames and messages. Owner loop only, from the
 * frontend's callbacks.
 *
 * Input is parsed where it was received, in a buffer that all connections of the loop share. Only
 * an incomplete rest is kept with its connection. */
#ifndef IMC_COMET_NET_CONN_READ_H
#define IMC_COMET_NET_CONN_READ_H

struct conn;

/* The socket is readable: reads once, at most FRONTEND_READ bytes, and handles all that came. May
 * close the connection. */
void conn_read_ready(struct conn *conn);
/* The connection became CONN_OPEN, or is held no more: handles what the client sent meanwhile. */
void conn_read_resume(struct conn *conn);

#endif
