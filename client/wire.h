/* wire.h - one connection of a client to comet: frames over TCP, JSON over WebSocket (imgo), or
 * frames over WebSocket (goim v2).
 *
 * Calls block, with time limits. One thread; one WebSocket at a time. The caller blocks SIGINT and
 * SIGTERM and has handlers for them. They are let in only during a wait, and end it. */
#ifndef IMC_CLIENT_WIRE_H
#define IMC_CLIENT_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum wire_kind { WIRE_TCP, WIRE_WS, WIRE_WS_FRAMES };

struct wire_message {
    int32_t op, seq;
    uint64_t id;      /* of an acknowledged session's message; 0: it has none */
    const char *body; /* valid until the next wire_next() */
    size_t body_len;
};

/* A connection speaks TLS. */
struct wire_trust {
    const char *cacert; /* PEM file: who is believed; NULL: the system's store */
    bool insecure;      /* believe anybody */
};

struct wire;
/* ADDRESS is host:port or [v6]:port. 0, or -E… with ERR filled; -EINTR: a signal came. */
int wire_open(enum wire_kind kind, const char *address, int timeout_ms, struct wire **out,
              char *err, size_t errlen);
/* Where a connection goes, and how. */
struct wire_target {
    enum wire_kind kind;
    const char *address;
    const struct wire_trust *trust; /* borrowed until wire_close(); NULL: without TLS */
};
/* As wire_open(). */
int wire_open_to(const struct wire_target *target, int timeout_ms, struct wire **out, char *err,
                 size_t errlen);
/* With WIRE_WS the body must be JSON, or empty for {}. 0 or -E…. */
int wire_send(struct wire *wire, int32_t op, int32_t seq, const char *body, size_t len);
/* 1: MESSAGE is set. 0: nothing came within TIMEOUT_MS, or a signal came. -ECONNRESET: the server
 * closed. -EBADMSG: the server sent nonsense. wire_error() says more. */
int wire_next(struct wire *wire, int timeout_ms, struct wire_message *message);
const char *wire_error(const struct wire *wire);
/* Over WebSocket sends a close frame first. WIRE may be NULL. */
void wire_close(struct wire *wire);

#endif
