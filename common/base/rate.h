/* rate.h - refuses what happens too often, for one of many who may each do so much: a token bucket
 * of 4 bytes. The limit is shared by all of them. pace.h is for senders, who wait. Owner only.
 *
 * A bucket is the time, in microseconds, at which it would be full. That time wraps within 72
 * minutes. So a time that lies further ahead than an empty bucket's can is one of long ago. Once in
 * some hundred times a bucket that has rested for an hour seems to be a little used. */
#ifndef IMC_COMMON_BASE_RATE_H
#define IMC_COMMON_BASE_RATE_H

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>

enum {
    RATE_SECOND = 1000000,
    RATE_FILL_S_MAX = 1800, /* a limit may need so many seconds to fill an empty bucket */
};

struct rate_limit {
    uint32_t per_second; /* 0: no limit */
    uint32_t room;       /* microseconds that an empty bucket takes to fill */
};

/* BURST of at least 1 may come at once, of what is then allowed PER_SECOND. If an empty bucket
 * would need longer than RATE_FILL_S_MAX, the burst is less. */
static inline struct rate_limit rate_limit(int64_t per_second, int64_t burst)
{
    const int64_t most = (int64_t)RATE_FILL_S_MAX * RATE_SECOND;
    struct rate_limit limit = {0};
    int64_t room;

    if (per_second <= 0)
        return limit;
    if (__builtin_mul_overflow(burst, (int64_t)RATE_SECOND, &room))
        room = INT64_MAX;
    room /= per_second;
    limit.per_second = (uint32_t)(per_second < UINT32_MAX ? per_second : UINT32_MAX);
    limit.room = (uint32_t)(room < most ? room : most);
    return limit;
}

static inline uint32_t rate_now(uint64_t now_ms)
{
    return (uint32_t)(now_ms * 1000);
}

/* Microseconds for which the bucket would have to rest to be full. */
static inline uint32_t rate_used(const struct rate_limit *limit, uint32_t full, uint64_t now_ms)
{
    uint32_t used = full - rate_now(now_ms);

    return used > limit->room ? 0 : used;
}

/* Takes N out of the bucket. False: it has not so many, and stays as it is. */
static inline bool rate_take(const struct rate_limit *limit, uint32_t *full, uint64_t now_ms,
                             uint32_t n)
{
    if (limit->per_second == 0)
        return true;
    uint64_t cost = ((uint64_t)n * RATE_SECOND + limit->per_second - 1) / limit->per_second;
    uint64_t used = rate_used(limit, *full, now_ms) + cost;
    if (used > limit->room)
        return false;
    *full = rate_now(now_ms) + (uint32_t)used;
    return true;
}

/* Puts N that were taken back into the bucket. */
static inline void rate_give_back(const struct rate_limit *limit, uint32_t *full, uint64_t now_ms,
                                  uint32_t n)
{
    if (limit->per_second == 0)
        return;
    uint64_t cost = ((uint64_t)n * RATE_SECOND + limit->per_second - 1) / limit->per_second;
    uint64_t used = rate_used(limit, *full, now_ms);
    *full = rate_now(now_ms) + (uint32_t)(used > cost ? used - cost : 0);
}

/* A full bucket. */
static inline uint32_t rate_full(uint64_t now_ms)
{
    return rate_now(now_ms);
}

#endif
