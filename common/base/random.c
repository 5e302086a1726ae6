#include "common/base/random.h"
#include <time.h>

uint64_t random_number(void)
{
    uint64_t number;
    struct timespec now;

    if (random_try(&number, sizeof number))
        return number;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}
