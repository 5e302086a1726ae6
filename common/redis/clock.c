/* Redis's clock is the cluster's: by it is reckoned how old a message is, whichever logic looks.
 *
 *   what is added to CLOCK_BOOTTIME to get Redis's time
 *   ────────────────┬──────────────────────┬─────────────►
 *        TIME was answered at the         … when it was sent
 *        moment the answer came
 *
 * The truth is in between. The estimate begins as the machine's own clock has it, and moves only if
 * an answer proves it wrong: to the nearer end, or, if it is altogether wrong, to the middle, and
 * then some more answers narrow that down. So daemons whose clocks are right go by their own, which
 * agree better than a round trip tells. Between two answers it goes with a clock
 * that nobody sets, so a machine whose clock is being set does not make what it dates jump. */
#include "common/protocol/message_id.h"
#include "common/redis/internal.h"

#include <time.h>

enum { NARROW_TIMES = 16 };

int64_t redis_clock_boot_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_BOOTTIME, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

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
    redis->clock.ahead_us = (int64_t)unix_now_us() - redis_clock_boot_us();
}

uint64_t redis_now_us(const struct redis *redis)
{
    loop_assert_owner(redis->loop);
    return (uint64_t)(redis_clock_boot_us() + redis->clock.ahead_us);
}

bool redis_clock_is_known(const struct redis *redis)
{
    return redis->clock.known;
}

int64_t redis_clock_offset_us(const struct redis *redis)
{
    loop_assert_owner(redis->loop);
    return redis->clock.known ? (int64_t)unix_now_us() - (int64_t)redis_now_us(redis) : 0;
}
