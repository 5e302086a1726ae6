/* wire.h - the wire forms of the client protocol: how a push or a reply looks on a kind of
 * connection. Pure; any thread.
 *
 * To add a client family or a transport, add a value here and a row in wire.c. */
#ifndef IMC_COMET_WIRE_WIRE_H
#define IMC_COMET_WIRE_WIRE_H

#include "comet/wire/push.h"
#include "common/base/msg.h"
#include <stddef.h>

enum wire {
    WIRE_TCP,      /* imgo: bare frames, back to back */
    WIRE_WS_JSON,  /* imgo: one WebSocket text message holds an array of objects */
    WIRE_GOIM_TCP, /* goim v2: bare frames, back to back */
    WIRE_GOIM_WS, /* goim v2: one WebSocket binary message holds one frame; pushes, one or many, are
                     the body of one frame of operation 9 */
    WIRES,
};

/* The clients of goim v2, not those of imgo. */
static inline bool wire_is_goim(enum wire wire)
{
    return wire == WIRE_GOIM_TCP || wire == WIRE_GOIM_WS;
}

/* Encodes PUSHES for one write: frames back to back, or one WebSocket message. The version is 0 in
 * imgo's pushes and 1 in goim's; the sequence is 0. In JSON a body that is a JSON value is written
 * as it is, any other as a string. */
struct msg *wire_pushes(enum wire wire, const struct push *pushes, size_t n);
/* Encodes one push into OUT if it fits OUTLEN; returns the bytes it needs. Allocates nothing. */
size_t wire_push(enum wire wire, const struct push *push, uint8_t *out, size_t outlen);
/* The same for an acknowledged session: with SEQ, and with the push's id in a header of 24 bytes,
 * in JSON as "id". */
size_t wire_push_numbered(enum wire wire, const struct push *push, uint32_t seq, uint8_t *out,
                          size_t outlen);
/* What goes into one frame or object. */
struct wire_unit {
    uint16_t version;
    bool has_id; /* an acknowledged session's message */
    int32_t op, seq;
    const uint8_t *body;
    size_t body_len;
    uint64_t id;
};

/* Encodes a reply, or operation 6; returns the same. In JSON an empty body becomes {}, and any
 * other must be JSON. */
size_t wire_reply(enum wire wire, const struct wire_unit *unit, uint8_t *out, size_t outlen);

#endif
