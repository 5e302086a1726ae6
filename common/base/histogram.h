/* histogram.h - how often something took how long, in buckets. Shapes only; metrics.h has the
 * blocks that hold them.
 *
 * All histograms count in the same 22 bounds, from 10 µs to 100 s, so that the bucket of a time is
 * found by its highest bit and one comparison:
 *
 *     slots   0: ≤ 10 µs   1: ≤ 25 µs   …   21: ≤ 100 s   22: longer   23: the sum in microseconds
 *
 * A row of a table shows those of the bounds that are of use for it. */
#ifndef IMC_COMMON_BASE_HISTOGRAM_H
#define IMC_COMMON_BASE_HISTOGRAM_H

#include <stdint.h>

/* Prefix LE_: at most so long. */
enum histogram_bound {
    LE_10US,
    LE_25US,
    LE_50US,
    LE_100US,
    LE_250US,
    LE_500US,
    LE_1MS,
    LE_2500US,
    LE_5MS,
    LE_10MS,
    LE_25MS,
    LE_50MS,
    LE_100MS,
    LE_250MS,
    LE_500MS,
    LE_1S,
    LE_2500MS,
    LE_5S,
    LE_10S,
    LE_25S,
    LE_50S,
    LE_100S,
    HISTOGRAM_BOUNDS,
    HISTOGRAM_SUM = HISTOGRAM_BOUNDS + 1,
    HISTOGRAM_SLOTS,
};

/* In microseconds; behind the last one no time is too long. */
extern const uint64_t histogram_bounds[HISTOGRAM_BOUNDS + 1];
/* For each highest bit: the first bound with this bit or a higher one. The next one has a higher
 * bit, since each bound is at least twice the one before. */
extern const uint8_t histogram_first[64];

static inline unsigned histogram_slot(uint64_t us)
{
    unsigned first = histogram_first[63 - __builtin_clzll(us | 1)];

    return first + (us > histogram_bounds[first]);
}

#endif
