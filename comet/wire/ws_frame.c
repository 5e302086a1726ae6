#include "comet/wire/ws_frame.h"

#include <errno.h>
#include <string.h>

enum { FIN = 0x80, RESERVED = 0x70, MASKED = 0x80, LEN16 = 126, LEN64 = 127 };

static uint64_t read_be(const uint8_t *p, size_t n)
{
    uint64_t v = 0;
    for (size_t i = 0; i < n; i++)
        v = v << 8 | p[i];
    return v;
}

/* What is wrong with the first two bytes of a header; NULL: nothing. */
static const char *check_start(const uint8_t *buf)
{
    uint8_t opcode = buf[0] & 0x0f;
    if ((buf[0] & RESERVED) != 0)
        return "reserved bit set";
    if (opcode > WS_OP_PONG || (opcode > WS_OP_BINARY && opcode < WS_OP_CLOSE))
        return "reserved opcode";
    if ((buf[1] & MASKED) == 0)
        return "frame is not masked";
    if (opcode >= WS_OP_CLOSE && (buf[0] & FIN) == 0)
        return "fragmented control frame";
    if (opcode >= WS_OP_CLOSE && (buf[1] & 0x7f) > WS_CONTROL_MAX)
        return "control frame longer than 125 bytes";
    return NULL;
}

int ws_header_parse(const uint8_t *buf, size_t len, struct ws_header *header, const char **why)
{
    if (len < 2)
        return 0;
    *why = check_start(buf);
    if (*why != NULL)
        return -EPROTO;
    uint64_t payload = buf[1] & 0x7f;
    size_t more = payload == LEN16 ? 2 : payload == LEN64 ? 8 : 0;
    size_t size = 2 + more + sizeof header->mask;
    if (len < size)
        return 0;
    if (more > 0)
        payload = read_be(buf + 2, more);
    if ((more == 2 && payload < LEN16) || (more == 8 && payload <= UINT16_MAX)) {
        *why = "length not in its shortest form";
        return -EPROTO;
    }
    if (payload > INT64_MAX) {
        *why = "length of more than 63 bits";
        return -EPROTO;
    }
    header->len = payload;
    header->opcode = buf[0] & 0x0f;
    header->fin = (buf[0] & FIN) != 0;
    memcpy(header->mask, buf + 2 + more, sizeof header->mask);
    return (int)size;
}

size_t ws_header_size(size_t len)
{
    return len < LEN16 ? 2 : len <= UINT16_MAX ? 4 : 10;
}

size_t ws_header_write(uint8_t out[WS_HEADER_MAX], enum ws_opcode opcode, size_t len)
{
    size_t size = ws_header_size(len), more = size - 2;
    out[0] = (uint8_t)(FIN | opcode);
    out[1] = (uint8_t)(more == 0 ? len : more == 2 ? LEN16 : LEN64);
    for (size_t i = 0; i < more; i++)
        out[2 + i] = (uint8_t)(len >> 8 * (more - 1 - i));
    return size;
}

void ws_mask(uint8_t *buf, size_t len, const uint8_t mask[4], size_t phase)
{
    uint8_t turned[8];
    for (size_t i = 0; i < sizeof turned; i++)
        turned[i] = mask[(phase + i) & 3];
    uint64_t key, word;
    memcpy(&key, turned, sizeof key);
    size_t at = 0;
    for (; len - at >= sizeof word; at += sizeof word) {
        memcpy(&word, buf + at, sizeof word);
        word ^= key;
        memcpy(buf + at, &word, sizeof word);
    }
    for (; at < len; at++)
        buf[at] ^= turned[at & 7];
}

bool ws_close_valid(uint16_t code)
{
    return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1011) ||
           (code >= 3000 && code <= 4999);
}

size_t ws_close_write(uint8_t out[2 + WS_CONTROL_MAX], uint16_t code, const char *reason)
{
    size_t len = 0;
    for (; code != 0 && len < WS_REASON_MAX && reason[len] != '\0'; len++)
        out[4 + len] = (uint8_t)reason[len];
    if (len == WS_REASON_MAX) {
        while (len > 0 && ((uint8_t)reason[len] & 0xc0) == 0x80)
            len--;
    }
    out[0] = FIN | WS_OP_CLOSE;
    out[1] = (uint8_t)(code == 0 ? 0 : 2 + len);
    if (code == 0)
        return 2;
    out[2] = (uint8_t)(code >> 8);
    out[3] = (uint8_t)code;
    return 4 + len;
}
