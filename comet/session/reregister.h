/* reregister.h - keeps the routers' map true: registers a worker's sessions again when routers
 * restart, come or go, or when our own lease had lapsed. Owner loop only.
 *
 *   reregister_update: the view changed; sessions with a new owner are no longer registered
 *      │
 *      ▼
 *   WALKING ── reregister_walk: Register, in slices ─► register_done: all are answered
 *      ▲ ▲                                                   │        │
 *      │ └─ reregister_on_retry, after 100 ms ◄── refused ───┘        │ reregister_announce
 *      │                                                              ▼
 *      │     COMPLETE ◄── announced: OK ── ANNOUNCED: Registered(loop, loops) to every router
 *      └─ from both: logic admitted a session under other routers; from ANNOUNCED: refused
 *
 * Routers answer "not complete" until every loop of every live comet has said Registered. Before
 * that, a lookup that finds no session does not prove that the user is away.
 *
 * Clients of goim that name a key are registered again and again, in rounds of
 * worker->keys_refresh_ms. Otherwise logic would forget whose key it is, since it cannot know which
 * sessions are still open. */
#ifndef IMC_COMET_SESSION_REREGISTER_H
#define IMC_COMET_SESSION_REREGISTER_H

#include <stdbool.h>
#include <stdint.h>

struct logic_answer;
struct conn;
struct reregister;
struct worker;

/* REFETCH is called for a session that others took for dead and that is known again. It fetches
 * what waits for its user. */
struct reregister *reregister_open(struct worker *worker, void (*refetch)(struct conn *conn));
void reregister_close(struct reregister *reregister);
/* worker->view has changed. */
void reregister_update(struct reregister *reregister);
/* Logic has admitted CONN; ANSWER tells for which ring and epoch. */
void reregister_admitted(struct reregister *reregister, struct conn *conn,
                         const struct logic_answer *answer);
/* CONN's session ends. */
void reregister_closed(struct reregister *reregister, struct conn *conn);
/* Makes routers forget a session; tries until they have. */
void reregister_disconnect(struct reregister *reregister, uint64_t handle, int64_t uid);
/* For tests. True: the routers of worker->view know all sessions of this loop. */
bool reregister_complete(const struct reregister *reregister);

#endif
