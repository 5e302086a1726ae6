/* ws_handshake.h - the HTTP/1.1 request that asks for a WebSocket, and what a server answers. Pure;
 * any thread. */
#ifndef IMC_COMET_WS_HANDSHAKE_H
#define IMC_COMET_WS_HANDSHAKE_H

#include <stddef.h>
#include <stdint.h>

enum {
    WS_KEY_LEN = 24,       /* 16 bytes in base64 */
    WS_RESPONSE_MAX = 512, /* any response fits */
};

struct ws_rules {
    const char *path;    /* the only one there is; NULL: any */
    const char *origins; /* list (config.h) of allowed origins; "" or NULL: any */
    size_t max_header;   /* request line and headers, bytes */
    size_t seen; /* of the buffer's bytes: so many were looked at before, and were not all */
};

struct ws_refusal {
    int status;       /* 400, 403, 404, 405, 426, 431, 505 */
    const char *text; /* one line for people */
};

/* Bytes of the request, 0 = need more, -EPROTO with REFUSAL set. KEY gets the client's key, not
 * terminated. */
long ws_handshake_parse(const uint8_t *buf, size_t len, const struct ws_rules *rules,
                        char key[WS_KEY_LEN], struct ws_refusal *refusal);
/* The 101 response; its length. */
size_t ws_handshake_accept(const char key[WS_KEY_LEN], char out[WS_RESPONSE_MAX]);
/* An error response with "Connection: close"; its length. STATUS may also be 408 or 503. */
size_t ws_handshake_refuse(int status, const char *text, char out[WS_RESPONSE_MAX]);

#endif
