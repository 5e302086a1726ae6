/* time.h - what time it is, by which clock. Any thread.
 *
 *     unix   the time of day: may be set, so it may jump       what is dated: ids, ages, leases
 *     mono   since some moment: never set, stands while the    deadlines, pauses
 *            machine sleeps
 *     boot   the same, but goes on while the machine sleeps    what has lapsed elsewhere meanwhile
 *
 * On a loop, loop_now_ms() is cheaper. */
#ifndef IMC_COMMON_BASE_TIME_H
#define IMC_COMMON_BASE_TIME_H

#include <stdint.h>
#include <time.h>

static inline int64_t time_us(clockid_t clock)
{
    struct timespec now;

    clock_gettime(clock, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static inline uint64_t time_unix_us(void)
{
    return (uint64_t)time_us(CLOCK_REALTIME);
}

static inline uint64_t time_unix_ms(void)
{
    return time_unix_us() / 1000;
}

static inline int64_t time_mono_us(void)
{
    return time_us(CLOCK_MONOTONIC);
}

static inline int64_t time_mono_ms(void)
{
    return time_mono_us() / 1000;
}

static inline int64_t time_boot_us(void)
{
    return time_us(CLOCK_BOOTTIME);
}

/* The time on CLOCK in MS from now, as pthread_cond_timedwait() takes it. */
static inline struct timespec time_in(clockid_t clock, uint64_t ms)
{
    struct timespec at;

    clock_gettime(clock, &at);
    at.tv_sec += (time_t)(ms / 1000);
    at.tv_nsec += (long)(ms % 1000) * 1000000;
    if (at.tv_nsec >= 1000000000) {
        at.tv_sec++;
        at.tv_nsec -= 1000000000;
    }
    return at;
}

#endif
