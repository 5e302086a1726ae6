/* send_away.h - a drain: sessions are told to go to other comets, which logic names. Owner loop
 * only.
 *
 *   mass_kick_all ─► send_away_ask ── Relocate ──► logic: nodes/nodes.h
 *                    conn_send_away ◄── done ────┘ or nothing within a second: no names
 *
 * Sessions that are asked about in one turn share a batch. */
#ifndef IMC_COMET_SESSION_SEND_AWAY_H
#define IMC_COMET_SESSION_SEND_AWAY_H

#include <stddef.h>

struct conn;
struct relocation;

/* For struct mass_kick_plan. */
void send_away_ask(struct conn *conn);
extern const char send_away_reason[];
/* Writes the members of operation 6 that TO makes, `,"nodes":[…],"wss":[…],"backoff":{…}` (for a
 * client on TCP "tcps" in place of "wss"), into OUT (CONN_MORE_MAX bytes). Returns how many bytes;
 * 0: TO names no comet. Public for tests. */
size_t send_away_members(const struct relocation *to, char *out);

#endif
