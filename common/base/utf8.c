/* The state is what may come next: number of continuation bytes in bits 0-7, then the range of the
 * next one. */
#include "common/base/utf8.h"

#include <string.h>

/* The state behind C, the first byte of a character of several bytes. 0: no character begins with
 * C, or it is ASCII. */
static uint32_t utf8_lead(uint8_t c)
{
    uint32_t need = c >= 0xf0 ? 3 : c >= 0xe0 ? 2 : 1, low = 0x80, high = 0xbf;
    if (c < 0xc2 || c > 0xf4)
        return 0;
    if (c == 0xe0)
        low = 0xa0; /* below this: overlong */
    else if (c == 0xed)
        high = 0x9f; /* above this: surrogates */
    else if (c == 0xf0)
        low = 0x90; /* below this: overlong */
    else if (c == 0xf4)
        high = 0x8f; /* above this: beyond U+10FFFF */
    return need | low << 8 | high << 16;
}

bool utf8_feed(uint32_t *state, const uint8_t *buf, size_t len)
{
    if (len == 0)
        return true;
    const uint8_t *end = buf + len;
    uint32_t s = *state;
    for (; buf < end; buf++) {
        if (s != 0) {
            if (*buf < (s >> 8 & 0xff) || *buf > (s >> 16 & 0xff))
                return false;
            s = (s & 0xff) == 1 ? 0 : ((s & 0xff) - 1) | 0x80U << 8 | 0xbfU << 16;
            continue;
        }
        uint64_t w = 0;
        while (end - buf >= 8 && (memcpy(&w, buf, 8), (w & 0x8080808080808080U) == 0))
            buf += 8;
        if (buf == end)
            break;
        if (*buf >= 0x80 && (s = utf8_lead(*buf)) == 0)
            return false;
    }
    *state = s;
    return true;
}

bool utf8_is_valid(const uint8_t *buf, size_t len)
{
    uint32_t state = 0;
    return utf8_feed(&state, buf, len) && state == 0;
}

size_t utf8_sequence(const uint8_t *buf, size_t len)
{
    if (len == 0)
        return 0;
    if (*buf < 0x80)
        return 1;
    uint32_t state = utf8_lead(*buf);
    size_t n = (state & 0xff) + 1;
    if (state == 0 || n > len)
        return 0;
    return utf8_feed(&state, buf + 1, n - 1) ? n : 0;
}
