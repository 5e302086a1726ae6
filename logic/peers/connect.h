/* connect.h - admits sessions. Main loop only. What a goim client sends instead of a token is taken
 * apart by goim_connect.h first.
 *
 *   token ──tokens_find──► uid ──router_put──► known ──mailbox_first──► admitted, with what waits
 *     │ unknown: code 1      │  │ too many: code 6       │ Redis away
 *     │ Redis away: 12       │  └ mismatch, away: again  └► router_del ─► code 12
 *     └──────────────────────┘    every 50 ms until connect.timeout, then router_del ─► code 12
 *
 * With auth.url the business is asked in place of Redis who it is (hook/hook.h): a token, or what
 * else the client sent, ──hook_ask──► uid.
 *
 * While the mailbox is read, older sessions with the key of a goim client are told to give way
 * (give_way.h, sessions.same_key), and Redis also notes whose the key of a goim client is
 * (device_keys.h). The session is admitted after both, because a push to the key would be skipped
 * before.
 *
 * With events.log a session is let in only when Kafka has the record that says so (docs/events.md).
 *
 * The router has answered the put before the mailbox is read. settle_requests.h does it the other
 * way round: it stores a message before it asks the router. So one of the two always sees the other
 * (docs/delivery.md).
 *
 * If a put may have been carried out and the session is refused, the put is taken back first. There
 * is one exception: the comet's stream has ended. Then the comet asks another logic with the same
 * handle, and that put must stay. */
#ifndef IMC_LOGIC_PEERS_CONNECT_H
#define IMC_LOGIC_PEERS_CONNECT_H

#include "logic/hook/hook.h"
#include "logic/peers/session_batch.h"

enum { CONNECT_RETRY_MS = 50, CONNECT_ASKS = 3 };

struct connects *connects_open(struct logic *logic);
/* Refuses the connects that wait for another try. NULL is fine. */
void connects_close(struct connects *connects);
/* Starts every connect of the batch. SB->reply.connects is allocated before. Each ends in
 * session_batch_drop(). */
void connects_start(struct session_batch *sb);
/* Asks auth.url, by the batch's deadline. QUESTION has what is known of the client; the rest is
 * filled in. WIRE is comet's. */
void connect_asks_business(struct session_batch *sb, struct hook_question *question, uint32_t wire,
                           hook_fn fn, void *arg);

#endif
