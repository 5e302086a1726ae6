#include "bench/run/ws.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

enum { ANSWER_MAX = 8192 };

/* The example of RFC 6455. All connections offer the same nonce, because a secret one would protect
 * nothing here. */
#define NONCE  "dGhlIHNhbXBsZSBub25jZQ=="
#define ACCEPT "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="

static const uint8_t mask[4] = {0x5a, 0xc3, 0xa5, 0x3c};

size_t ws_request(char *out, size_t size, const char *host, const char *path)
{
    int n = snprintf(out, size,
                     "GET %s HTTP/1.1\r\n"
                     "Host: %s\r\n"
                     "Upgrade: websocket\r\n"
                     "Connection: Upgrade\r\n"
                     "Sec-WebSocket-Version: 13\r\n"
                     "Sec-WebSocket-Key: " NONCE "\r\n"
                     "\r\n",
                     path, host);

    return n > 0 && (size_t)n < size ? (size_t)n : 0;
}

long ws_answer(const char *buf, size_t len)
{
    static const char status[] = "HTTP/1.1 101 ";
    const char *end = memmem(buf, len, "\r\n\r\n", 4);

    if (end == NULL)
        return len < ANSWER_MAX ? 0 : -EPROTO;
    if (strncmp(buf, status, sizeof status - 1) != 0 ||
        memmem(buf, (size_t)(end - buf), ACCEPT, sizeof ACCEPT - 1) == NULL)
        return -EPROTO;
    return end + 4 - buf;
}

/* Bytes of a header whose second byte is SECOND. */
static size_t header_size(uint8_t second)
{
    return second == 127 ? 10 : second == 126 ? 4 : 2;
}

long ws_parse(const uint8_t *buf, size_t len, size_t max, struct ws_frame *frame)
{
    size_t header;
    uint64_t size;

    if (len < 2)
        return 0;
    /* Reserved bits would be an extension that we did not offer, and a server never masks. */
    if ((buf[0] & 0x70) != 0 || (buf[1] & 0x80) != 0)
        return -EBADMSG;
    header = header_size(buf[1]);
    if (len < header)
        return 0;
    size = header == 2 ? buf[1] : 0;
    for (size_t i = 2; i < header; i++)
        size = size << 8 | buf[i];
    if (size > max)
        return -EBADMSG;
    if (len - header < size)
        return 0;
    *frame = (struct ws_frame){
        .fin = (buf[0] & 0x80) != 0,
        .opcode = buf[0] & 0x0fU,
        .payload = buf + header,
        .len = (size_t)size,
    };
    return (long)(header + size);
}

size_t ws_frame_header(uint8_t out[WS_HEADER_MAX], unsigned opcode, uint8_t *payload, size_t len)
{
    size_t n = 2;

    out[0] = (uint8_t)(0x80 | opcode);
    out[1] = (uint8_t)(0x80 | (len < 126 ? len : 126));
    if (len >= 126) {
        out[n++] = (uint8_t)(len >> 8);
        out[n++] = (uint8_t)len;
    }
    memcpy(out + n, mask, sizeof mask);
    for (size_t i = 0; i < len; i++)
        payload[i] ^= mask[i & 3];
    return n + sizeof mask;
}
