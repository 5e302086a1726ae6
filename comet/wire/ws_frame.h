/* ws_frame.h - the bytes of RFC 6455 frames, for a server: headers, masks, close codes. Pure; any
 * thread. */
#ifndef IMC_COMET_WIRE_WS_FRAME_H
#define IMC_COMET_WIRE_WS_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum ws_opcode {
    WS_OP_CONTINUATION = 0,
    WS_OP_TEXT = 1,
    WS_OP_BINARY = 2,
    WS_OP_CLOSE = 8,
    WS_OP_PING = 9,
    WS_OP_PONG = 10,
};

enum ws_close_code {
    WS_CLOSE_NORMAL = 1000,
    WS_CLOSE_GOING_AWAY = 1001,
    WS_CLOSE_PROTOCOL = 1002,
    WS_CLOSE_BAD_DATA = 1007,
    WS_CLOSE_TOO_BIG = 1009,
    WS_CLOSE_OURS = 4000, /* + enum close_code */
};

enum {
    WS_HEADER_MAX = 10,    /* of a server's frame */
    WS_CONTROL_MAX = 125,  /* payload of a control frame */
    WS_REASON_MAX = 123,   /* text in a close frame */
    WS_CLIENT_HEADER = 14, /* longest header of a client's frame */
};

struct ws_header {
    uint64_t len;
    uint8_t mask[4];
    uint8_t opcode;
    bool fin;
};

/* Reads the header of a client's frame. Returns its size, 0 if more bytes are needed, or -EPROTO
 * with WHY set. Wrong are: no mask, a reserved bit or opcode, a length not in its shortest form or
 * too long, and a control frame that is fragmented or longer than 125 bytes. */
int ws_header_parse(const uint8_t *buf, size_t len, struct ws_header *header, const char **why);
/* Writes the header of an unmasked, final frame; returns its size. */
size_t ws_header_write(uint8_t out[WS_HEADER_MAX], enum ws_opcode opcode, size_t len);
size_t ws_header_size(size_t len);
/* Masks or unmasks BUF in place. PHASE: the number of payload bytes before BUF. */
void ws_mask(uint8_t *buf, size_t len, const uint8_t mask[4], size_t phase);
/* True for codes that may stand in a close frame. */
bool ws_close_valid(uint16_t code);
/* Writes a whole close frame; returns its size. CODE 0: without a code. A long REASON is cut
 * between two characters. */
size_t ws_close_write(uint8_t out[2 + WS_CONTROL_MAX], uint16_t code, const char *reason);

#endif
