/* goim_ops.h - what a session of goim v2's client family is, and what its client may ask for.
 * Owner loop only. docs/protocol.md has the operations. */
#ifndef IMC_COMET_SESSION_GOIM_OPS_H
#define IMC_COMET_SESSION_GOIM_OPS_H

#include <stdbool.h>
#include <stddef.h>

struct admission;
struct client_request;
struct conn;
struct push;
struct ticket;

/* Room for a key and an id whose every byte has to be escaped. */
enum { GOIM_HELLO_MAX = 2048 };

/* Logic has admitted CONN as RESULT says: sets conn->goim. */
void goim_admitted(struct conn *conn, const struct admission *result);
/* Does CONN, a goim session, not accept PUSH? Then TICKET is done. */
bool goim_declines(struct conn *conn, const struct push *push, const struct ticket *ticket);
/* Writes the body of the auth reply for a client that asked for one; returns its bytes. */
size_t goim_hello(const struct conn *conn, char body[GOIM_HELLO_MAX]);

/* Rows of client_ops.c: each does what the client asks in CONN_OPEN, and answers, or kicks. */
void goim_op_heartbeat(struct conn *conn, const struct client_request *request);
void goim_op_change_room(struct conn *conn, const struct client_request *request);
void goim_op_subscribe(struct conn *conn, const struct client_request *request);
void goim_op_unsubscribe(struct conn *conn, const struct client_request *request);
/* Every operation without a row of its own. */
void goim_op_other(struct conn *conn, const struct client_request *request);

#endif
