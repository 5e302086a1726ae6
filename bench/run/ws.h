/* ws.h - the client's half of RFC 6455, as little as a load generator needs (a library's connection
 * costs more than what is measured here). Pure functions. */
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

/* The opening request; bytes written, 0 if SIZE does not suffice. */
size_t ws_request(char *out, size_t size, const char *host, const char *path);
/* The answer to that. Bytes consumed, 0 = need more, -EPROTO. */
long ws_answer(const char *buf, size_t len);
/* A server's frame. Bytes consumed, 0 = need more, -EBADMSG = against RFC 6455 or longer than MAX.
 */
long ws_parse(const uint8_t *buf, size_t len, size_t max, struct ws_frame *frame);
/* Writes the header of a final frame and masks PAYLOAD in place; LEN below 65536. Bytes of header.
 */
size_t ws_frame_header(uint8_t out[WS_HEADER_MAX], unsigned opcode, uint8_t *payload, size_t len);

#endif
