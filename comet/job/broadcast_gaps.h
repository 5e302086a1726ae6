/* broadcast_gaps.h - whether every message to rooms and to all came here, although others took this
 * comet for dead for a while: what jobs vouch for (push.proto, Standing), per partition of the bus.
 *
 *   epoch E, partition 3: (fence, link) ── our lease lapsed: epoch E' ──► in doubt
 *        ▲                                                                  │ under E' comes
 *        │                                                                  │ the same: fine
 *        │                                                                  │ another: MISSED
 *        └──────────────────────────────────────────────────────────────────┘ none in time: MISSED
 *
 * Any thread. */
#ifndef IMC_COMET_JOB_BROADCAST_GAPS_H
#define IMC_COMET_JOB_BROADCAST_GAPS_H

#include "proto/push.pb-c.h"
#include <stdint.h>

/* What may have been missed, bits. */
enum { MISSED_ROOMS = 1, MISSED_ALL = 2 };

struct broadcast_gaps;

struct broadcast_gaps *broadcast_gaps_new(void);
void broadcast_gaps_free(struct broadcast_gaps *standings);
/* Our epoch is EPOCH since NOW_MS. */
void broadcast_gaps_epoch(struct broadcast_gaps *standings, uint64_t epoch, uint64_t now_ms);
/* A job's word of partitions for which it may speak (replay_window.h): the caller has looked. What
 * was missed according to it: told once, and no doubt is left then. */
unsigned broadcast_gaps_take(struct broadcast_gaps *standings, const Imc__V1__Standing *standing);
/* What must be taken for missed because nobody has vouched for it within TIMEOUT_MS of the epoch's
 * beginning; likewise. */
unsigned broadcast_gaps_overdue(struct broadcast_gaps *standings, uint64_t now_ms,
                                uint64_t timeout_ms);

#endif
