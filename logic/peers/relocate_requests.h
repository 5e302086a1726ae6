/* relocate_requests.h - a comet sends sessions away, and asks where their clients may go. Main loop
 * only. */
#ifndef IMC_LOGIC_PEERS_RELOCATE_REQUESTS_H
#define IMC_LOGIC_PEERS_RELOCATE_REQUESTS_H

struct session_batch;

/* Fills the results of the batch's relocates, at once: nodes/nodes.h knows all comets. */
void relocates_start(struct session_batch *sb);

#endif
