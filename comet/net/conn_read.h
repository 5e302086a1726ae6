/* conn_read.h - reading: a client's bytes become frames and messages. Owner loop only, from the
 * frontend's callbacks.
 *
 * Everything is parsed where it was received, in a buffer that the loop's connections share; only
 * an incomplete rest is kept with its connection. */
#ifndef IMC_COMET_NET_CONN_READ_H
#define IMC_COMET_NET_CONN_READ_H

struct conn;

/* The socket is readable: one read of at most FRONTEND_READ bytes, everything in it carried out.
 * May close the connection. */
void conn_read_ready(struct conn *conn);
/* The connection became CONN_OPEN: what came meanwhile. */
void conn_read_resume(struct conn *conn);

#endif
