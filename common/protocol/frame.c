#include "common/protocol/frame.h"

#include <errno.h>

static uint32_t read_be16(const uint8_t *p)
{
    return (uint32_t)p[0] << 8 | p[1];
}

static uint32_t read_be32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* The header has come and its lengths are good. Fills FRAME, or says that the body is not
 * complete. */
static long take(const uint8_t *buf, size_t len, struct frame *frame)
{
    uint32_t packet = read_be32(buf), header = read_be16(buf + 4);
    if (len < packet)
        return 0;
    frame->version = (uint16_t)read_be16(buf + 6);
    frame->op = (int32_t)read_be32(buf + 8);
    frame->seq = (int32_t)read_be32(buf + 12);
    frame->body = buf + header;
    frame->body_len = packet - header;
    return (long)packet;
}

uint64_t frame_id(const uint8_t *buf, const struct frame *frame)
{
    if (frame->body - buf < FRAME_HEADER_ID)
        return 0;
    return (uint64_t)read_be32(buf + 16) << 32 | read_be32(buf + 20);
}

long frame_parse(const uint8_t *buf, size_t len, size_t max_body, struct frame *frame)
{
    if (len < FRAME_HEADER)
        return 0;
    uint32_t packet = read_be32(buf);
    if (read_be16(buf + 4) != FRAME_HEADER || packet < FRAME_HEADER)
        return -EBADMSG;
    if (packet - FRAME_HEADER > max_body)
        return -EMSGSIZE;
    return take(buf, len, frame);
}

long frame_parse_reply(const uint8_t *buf, size_t len, size_t max_packet, struct frame *frame)
{
    if (len < FRAME_HEADER)
        return 0;
    uint32_t packet = read_be32(buf), header = read_be16(buf + 4);
    if (header < FRAME_HEADER || packet < header)
        return -EBADMSG;
    if (packet > max_packet)
        return -EMSGSIZE;
    return take(buf, len, frame);
}
