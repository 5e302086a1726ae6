/* wire.h - the wire forms of the client protocol: how a push or a reply looks on a kind of
 * connection. Pure; any thread.
 *
 * A later family or transport is a value here and a row in wire.c. */
#ifndef IMC_COMET_WIRE_WIRE_H
#define IMC_COMET_WIRE_WIRE_H

#include "comet/wire/push.h"
#include "common/base/msg.h"
#include <stddef.h>

enum wire {
    WIRE_TCP,     /* bare frames, back to back */
    WIRE_WS_JSON, /* one WebSocket text message holds an array of objects */
    WIRE_WS_BIN,  /* one WebSocket binary message holds one frame; pushes wrapped in operation 9
                     (goim: later) */
    WIRES,
};

/* All of PUSHES as one write: frames back to back, or one array in one WebSocket message. Version
 * and sequence 0, as imgo pushes have. JSON: the body verbatim if it is a JSON value, else as a
 * string. */
struct msg *wire_pushes(enum wire wire, const struct push *pushes, size_t n);
/* The same for one push into OUT if it fits OUTLEN; returns the bytes it needs. Allocates nothing.
 */
size_t wire_push(enum wire wire, const struct push *push, uint8_t *out, size_t outlen);
/* What goes into one frame or object. */
struct wire_unit {
    uint16_t version;
    int32_t op, seq;
    const uint8_t *body;
    size_t body_len;
};

/* A reply, or operation 6. An empty body is {} in JSON; a non-empty one must be JSON there. Same
 * return. */
size_t wire_reply(enum wire wire, const struct wire_unit *unit, uint8_t *out, size_t outlen);

#endif
