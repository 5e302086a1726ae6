/* client_request.h - what a client asks for, whatever it came in. */
#ifndef IMC_COMET_WIRE_CLIENT_REQUEST_H
#define IMC_COMET_WIRE_CLIENT_REQUEST_H

#include <stddef.h>
#include <stdint.h>

enum body_kind {
    BODY_BYTES,  /* a frame's: raw */
    BODY_STRING, /* JSON mode: decoded */
    BODY_OBJECT, /* JSON mode; bytes are not given */
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
};

#endif
