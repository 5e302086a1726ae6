/* settle_requests.h - handles imc.v1.Logic/Settle. A message that reached no session is stored in
 * the mailbox, and then the router is asked again. connect.h does it the other way round. Main loop
 * only. */
#ifndef IMC_LOGIC_PEERS_SETTLE_REQUESTS_H
#define IMC_LOGIC_PEERS_SETTLE_REQUESTS_H

#include "logic/peers/streams.h"
#include "proto/session.pb-c.h"

void settle_requests_handle(struct stream_batch *batch);

#endif
