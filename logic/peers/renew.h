/* renew.h - a client that is let in shows another token: until when may its session stay? Main loop
 * only.
 *
 *   renews_start ─┬─ tokens_find ──┬─► the same user, the same key? ─► revoked_check ─► RenewResult
 *                 └─ hook_ask ─────┘   (auth.url: the business is asked again)
 *
 * Nothing else of the session changes: neither its rooms nor its operations. */
#ifndef IMC_LOGIC_PEERS_RENEW_H
#define IMC_LOGIC_PEERS_RENEW_H

#include "logic/peers/session_batch.h"

/* Starts the batch's renews, which are counted as pending already. After connects_start(), which
 * sets the deadline. */
void renews_start(struct session_batch *sb);

#endif
