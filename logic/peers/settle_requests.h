/* settle_requests.h - imc.v1.Logic/Settle: messages that found nobody go into the mailbox, then the
 * router is asked again. A connect does it the other way round (connect.h). Main loop only. */
#ifndef IMC_LOGIC_PEERS_SETTLE_REQUESTS_H
#define IMC_LOGIC_PEERS_SETTLE_REQUESTS_H

#include "logic/peers/streams.h"
#include "proto/session.pb-c.h"

void settle_requests_handle(struct stream_batch *batch);

#endif
