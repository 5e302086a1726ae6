/* connect.h - admitting sessions. Main loop only.
 *
 *   token ──tokens_find──► uid ──router_put──► known ──mailbox_first──► admitted, with what waits
 *     │ unknown: code 1      │  │ too many: code 6      │ Redis away
 *     │ Redis away: 12       │  └ mismatch, away: again  └► router_del ─► code 12
 *     └──────────────────────┘    every 50 ms until connect.timeout, then router_del ─► code 12
 *
 * Put is answered before the mailbox is read: whoever settles a message meanwhile does it the other
 * way round, so one of the two sees the other (docs/delivery.md). A refusal after a put that may
 * have been applied takes the put back first, unless the comet's stream has ended: then it asks
 * another logic with the same handle, and must not lose it. */
#ifndef IMC_LOGIC_PEERS_CONNECT_H
#define IMC_LOGIC_PEERS_CONNECT_H

#include "logic/peers/session_batch.h"

enum { CONNECT_RETRY_MS = 50, CONNECT_ASKS = 3 };

struct connects *connects_open(struct logic *logic);
/* Those that wait for another try are refused. NULL is fine. */
void connects_close(struct connects *connects);
/* Every connect of the batch; SB->reply.connects is allocated. Each ends in session_batch_drop().
 */
void connects_start(struct session_batch *sb);

#endif
