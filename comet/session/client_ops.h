/* client_ops.h - what a client may ask for: one row per operation. Owner loop only.
 *
 * The functions are conn_events' frame and message (net/conn.h). Each does what the client asks and
 * answers, or kicks the connection. */
#ifndef IMC_COMET_SESSION_CLIENT_OPS_H
#define IMC_COMET_SESSION_CLIENT_OPS_H

struct conn;
struct frame;
struct ws_item;

void client_op_frame(struct conn *conn, const struct frame *frame);
void client_op_message(struct conn *conn, const struct ws_item *item);

#endif
