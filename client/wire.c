/*
 *   wire_open ─► wire_tcp.c   frames on a socket
 *            └─► wire_ws.c    JSON in WebSocket messages, by libwebsockets
 */
#include "client/wire.h"
#include "client/wire_internal.h"
#include "common/base/mem.h"
#include "common/base/time.h"
#include "common/protocol/frame.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

int wire_fail(struct wire *wire, int err, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    vsnprintf(wire->error, sizeof wire->error, fmt, args);
    va_end(args);
    return err;
}

int wire_fail_errno(struct wire *wire, const char *what)
{
    int err = errno;
    char text[128];

    return wire_fail(wire, -err, "%s: %s", what, strerror_r(err, text, sizeof text));
}

long wire_parse_frame(const void *data, size_t len, struct wire_message *message)
{
    struct frame frame;
    long n = frame_parse_reply(data, len, WIRE_MAX_MESSAGE, &frame);

    if (n > 0)
        *message = (struct wire_message){.op = frame.op,
                                         .seq = frame.seq,
                                         .id = frame_id(data, &frame),
                                         .body = (const char *)frame.body,
                                         .body_len = frame.body_len};
    return n;
}

/* "host:port" or "[v6]:port". */
static int parse_address(const char *text, struct wire_address *out)
{
    out->text = text;
    if (address_parse(text, strlen(text), &out->at) != 0 || out->at.host[0] == '\0' ||
        out->at.port == 0)
        return -EINVAL;
    return 0;
}

int wire_open(enum wire_kind kind, const char *address, int timeout_ms, struct wire **out,
              char *err, size_t errlen)
{
    const struct wire_target target = {.kind = kind, .address = address};

    return wire_open_to(&target, timeout_ms, out, err, errlen);
}

int wire_open_to(const struct wire_target *target, int timeout_ms, struct wire **out, char *err,
                 size_t errlen)
{
    static const struct wire_ops *const kinds[] = {
        [WIRE_TCP] = &wire_tcp, [WIRE_WS] = &wire_ws, [WIRE_WS_FRAMES] = &wire_ws_frames};
    const struct wire_ops *ops = kinds[target->kind];
    int64_t deadline = time_mono_ms() + timeout_ms;
    struct wire_address parsed;
    struct wire *wire;
    int failed;

    if (parse_address(target->address, &parsed) != 0) {
        snprintf(err, errlen, "'%s' is no address: host:port is", target->address);
        return -EINVAL;
    }
    wire = mem_zalloc(ops->size);
    wire->ops = ops;
    wire->trust = target->trust;
    failed = ops->open(wire, &parsed, deadline);
    if (failed == 0) {
        *out = wire;
        return 0;
    }
    snprintf(err, errlen, "%s", wire->error);
    wire_close(wire);
    return failed;
}

int wire_send(struct wire *wire, int32_t op, int32_t seq, const char *body, size_t len)
{
    return wire->ops->send(wire, op, seq, body, len);
}

int wire_next(struct wire *wire, int timeout_ms, struct wire_message *message)
{
    return wire->ops->next(wire, time_mono_ms() + timeout_ms, message);
}

const char *wire_error(const struct wire *wire)
{
    return wire->error;
}

void wire_close(struct wire *wire)
{
    if (wire == NULL)
        return;
    wire->ops->close(wire);
    free(wire);
}
