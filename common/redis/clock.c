/* Estimates the clock of Redis, which is the clock of the whole cluster. All logics take the age of
 * a message by it, so they agree.
 *
 *   what is added to CLOCK_BOOTTIME to get Redis's time
 *   ────────────────┬──────────────────────┬─────────────►
 *        TIME was answered at the         … when it was sent
 *        moment the answer came
 *
 * The true value lies between these two bounds. The first estimate is the machine's own clock. It
 * changes only when an answer proves it wrong. A little wrong: it moves to the nearer bound. Very
 * wrong: it moves to the middle, and some more answers narrow it down. So daemons whose clocks are
 * right keep their own clocks, which agree better than a round trip can measure.
 *
 * Between two answers the estimate advances with CLOCK_BOOTTIME, which nobody sets. So the times of
 * messages do not jump when somebody sets the machine's clock. */
#include "common/base/time.h"
#include "common/protocol/message_id.h"
#include "common/redis/internal.h"

#include <assert.h>
#include <stddef.h>

static_assert(offsetof(struct redis, clock) == 0, "redis_now_us() casts");

enum { NARROW_TIMES = 16 };

void redis_clock_take(struct redis_clock *clock, int64_t sent_us, int64_t came_us, int64_t redis_us)
{
    int64_t least = redis_us - came_us, most = redis_us - sent_us;
    int64_t width = most - least;
    if (clock->ahead_us < least - width || clock->ahead_us > most + width) {
        clock->ahead_us = least + width / 2;
        clock->narrow = NARROW_TIMES;
    } else if (clock->ahead_us < least) {
        clock->ahead_us = least;
    } else if (clock->ahead_us > most) {
        clock->ahead_us = most;
    }
    clock->known = true;
}

void redis_clock_start(struct redis *redis)
{
    redis->clock.loop = redis->loop;
    redis->clock.ahead_us = (int64_t)time_unix_us() - time_boot_us();
}

int64_t redis_clock_offset_us(const struct redis *redis)
{
    loop_assert_owner(redis->loop);
    return redis->clock.known ? (int64_t)time_unix_us() - (int64_t)redis_now_us(redis) : 0;
}
