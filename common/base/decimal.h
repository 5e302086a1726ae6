/* decimal.h - writes an integer as text, for places where printf() would take most of the time. Any
 * thread. */
#ifndef IMC_COMMON_BASE_DECIMAL_H
#define IMC_COMMON_BASE_DECIMAL_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum { DECIMAL_MOST = 20 }; /* bytes: INT64_MIN */

/* Writes up to DECIMAL_MOST bytes to OUT, without a NUL. Returns how many. */
static inline size_t decimal_put(char *out, int64_t value)
{
    char digits[DECIMAL_MOST], *at = digits + sizeof digits;
    uint64_t rest = value < 0 ? -(uint64_t)value : (uint64_t)value;

    do {
        *--at = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest > 0);
    if (value < 0)
        *--at = '-';
    size_t len = (size_t)(digits + sizeof digits - at);
    memcpy(out, at, len);
    return len;
}

#endif
