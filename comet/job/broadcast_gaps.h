/* broadcast_gaps.h - finds out whether messages to rooms and to all are missing here, after others
 * took this comet for dead. It remembers what jobs vouch for (push.proto, Standing), per partition
 * of the bus.
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

/* What may have been missed; bits. */
enum { MISSED_ROOMS = 1, MISSED_ALL = 2 };

struct broadcast_gaps;

struct broadcast_gaps *broadcast_gaps_new(void);
void broadcast_gaps_free(struct broadcast_gaps *standings);
/* Our epoch is EPOCH, since NOW_MS. */
void broadcast_gaps_epoch(struct broadcast_gaps *standings, uint64_t epoch, uint64_t now_ms);
/* Takes what a job vouches for. The caller has checked that the job may speak for these partitions
 * (replay_window.h). Returns what may have been missed. It is returned once: all partitions then
 * count as vouched for. */
unsigned broadcast_gaps_take(struct broadcast_gaps *standings, const Imc__V1__Standing *standing);
/* Returns, once, what may have been missed because an owner has not vouched within TIMEOUT_MS of
 * the epoch's beginning. */
unsigned broadcast_gaps_overdue(struct broadcast_gaps *standings, uint64_t now_ms,
                                uint64_t timeout_ms);

#endif
