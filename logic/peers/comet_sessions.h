/* comet_sessions.h - the sessions of a router's answer, comet by comet: what goes to a comet goes
 * there once. Pure. */
#ifndef IMC_LOGIC_PEERS_COMET_SESSIONS_H
#define IMC_LOGIC_PEERS_COMET_SESSIONS_H

#include "logic/router/router_answer.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Takes the sessions from sessions[FROM] on that are on its comet, in the same life, and not TAKEN
 * yet. HANDLES, which has room for them all, gets their handles. Returns how many. */
size_t comet_sessions(const struct router_answer *answer, size_t from, bool *taken,
                      uint64_t *handles);

#endif
