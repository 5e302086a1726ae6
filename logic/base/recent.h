/* recent.h - how often something happened lately: counts in steps of time, which the caller numbers
 * by a clock. Pure. */
#ifndef IMC_LOGIC_BASE_RECENT_H
#define IMC_LOGIC_BASE_RECENT_H

#include <stddef.h>
#include <stdint.h>

enum { RECENT_STEPS = 8 };

struct recent {
    uint64_t total;
    uint64_t last; /* the newest step that something was counted in */
    uint32_t steps[RECENT_STEPS];
};

static inline void recent_add(struct recent *recent, uint64_t step, uint32_t n)
{
    uint64_t first = recent->last + 1;

    if (step >= RECENT_STEPS && first < step - RECENT_STEPS + 1)
        first = step - RECENT_STEPS + 1;
    for (uint64_t i = first; i <= step; i++)
        recent->steps[i % RECENT_STEPS] = 0;
    if (step > recent->last)
        recent->last = step;
    recent->steps[recent->last % RECENT_STEPS] += n;
    recent->total += n;
}

/* In the N steps up to STEP, at most RECENT_STEPS. */
static inline uint64_t recent_count(const struct recent *recent, uint64_t step, size_t n)
{
    uint64_t sum = 0;

    for (uint64_t i = step + 1 > n ? step + 1 - n : 0; i <= step; i++) {
        if (i <= recent->last && i + RECENT_STEPS > recent->last)
            sum += recent->steps[i % RECENT_STEPS];
    }
    return sum;
}

#endif
