/* server.h - /imc.v1.Router/Map: batches come in on the rpc thread, are unpacked there, carried out
 * on the main loop and answered from it, in order. */
#ifndef IMC_ROUTER_SERVER_H
#define IMC_ROUTER_SERVER_H

#include "router/router.h"

/* Listens on ADDRESS with the daemon's rpc; main loop. 0 or -E…. */
int server_open(struct router *router, const char *address);
/* Main loop's thread, after the loop ended: ends all streams and runs what they had posted. */
void server_close(struct router *router);

#endif
