/* session_requests.h - imc.v1.Logic/Sessions: what comets ask about sessions, in batches.
 *
 * All items of a batch are worked on at the same time and answered together; batches overtake each
 * other. Within a batch the mailbox sees stores, then confirms, then fetches. Main loop only. */
#ifndef IMC_LOGIC_PEERS_SESSION_REQUESTS_H
#define IMC_LOGIC_PEERS_SESSION_REQUESTS_H

#include "logic/peers/streams.h"

void session_requests_handle(struct stream_batch *batch);

#endif
