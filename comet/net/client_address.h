/* client_address.h - which address a connection comes from, and whether that may have one more.
 * Owner loop only.
 *
 *   accept ─► client_address_accept ─┬─ no proxy: the socket's address ─► addresses_enter
 *                                    ├─ proxy.protocol ─► client_address_header: the proxy's word
 *                                    └─ refused: the caller closes the socket
 *   handshake from proxy.trusted ─► client_address_forwarded: X-Forwarded-For
 *   conn_close ─► client_address_closed ─► addresses_leave
 *
 * A stranger that is refused at accept gets a reset and no word: he has sent nothing but a SYN, and
 * every word would cost us more than him. Behind a proxy that speaks HTTP he gets status 429.
 *
 * Only connections whose address is not the socket's take memory for it, some 50 bytes in a table
 * of the loop. */
#ifndef IMC_COMET_NET_CLIENT_ADDRESS_H
#define IMC_COMET_NET_CLIENT_ADDRESS_H

#include "common/net/network.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct comet_config;
struct conn;
struct frontend;
struct ws_accepted;

/* Once per frontend. */
void client_address_open(struct frontend *frontend);
/* When every connection has ended. */
void client_address_close(struct frontend *frontend);
/* Checks conn.trusted and the section [proxy]. 0, or -EINVAL, and ERR says what is wrong. */
int client_address_check(const struct comet_config *config, char *err, size_t errlen);

struct client_arrival {
    uint32_t ref;    /* addresses.h; 0: none yet */
    bool header_due; /* a PROXY header has to come first */
    const char *why; /* for the log, if it is refused */
};

/* A connection came from PEER. False: it is refused, and was counted. */
bool client_address_accept(struct frontend *frontend, const union endpoint *peer,
                           struct client_arrival *arrival);
/* CONN is that connection; NULL: it could not be had. */
void client_address_begin(struct frontend *frontend, struct conn *conn,
                          const struct client_arrival *arrival);
/* CONN is readable, and conn->header_due. True: the header has been read and taken off the stream,
 * and what follows belongs to the client. False: more has to come, or the connection was broken. */
bool client_address_header(struct conn *conn);
/* A WebSocket handshake came. False: the address that a proxy named has too many connections, and
 * the caller refuses it with status 429. */
bool client_address_forwarded(struct conn *conn, const struct ws_accepted *accepted);
/* The deadline of the handshake has come. True: the header did not, which was counted; the caller
 * closes. */
bool client_address_is_late(const struct conn *conn);
void client_address_closed(struct conn *conn);
/* The address of the client. False: it has gone meanwhile. */
bool client_address_get(const struct conn *conn, struct ip *out);

#endif
