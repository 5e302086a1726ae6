/* client_request.h - what a client asks for, the same for TCP frames and WebSocket messages. */
#ifndef IMC_COMET_WIRE_CLIENT_REQUEST_H
#define IMC_COMET_WIRE_CLIENT_REQUEST_H

#include <stddef.h>
#include <stdint.h>

enum body_kind {
    BODY_BYTES,  /* of a frame: raw bytes */
    BODY_STRING, /* JSON mode: a string, decoded */
    BODY_OBJECT, /* JSON mode: an object; its bytes are not given */
    BODY_OTHER,  /* JSON mode: number, array, … */
    BODY_NONE,   /* JSON mode: missing or null */
};

struct client_request {
    uint16_t version;
    int32_t op;
    int32_t seq;
    enum body_kind kind;
    const uint8_t *body; /* borrowed */
    size_t body_len;
    const uint8_t *json; /* JSON mode: the whole message, borrowed */
    size_t json_len;
};

#endif
