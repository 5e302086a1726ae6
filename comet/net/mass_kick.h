/* mass_kick.h - kicks many connections without a stampede: so many a second that the last one is
 * kicked within the given time. Owner loop only. */
#ifndef IMC_COMET_NET_MASS_KICK_H
#define IMC_COMET_NET_MASS_KICK_H

#include "common/protocol/ops.h"
#include <stdbool.h>
#include <stdint.h>

struct frontend;
struct worker;

/* Kicks every connection with CODE, spread over OVER_MS, but at least drain.rate a second. Calls
 * DONE when none is left. */
void mass_kick_all(struct worker *worker, enum close_code code, const char *reason,
                   uint64_t over_ms, void (*done)(struct worker *worker));
/* Kicks the sessions that are in a room now, or with ALL every session there is now, because they
 * missed a message. The code is 12, the pace as above. */
void mass_kick_recall(struct worker *worker, bool all, uint64_t over_ms);
/* Once per frontend. */
void mass_kick_open(struct frontend *frontend);
/* To be called before the last turns of the loop. */
void mass_kick_close(struct frontend *frontend);

#endif
