/* client_ops.h - what a client may ask for: one row per operation. Owner loop only. */
#ifndef IMC_COMET_NET_CLIENT_OPS_H
#define IMC_COMET_NET_CLIENT_OPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct conn;

enum body_kind {
    BODY_BYTES,  /* a frame's: raw */
    BODY_STRING, /* JSON mode: decoded */
    BODY_OBJECT, /* JSON mode; bytes are not given */
    BODY_OTHER,  /* JSON mode: number, array, … */
    BODY_NONE,   /* JSON mode: missing or null */
};

/* A client's frame, however it came. */
struct client_request {
    uint16_t version;
    int32_t op;
    int32_t seq;
    enum body_kind kind;
    const uint8_t *body; /* borrowed */
    size_t body_len;
};

/* Carries it out, answers it, or kicks the connection: look at its state afterwards. */
void client_op_run(struct conn *conn, const struct client_request *request);

#endif
