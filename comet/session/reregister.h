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

struct answer;
struct conn;
struct registrar;
struct worker;

struct registrar *registrar_open(struct worker *worker);
void registrar_close(struct registrar *registrar);
/* worker->view has changed. */
void registrar_update(struct registrar *registrar);
/* Logic has admitted CONN; ANSWER tells under which ring and epoch it was put. */
void registrar_admitted(struct registrar *registrar, struct conn *conn,
                        const struct answer *answer);
/* CONN's session ends. */
void registrar_closed(struct registrar *registrar, struct conn *conn);
/* Has routers forget a session, however often that takes. */
void registrar_disconnect(struct registrar *registrar, uint64_t handle, int64_t uid);
/* Everything this loop has is known to the routers of worker->view. */
bool registrar_complete(const struct registrar *registrar);

#endif
