/* session_event_requests.h - which sessions have ended, or are open in a new epoch, as comets say
 * it: into the log of sessions. Main loop only. */
#ifndef IMC_LOGIC_PEERS_SESSION_EVENT_REQUESTS_H
#define IMC_LOGIC_PEERS_SESSION_EVENT_REQUESTS_H

#include "logic/peers/session_batch.h"

/* Starts the batch's session_events. The batch waits for their records: for each that Kafka has, or
 * that failed, session_batch_drop() is called. */
void session_events_start(struct session_batch *sb);

#endif
