/* mass_kick.h - telling many connections to go without a stampede: so many a second that all of
 * them know within the given time. Owner loop only. */
#ifndef IMC_COMET_NET_MASS_KICK_H
#define IMC_COMET_NET_MASS_KICK_H

#include "common/protocol/ops.h"
#include <stdbool.h>
#include <stdint.h>

struct frontend;
struct worker;

/* Kicks every connection with CODE, spread over OVER_MS, or sooner at drain.rate; DONE when none is
 * left. */
void mass_kick_all(struct worker *worker, enum close_code code, const char *reason,
                   uint64_t over_ms, void (*done)(struct worker *worker));
/* Likewise the sessions that are in a room now, or (ALL) every session there is now, with code 12:
 * they missed something. */
void mass_kick_recall(struct worker *worker, bool all, uint64_t over_ms);
/* Once per frontend. */
void mass_kick_open(struct frontend *frontend);
/* Before the loop's last turns. */
void mass_kick_close(struct frontend *frontend);

#endif
