#include "logic/jwt/base64url.h"

#include <errno.h>

/* The value of a digit, or -1. */
static int digit(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '-' ? 62 : c == '_' ? 63 : -1;
}

bool base64url_is_digit(char c)
{
    return digit(c) >= 0;
}

int base64url_decode(const char *text, size_t len, uint8_t *out)
{
    uint32_t bits = 0;
    unsigned n = 0;

    if (len % 4 == 1)
        return -EBADMSG;
    for (size_t i = 0; i < len; i++) {
        int value = digit(text[i]);
        if (value < 0)
            return -EBADMSG;
        bits = bits << 6 | (uint32_t)value;
        n += 6;
        if (n >= 8) {
            n -= 8;
            *out++ = (uint8_t)(bits >> n);
        }
    }
    return (bits & ((1U << n) - 1)) == 0 ? 0 : -EBADMSG;
}
