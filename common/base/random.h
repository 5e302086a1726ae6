/* random.h - bytes from the kernel that nobody can guess. Any thread. */
#ifndef IMC_COMMON_BASE_RANDOM_H
#define IMC_COMMON_BASE_RANDOM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/random.h>

/* Fills OUT, at most 256 bytes, without waiting. False: the kernel has no entropy yet, which is so
 * early at boot only. */
static inline bool random_try(void *out, size_t len)
{
    return getrandom(out, len, GRND_NONBLOCK) == (ssize_t)len;
}

/* The same for secrets: waits for entropy. It cannot fail, because getrandom(2) gives up to 256
 * bytes without interruption. */
static inline void random_wait(void *out, size_t len)
{
    while (getrandom(out, len, 0) != (ssize_t)len)
        continue;
}

/* For what has to differ, and need not be secret: without entropy it is the time in ns. */
uint64_t random_number(void);

#endif
