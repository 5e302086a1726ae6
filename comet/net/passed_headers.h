/* passed_headers.h - headers of a client's WebSocket handshake that logic, and by it the business,
 * is to see (ws.pass_headers): cookies, for example. They are kept from the handshake to the auth,
 * beside the connection, which has no room for what few have. Owner loop only.
 *
 * They may be secrets: they are overwritten before they are freed. */
#ifndef IMC_COMET_NET_PASSED_HEADERS_H
#define IMC_COMET_NET_PASSED_HEADERS_H

#include "comet/net/conn.h"

struct msg;

/* Keeps those of REQUEST, a handshake that was taken. False: they are longer than
 * ws.pass_headers_max, and the client has to be refused. */
bool passed_headers_keep(struct conn *conn, const uint8_t *request, size_t len);
/* Bytes that are kept for CONN. */
size_t passed_headers_held(const struct conn *conn);
/* Lines "name: value\n", for the caller to unref. NULL: there are none. Nothing is kept any
 * more. */
struct msg *passed_headers_take(struct conn *conn);
void passed_headers_drop(struct conn *conn);

#endif
