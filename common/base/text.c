#include "common/base/text.h"

#include <string.h>

/* Compares eight bytes at once. The result is 0 if no byte is below N. Otherwise the highest bit of
 * the first such byte is set; bits of later bytes mean nothing. N is at most 128. */
static uint64_t below(uint64_t bytes, unsigned n)
{
    const uint64_t ones = UINT64_MAX / 255;
    return (bytes - ones * n) & ~bytes & (ones << 7);
}

static uint64_t controls(uint64_t bytes)
{
    return below(bytes, 0x20) | below(bytes ^ (UINT64_MAX / 255 * 0x7f), 1);
}

bool text_has_control(const char *text, size_t len)
{
    uint64_t bytes, found = 0;
    size_t i = 0;
    if (len < sizeof(bytes)) {
        while (i < len && (unsigned char)text[i] >= 0x20 && text[i] != 0x7f)
            i++;
        return i < len;
    }
    for (; i + sizeof(bytes) < len; i += sizeof(bytes)) {
        memcpy(&bytes, text + i, sizeof(bytes));
        found |= controls(bytes);
    }
    memcpy(&bytes, text + len - sizeof(bytes), sizeof(bytes)); /* overlaps what was looked at
                                                                * before */
    return (found | controls(bytes)) != 0;
}

bool text_is_among(const char *text, const char *const *list, size_t n)
{
    size_t low = 0, high = n;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = strcmp(text, list[middle]);
        if (order == 0)
            return true;
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return false;
}

int text_compare(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

int text_hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

bool text_from_hex(const char *text, uint8_t *out, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        int high = text_hex_digit(text[2 * i]);
        int low = high >= 0 ? text_hex_digit(text[2 * i + 1]) : -1;
        if (low < 0)
            return false;
        out[i] = (uint8_t)(high * 16 + low);
    }
    return true;
}

void text_to_hex(const uint8_t *bytes, size_t n, char *out)
{
    static const char digits[] = "0123456789abcdef";

    for (size_t i = 0; i < n; i++) {
        *out++ = digits[bytes[i] >> 4];
        *out++ = digits[bytes[i] & 15];
    }
    *out = '\0';
}

static bool is_unreserved(unsigned char c)
{
    return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') ||
           (c != '\0' && strchr("-._~", c) != NULL);
}

size_t text_to_uri(const char *text, size_t len, char *out, size_t outlen)
{
    static const char digits[] = "0123456789ABCDEF";
    size_t at = 0;

    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)text[i];
        bool plain = is_unreserved(c);
        if (outlen - at <= (plain ? 1 : 3))
            break;
        if (plain) {
            out[at++] = text[i];
            continue;
        }
        out[at++] = '%';
        out[at++] = digits[c >> 4];
        out[at++] = digits[c & 15];
    }
    out[at] = '\0';
    return at;
}
