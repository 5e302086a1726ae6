/* ws.h - the client's half of RFC 6455, as far as a load generator needs it. A library's connection
 * would cost more than what is measured. Pure functions. */
#ifndef IMC_BENCH_RUN_WS_H
#define IMC_BENCH_RUN_WS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum ws_opcode { WS_TEXT = 1, WS_BINARY = 2, WS_CLOSE = 8, WS_PING = 9, WS_PONG = 10 };

enum { WS_HEADER_MAX = 14 };

struct ws_frame {
    bool fin;
    unsigned opcode;
    const uint8_t *payload; /* borrowed from the buffer */
    size_t len;
};

/* Writes the opening request. Returns the bytes written; 0: SIZE is too small. */
size_t ws_request(char *out, size_t size, const char *host, const char *path);
/* Reads the answer to that. Returns the bytes consumed; 0: needs more; or -EPROTO. */
long ws_answer(const char *buf, size_t len);
/* Reads a server's frame. Returns the bytes consumed; 0: needs more; -EBADMSG: violates RFC 6455,
 * or is longer than MAX. */
long ws_parse(const uint8_t *buf, size_t len, size_t max, struct ws_frame *frame);
/* Writes the header of a final frame and masks PAYLOAD in place. LEN is below 65536. Returns the
 * bytes of the header. */
size_t ws_frame_header(uint8_t out[WS_HEADER_MAX], unsigned opcode, uint8_t *payload, size_t len);

#endif
