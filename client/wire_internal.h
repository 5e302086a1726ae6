/* wire_internal.h - what a transport offers to wire.c, and the helpers it gets. Only for
 * client/wire*.c. One thread. */
#ifndef IMC_CLIENT_WIRE_INTERNAL_H
#define IMC_CLIENT_WIRE_INTERNAL_H

#include "client/wire.h"
#include <stdbool.h>

enum {
    WIRE_MAX_MESSAGE = 64 << 20, /* of the server: a batch of many pushes is one message */
    WIRE_SEND_TIMEOUT_MS = 10000,
};

struct wire_address {
    const char *text;              /* as it was given */
    char host[256], port_text[16]; /* the host without brackets */
    uint16_t port;
};

/* What the functions of wire.h do, over one transport. A transport's struct begins with its
 * struct wire. */
struct wire_ops {
    size_t size; /* of the transport's struct, which open() gets zeroed */
    int (*open)(struct wire *wire, const struct wire_address *address, int64_t deadline_ms);
    int (*send)(struct wire *wire, int32_t op, int32_t seq, const char *body, size_t len);
    int (*next)(struct wire *wire, int64_t deadline_ms, struct wire_message *message);
    /* Frees what the struct holds, not the struct. Also after a failed open(). */
    void (*close)(struct wire *wire);
};

struct wire {
    const struct wire_ops *ops;
    char error[256];
};

extern const struct wire_ops wire_tcp, wire_ws;

/* Keeps the words for wire_error(). Returns ERR. */
int wire_fail(struct wire *wire, int err, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* "WHAT: the words for errno". Returns -errno. */
int wire_fail_errno(struct wire *wire, const char *what);
/* A TCP connection, non-blocking. The descriptor, or -E… with the error kept. */
int wire_connect(struct wire *wire, const struct wire_address *address, int64_t deadline_ms);

#endif
