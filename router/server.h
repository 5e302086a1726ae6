/* server.h - /imc.v1.Router/Map: the rpc thread takes batches and unpacks them; the main loop
 * carries them out and answers, in order. */
#ifndef IMC_ROUTER_SERVER_H
#define IMC_ROUTER_SERVER_H

#include "router/router.h"

/* Listens on ADDRESS with the daemon's rpc; main loop. 0 or -E…. */
int server_open(struct router *router, const char *address);
/* Main loop's thread, after the loop has ended: ends all streams and runs the requests that they
 * had posted. */
void server_close(struct router *router);

#endif
