/* held_joins.h - whoever has entered a room is told so when all jobs know of the room
 * (fanout/room_claims.h). From then on the session misses nothing. Owner loop only.
 *
 *   enters a room ─► held_joins_reply ─┬─ all its rooms are known ─────────────► reply
 *                    held_joins_admit  └─ held, until held_joins_known ──┘
 *
 * A session has at most one held answer, and nothing more that it sends is handled meanwhile
 * (conn_hold). Jobs have ROOM_GRANT_OVER_MS (common/protocol/room_news.h) to answer, so the wait
 * has an end. */
#ifndef IMC_COMET_SESSION_HELD_JOINS_H
#define IMC_COMET_SESSION_HELD_JOINS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct client_request;
struct conn;
struct held_joins;
struct worker;

/* Sets worker->held. */
void held_joins_open(struct worker *worker);
/* The answers that are held are not given. worker->held may be NULL. */
void held_joins_close(struct worker *worker);
/* Answers REQUEST of CONN, which is open, with operation OP and the body that is given. */
void held_joins_reply(struct conn *conn, const struct client_request *request, int32_t op,
                      const void *body, size_t body_len);
/* Calls ADMIT(conn, HELLO), at once or later, unless CONN has ended by then. CONN is
 * CONN_CONNECTING. */
void held_joins_admit(struct conn *conn, void (*admit)(struct conn *conn, bool hello), bool hello);
/* room_claims_known_fn. */
void held_joins_known(struct worker *worker, bool outwaited);

#endif
