/* session_requests.h - handles imc.v1.Logic/Sessions: batches of comets' requests about sessions.
 * Main loop only.
 *
 * All items of a batch are handled at the same time and answered together. A later batch may be
 * answered earlier. Within a batch the mailbox gets stores first, then confirms, then fetches. */
#ifndef IMC_LOGIC_PEERS_SESSION_REQUESTS_H
#define IMC_LOGIC_PEERS_SESSION_REQUESTS_H

#include "logic/peers/streams.h"

void session_requests_handle(struct stream_batch *batch);

#endif
