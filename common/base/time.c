#include "common/base/time.h"

static int64_t time_us(clockid_t clock)
{
    struct timespec now;

    clock_gettime(clock, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

uint64_t time_unix_us(void)
{
    return (uint64_t)time_us(CLOCK_REALTIME);
}

uint64_t time_unix_ms(void)
{
    return time_unix_us() / 1000;
}

int64_t time_mono_ms(void)
{
    return time_us(CLOCK_MONOTONIC) / 1000;
}

int64_t time_boot_us(void)
{
    return time_us(CLOCK_BOOTTIME);
}

struct timespec time_in(clockid_t clock, uint64_t ms)
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
