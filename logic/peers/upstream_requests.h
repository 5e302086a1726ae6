/* upstream_requests.h - what clients send to the business, as comets hand it over. Main loop
 * only. */
#ifndef IMC_LOGIC_PEERS_UPSTREAM_REQUESTS_H
#define IMC_LOGIC_PEERS_UPSTREAM_REQUESTS_H

#include "logic/peers/session_batch.h"

/* Starts the batch's upstreams. Each has its result, and has called session_batch_drop(), when
 * each of its frames is done. */
void upstreams_start(struct session_batch *sb);

#endif
