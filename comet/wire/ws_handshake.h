/* ws_handshake.h - the HTTP/1.1 request that asks for a WebSocket, and what a server answers. Pure;
 * any thread. */
#ifndef IMC_COMET_WIRE_WS_HANDSHAKE_H
#define IMC_COMET_WIRE_WS_HANDSHAKE_H

#include <stddef.h>
#include <stdint.h>

enum {
    WS_KEY_LEN = 24,        /* 16 bytes in base64 */
    WS_PROTOCOL_MAX = 1024, /* name of a subprotocol: some clients put a token there */
    WS_FORWARDED_MAX = 4,   /* headers X-Forwarded-For that are looked at */
    WS_RESPONSE_MAX = 1280, /* any response fits */
};

struct ws_rules {
    const char *path;      /* the only path that is served; NULL: any */
    const char *origins;   /* ws.allowed_origins: origin.h; "" or NULL: any */
    const char *protocols; /* list of subprotocols to take; "" or NULL: the first one offered */
    size_t max_header;     /* request line and headers, bytes */
    size_t seen; /* bytes of the buffer that an earlier call saw, without finding the end */
};

struct ws_span {
    const char *at;
    size_t len;
};

struct ws_accepted {
    char key[WS_KEY_LEN]; /* the client's, not terminated */
    const char *protocol; /* subprotocol taken, in the request, not terminated; NULL: none */
    size_t protocol_len;
    /* Values of X-Forwarded-For; of more such headers the last ones. In the request, too. */
    struct ws_span forwarded[WS_FORWARDED_MAX];
    size_t n_forwarded;
};

struct ws_refusal {
    int status;       /* 400, 403, 404, 405, 426, 431, 505 */
    const char *text; /* one line for people */
};

/* Returns the length of the request with ACCEPTED set, 0 if more bytes are needed, or -EPROTO with
 * REFUSAL set. ACCEPTED points into BUF. */
long ws_handshake_parse(const uint8_t *buf, size_t len, const struct ws_rules *rules,
                        struct ws_accepted *accepted, struct ws_refusal *refusal);
/* Headers of REQUEST, which ws_handshake_parse() has taken, whose names are in the list NAMES, as
 * lines "name: value\n" with the name in lower case. Returns how many bytes these are; writes them
 * if OUTLEN is enough. */
size_t ws_handshake_headers(const uint8_t *request, size_t len, const char *names, char *out,
                            size_t outlen);
/* Writes the 101 response; returns its length. */
size_t ws_handshake_accept(const struct ws_accepted *accepted, char out[WS_RESPONSE_MAX]);
/* Writes an error response with "Connection: close"; returns its length. STATUS may also be 408,
 * 429 or 503. */
size_t ws_handshake_refuse(int status, const char *text, char out[WS_RESPONSE_MAX]);

#endif
