/* room_ops.h - a session enters and leaves rooms: at auth, and by operations 12 and 20 to 23. Owner
 * loop only.
 *
 * A list of rooms is their names, separated by commas. */
#ifndef IMC_COMET_SESSION_ROOM_OPS_H
#define IMC_COMET_SESSION_ROOM_OPS_H

#include <stdbool.h>
#include <stddef.h>

struct client_request;
struct conn;

/* CONN enters room NAME as its main one; or those of LIST beside it. False: it was kicked, because
 * a name is not valid, or too many rooms are entered. */
bool room_op_enter_main(struct conn *conn, const char *name, size_t len);
bool room_op_enter(struct conn *conn, const void *list, size_t len);

/* Operations 20 and 22. The reply has no body. */
void client_op_join(struct conn *conn, const struct client_request *request);
void client_op_leave(struct conn *conn, const struct client_request *request);

#endif
