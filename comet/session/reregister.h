/* reregister.h - keeps the routers' map true: registers a worker's sessions again when routers
 * restart, come or go, or when our own lease had lapsed. Owner loop only.
 *
 *   view changed ─► forget which sessions are registered where the owner moved ─► Register them, in
 * slices ─► all answered
 *        ▲                                                     │ refused: 100 ms ─┘                              │
 *        └──────── complete ◄── Registered answered OK ◄── Registered(loop, loops) to every router ◄─────────────┘
 *                     └─ logic admitted a session under other routers: Register it, then Registered again
 *
 * Until every loop of every live comet has said Registered, routers answer "not complete", and an
 * empty lookup settles nothing. */
#ifndef IMC_COMET_SESSION_REREGISTER_H
#define IMC_COMET_SESSION_REREGISTER_H

#include <stdbool.h>
#include <stdint.h>

struct logic_answer;
struct conn;
struct reregister;
struct worker;

/* REFETCH: a session that others took for dead is known again; what waits for its user is to be
 * fetched. */
struct reregister *reregister_open(struct worker *worker, void (*refetch)(struct conn *conn));
void reregister_close(struct reregister *reregister);
/* worker->view has changed. */
void reregister_update(struct reregister *reregister);
/* Logic has admitted CONN; ANSWER tells under which ring and epoch it was put. */
void reregister_admitted(struct reregister *reregister, struct conn *conn,
                         const struct logic_answer *answer);
/* CONN's session ends. */
void reregister_closed(struct reregister *reregister, struct conn *conn);
/* Has routers forget a session, however often that takes. */
void reregister_disconnect(struct reregister *reregister, uint64_t handle, int64_t uid);
/* Everything this loop has is known to the routers of worker->view. */
bool reregister_complete(const struct reregister *reregister);

#endif
