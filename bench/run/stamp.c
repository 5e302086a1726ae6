#include "bench/run/stamp.h"

#include <endian.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const char prefix[] = "{\"t\":\"";
static const char padding[] = ",\"p\":\"";
enum { PREFIX = sizeof prefix - 1, PADDING = sizeof padding - 1, HEX = 40 };

static uint32_t stream_of(const struct stamp *stamp)
{
    return (uint32_t)stamp->kind << 28 | stamp->lane << 20 | stamp->number;
}

size_t stamp_write(const struct stamp *stamp, char *out, size_t size)
{
    char text[STAMP_SIZE + 1];
    size_t pad, at = PREFIX + HEX + 1;

    snprintf(text, sizeof text, "%s%08" PRIx32 "%08" PRIx32 "%08" PRIx32 "%016" PRIx64 "\"}",
             prefix, stamp->run, stream_of(stamp), stamp->seq, stamp->time_ns);
    memcpy(out, text, STAMP_SIZE);
    if (size <= STAMP_SIZE)
        return STAMP_SIZE;
    pad = size > STAMP_SIZE + PADDING + 1 ? size - STAMP_SIZE - PADDING - 1 : 0;
    memcpy(out + at, padding, PADDING);
    memset(out + at + PADDING, 'x', pad);
    at += PADDING + pad;
    out[at++] = '"';
    out[at++] = '}';
    return at;
}

/* Reads eight hexadecimal digits at once, because this runs for every delivery. Other characters
 * give nonsense, which the run's number exposes. */
static uint32_t hex8(const uint8_t *text)
{
    uint64_t x;

    memcpy(&x, text, sizeof x);
    x = (x & UINT64_C(0x0f0f0f0f0f0f0f0f)) + 9 * (x >> 6 & UINT64_C(0x0101010101010101));
    x = be64toh(x);
    x = (x | x >> 4) & UINT64_C(0x00ff00ff00ff00ff);
    x = (x | x >> 8) & UINT64_C(0x0000ffff0000ffff);
    return (uint32_t)(x | x >> 16);
}

int stamp_read(const uint8_t *body, size_t len, struct stamp *stamp)
{
    uint32_t stream;

    if (len < STAMP_SIZE || memcmp(body, prefix, PREFIX) != 0 || body[len - 1] != '}')
        return -EINVAL;
    body += PREFIX;
    stream = hex8(body + 8);
    if (stream >> 28 >= STREAM_KINDS)
        return -EINVAL;
    stamp->run = hex8(body);
    stamp->kind = stream >> 28;
    stamp->lane = stream >> 20 & (STAMP_LANES - 1);
    stamp->number = stream & (STAMP_NUMBERS - 1);
    stamp->seq = hex8(body + 16);
    stamp->time_ns = (uint64_t)hex8(body + 24) << 32 | hex8(body + 32);
    return 0;
}
