/* frame.h - imgo/goim's binary frame (docs/protocol.md, "Frame"): 16 bytes of big-endian header,
 * then the body.
 *
 *    0     packet length, u32
 *    4     header length, u16
 *    6     version, u16
 *    8     operation, u32
 *   12     sequence, u32
 *   16     body; in an acknowledged session's messages: the id, u64, and the body at 24
 *
 * Pure; any thread. */
#ifndef IMC_COMMON_PROTOCOL_FRAME_H
#define IMC_COMMON_PROTOCOL_FRAME_H

#include <stddef.h>
#include <stdint.h>

enum { FRAME_HEADER = 16, FRAME_HEADER_ID = 24 };

struct frame {
    uint16_t version;
    int32_t op;
    int32_t seq;
    const uint8_t *body; /* borrowed from the buffer */
    uint32_t body_len;
};

/* What a server accepts from a client: a header of exactly 16 bytes, and a body of at most
 * MAX_BODY. Returns the bytes consumed; 0: more are needed; -EBADMSG: header length or packet
 * length is wrong; -EMSGSIZE: the body is too large. Errors are returned as soon as the header is
 * complete. */
long frame_parse(const uint8_t *buf, size_t len, size_t max_body, struct frame *frame);
/* What a client accepts from a server: a header of 16 or more bytes, and a packet of at most
 * MAX_PACKET. Returns as frame_parse(). */
long frame_parse_reply(const uint8_t *buf, size_t len, size_t max_packet, struct frame *frame);

/* The id in a header of 24 bytes, of the frame FRAME that begins at BUF; 0: its header is shorter.
 */
uint64_t frame_id(const uint8_t *buf, const struct frame *frame);

static inline void frame_write_be16(uint8_t *p, uint32_t v)
{
    p[0] = (uint8_t)(v >> 8);
    p[1] = (uint8_t)v;
}

static inline void frame_write_be32(uint8_t *p, uint32_t v)
{
    frame_write_be16(p, v >> 16);
    frame_write_be16(p + 2, v);
}

/* Writes the 16 bytes of a header. */
static inline void frame_header(uint8_t out[FRAME_HEADER], uint16_t version, int32_t op,
                                int32_t seq, size_t body_len)
{
    frame_write_be32(out, (uint32_t)(FRAME_HEADER + body_len));
    frame_write_be16(out + 4, FRAME_HEADER);
    frame_write_be16(out + 6, version);
    frame_write_be32(out + 8, (uint32_t)op);
    frame_write_be32(out + 12, (uint32_t)seq);
}

/* Behind frame_header(): makes the header one of 24 bytes, with the message's id. */
static inline void frame_header_add_id(uint8_t out[FRAME_HEADER_ID], uint64_t id, size_t body_len)
{
    frame_write_be32(out, (uint32_t)(FRAME_HEADER_ID + body_len));
    frame_write_be16(out + 4, FRAME_HEADER_ID);
    frame_write_be32(out + 16, (uint32_t)(id >> 32));
    frame_write_be32(out + 20, (uint32_t)id);
}

#endif
