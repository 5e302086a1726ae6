/* pace.h - how often something may happen: at once while it is rare, not more than once per PERIOD
 * when it is not.
 *
 * For hops whose cost is per batch: under load the batches grow instead of their number. A bucket
 * of tokens, kept as the time at which it would be full. Owner only, no timer of its own. */
#ifndef IMC_COMMON_BASE_PACE_H
#define IMC_COMMON_BASE_PACE_H

#include <stdint.h>

struct pace {
    uint32_t period_ms; /* 0: no limit */
    uint32_t burst;     /* so many at once after a pause; at least 1 */
    uint64_t full_ms;
};

/* Milliseconds until the next one may happen; 0: now. */
static inline uint64_t pace_wait(const struct pace *pace, uint64_t now_ms)
{
    uint64_t spent = (uint64_t)pace->period_ms * pace->burst;
    uint64_t next = pace->full_ms + pace->period_ms;

    return next > now_ms + spent ? next - now_ms - spent : 0;
}

/* It happens now. */
static inline void pace_spend(struct pace *pace, uint64_t now_ms)
{
    pace->full_ms = (pace->full_ms > now_ms ? pace->full_ms : now_ms) + pace->period_ms;
}

#endif
