/* pace.h - limits how often something happens. While it is rare it happens at once; when it is
 * frequent, at most once per period.
 *
 * It is for senders whose cost is per batch: under load their batches grow in size, not in number.
 * The algorithm is a token bucket, kept as the time at which the bucket would be full. Owner only.
 * There is no timer: the caller waits. */
#ifndef IMC_COMMON_BASE_PACE_H
#define IMC_COMMON_BASE_PACE_H

#include "common/base/saturate.h"

struct pace {
    uint32_t period_ms; /* 0: no limit */
    uint32_t burst;     /* how many may happen at once after a pause; at least 1 */
    uint64_t full_ms;
};

/* Milliseconds until it may happen again; 0: now. */
static inline uint64_t pace_wait(const struct pace *pace, uint64_t now_ms)
{
    uint64_t spent = (uint64_t)pace->period_ms * pace->burst;
    uint64_t next = pace->full_ms + pace->period_ms;

    return saturate_sub(next, now_ms + spent);
}

/* Records that it happens now. */
static inline void pace_spend(struct pace *pace, uint64_t now_ms)
{
    pace->full_ms = (pace->full_ms > now_ms ? pace->full_ms : now_ms) + pace->period_ms;
}

#endif
