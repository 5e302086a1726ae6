/* ws_handshake.h - the HTTP/1.1 request that asks for a WebSocket, and what a server answers. Pure;
 * any thread. */
#ifndef IMC_COMET_WIRE_WS_HANDSHAKE_H
#define IMC_COMET_WIRE_WS_HANDSHAKE_H

#include <stddef.h>
#include <stdint.h>

enum {
    WS_KEY_LEN = 24,        /* 16 bytes in base64 */
    WS_PROTOCOL_MAX = 1024, /* name of a subprotocol: some clients put a token there */
    WS_RESPONSE_MAX = 1280, /* any response fits */
};

struct ws_rules {
    const char *path;      /* the only one there is; NULL: any */
    const char *origins;   /* list (common/config/config.h) of allowed origins; "" or NULL: any */
    const char *protocols; /* list of subprotocols that are taken up; "" or NULL: the first one
                              offered */
    size_t max_header;     /* request line and headers, bytes */
    size_t seen; /* of the buffer's bytes: so many were looked at before, and were not all */
};

struct ws_accepted {
    char key[WS_KEY_LEN]; /* the client's, not terminated */
    const char *protocol; /* taken up; in the request, not terminated. NULL: none */
    size_t protocol_len;
};

struct ws_refusal {
    int status;       /* 400, 403, 404, 405, 426, 431, 505 */
    const char *text; /* one line for people */
};

/* Bytes of the request, with ACCEPTED set; 0 = need more; -EPROTO with REFUSAL set. ACCEPTED
 * borrows from BUF. */
long ws_handshake_parse(const uint8_t *buf, size_t len, const struct ws_rules *rules,
                        struct ws_accepted *accepted, struct ws_refusal *refusal);
/* The 101 response; its length. */
size_t ws_handshake_accept(const struct ws_accepted *accepted, char out[WS_RESPONSE_MAX]);
/* An error response with "Connection: close"; its length. STATUS may also be 408 or 503. */
size_t ws_handshake_refuse(int status, const char *text, char out[WS_RESPONSE_MAX]);

#endif
