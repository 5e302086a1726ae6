/* wire_internal.h - what a transport offers to wire.c, and the helpers that it may call. Only for
 * client/wire*.c. One thread. */
#ifndef IMC_CLIENT_WIRE_INTERNAL_H
#define IMC_CLIENT_WIRE_INTERNAL_H

#include "common/net/address.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    WIRE_MAX_MESSAGE = 64 << 20, /* of the server: one message may be a batch of many pushes */
    WIRE_SEND_TIMEOUT_MS = 10000,
};

struct wire;
struct wire_message;
struct wire_trust;

struct wire_address {
    const char *text; /* the address as it was given */
    struct address at;
};

/* The functions of wire.h for one transport. The struct of a transport begins with its struct
 * wire. */
struct wire_ops {
    size_t size; /* of the transport's struct, which open() gets zeroed */
    int (*open)(struct wire *wire, const struct wire_address *address, int64_t deadline_ms);
    int (*send)(struct wire *wire, int32_t op, int32_t seq, const char *body, size_t len);
    int (*next)(struct wire *wire, int64_t deadline_ms, struct wire_message *message);
    /* Frees what the struct holds, not the struct itself. Also called after a failed open(). */
    void (*close)(struct wire *wire);
};

struct wire {
    const struct wire_ops *ops;
    const struct wire_trust *trust; /* NULL: no TLS */
    char error[256];
};

extern const struct wire_ops wire_tcp, wire_ws, wire_ws_frames;

/* Keeps the text for wire_error(). Returns ERR. */
int wire_fail(struct wire *wire, int err, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* Keeps "WHAT: the text for errno". Returns -errno. */
int wire_fail_errno(struct wire *wire, const char *what);
/* frame_parse_reply() of at most WIRE_MAX_MESSAGE, into MESSAGE. */
long wire_parse_frame(const void *data, size_t len, struct wire_message *message);
/* Makes a non-blocking TCP connection. The descriptor, or -E… with the text kept. */
int wire_connect(struct wire *wire, const struct wire_address *address, int64_t deadline_ms);

#endif
