/* transport.h - the wire forms that a client may speak, one row each. goim's clients and TLS will
 * be further rows. Pure functions, no sockets. */
#ifndef IMC_BENCH_RUN_TRANSPORT_H
#define IMC_BENCH_RUN_TRANSPORT_H

#include <stddef.h>
#include <stdint.h>

/* OP from the server; BODY is borrowed from the buffer. */
typedef void transport_sink(void *arg, int32_t op, const uint8_t *body, size_t len);

enum { TRANSPORT_OUT_MAX = 512 };

struct transport {
    const char *name;
    const char *title; /* for the report */
    /* Writes what is sent right after connecting, before the auth. NULL: nothing is. */
    size_t (*greet)(uint8_t out[TRANSPORT_OUT_MAX], const char *host);
    /* Reads the answer to that. Returns the bytes consumed; 0: needs more; or -EPROTO. */
    long (*greeted)(const uint8_t *buf, size_t len);
    size_t (*auth)(uint8_t out[TRANSPORT_OUT_MAX], const char *token);
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
