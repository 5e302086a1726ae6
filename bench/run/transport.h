/* transport.h - the wire forms that a client may speak, one row each: imgo's frames over TCP,
 * imgo's JSON over WebSocket, goim v2's frames over both, the same in acknowledged sessions. Pure
 * functions, no sockets.
 *
 * A reader takes only what this form may hold here: the operation, the version and the sequence of
 * each frame, the length of a reply's body, in goim's WebSocket messages the operation 9 around
 * pushes. Anything else is -EBADMSG, so that a wrong frame is never counted as a delivery. */
#ifndef IMC_BENCH_RUN_TRANSPORT_H
#define IMC_BENCH_RUN_TRANSPORT_H

#include <stddef.h>
#include <stdint.h>

/* OP from the server; BODY is borrowed from the buffer. OP_ACK comes from the transport of an
 * acknowledged session: BODY is what the client has to send now. */
typedef void transport_sink(void *arg, int32_t op, const uint8_t *body, size_t len);

enum { TRANSPORT_OUT_MAX = 512 };

/* Who a client says it is. imgo's clients send the token alone. */
struct transport_who {
    const char *token;
    const char *room; /* "": none */
    uint64_t mid;     /* of the token */
};

struct transport {
    const char *name;
    const char *title; /* for the report */
    /* Writes what is sent right after connecting, before the auth. NULL: nothing is. */
    size_t (*greet)(uint8_t out[TRANSPORT_OUT_MAX], const char *host);
    /* Reads the answer to that. Returns the bytes consumed; 0: needs more; or -EPROTO. */
    long (*greeted)(const uint8_t *buf, size_t len);
    size_t (*auth)(uint8_t out[TRANSPORT_OUT_MAX], const struct transport_who *who);
    size_t (*heartbeat)(uint8_t out[TRANSPORT_OUT_MAX]);
    /* Writes a push of BODY as the server sends it. NULL: the bytes are not always the same. */
    size_t (*push)(uint8_t out[TRANSPORT_OUT_MAX], const char *body);
    /* Takes the messages at the start of BUF that are whole. Returns the bytes consumed, or
     * -EBADMSG. */
    long (*take)(const uint8_t *buf, size_t len, transport_sink *sink, void *arg);
};

/* NULL if there is none of that name. */
const struct transport *transport_find(const char *name);

#endif
