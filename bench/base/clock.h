/* clock.h - the benchmark's clock: nanoseconds, the same for all processes of the machine. */
#ifndef IMC_BENCH_BASE_CLOCK_H
#define IMC_BENCH_BASE_CLOCK_H

#include <stdint.h>
#include <time.h>

static const int64_t CLOCK_SECOND = 1000000000;

static inline uint64_t clock_read(clockid_t id)
{
    struct timespec now;

    clock_gettime(id, &now);
    return (uint64_t)now.tv_sec * 1000000000U + (uint64_t)now.tv_nsec;
}

static inline uint64_t clock_ns(void)
{
    return clock_read(CLOCK_MONOTONIC);
}

static inline void clock_sleep_ns(int64_t ns)
{
    struct timespec time = {.tv_sec = ns / CLOCK_SECOND, .tv_nsec = ns % CLOCK_SECOND};

    if (ns > 0)
        nanosleep(&time, NULL);
}

#endif
