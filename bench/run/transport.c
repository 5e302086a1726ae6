#include "bench/run/transport.h"

#include "bench/run/ws.h"
#include "common/protocol/frame.h"
#include "common/protocol/ops.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

enum { PACKET_MAX = 16 << 20 };

/* --- frames over TCP --- */

/* VERSION becomes the sequence, too. */
static size_t frame_write(uint8_t out[TRANSPORT_OUT_MAX], uint16_t version, int32_t op,
                          const char *body)
{
    size_t len = strnlen(body, TRANSPORT_OUT_MAX - FRAME_HEADER);

    frame_header(out, version, op, version, len);
    memcpy(out + FRAME_HEADER, body, len);
    return FRAME_HEADER + len;
}

static size_t tcp_auth(uint8_t out[TRANSPORT_OUT_MAX], const char *token)
{
    return frame_write(out, 1, OP_AUTH, token);
}

static size_t tcp_heartbeat(uint8_t out[TRANSPORT_OUT_MAX])
{
    return frame_write(out, 1, OP_HEARTBEAT, "");
}

/* As imgo pushes: version 0, sequence 0. */
static size_t tcp_push(uint8_t out[TRANSPORT_OUT_MAX], const char *body)
{
    return frame_write(out, 0, OP_PUSH, body);
}

static long tcp_take(const uint8_t *buf, size_t len, transport_sink *sink, void *arg)
{
    size_t at = 0;
    struct frame frame;

    for (;;) {
        long n = frame_parse_reply(buf + at, len - at, PACKET_MAX, &frame);
        if (n < 0)
            return -EBADMSG;
        if (n == 0)
            return (long)at;
        sink(arg, frame.op, frame.body, frame.body_len);
        at += (size_t)n;
    }
}

/* --- JSON over WebSocket --- */

static size_t ws_greet(uint8_t out[TRANSPORT_OUT_MAX], const char *host)
{
    return ws_request((char *)out, TRANSPORT_OUT_MAX, host, "/sub");
}

static long ws_greeted(const uint8_t *buf, size_t len)
{
    return ws_answer((const char *)buf, len);
}

static size_t ws_write(uint8_t out[TRANSPORT_OUT_MAX], int op, const char *body)
{
    uint8_t text[TRANSPORT_OUT_MAX - WS_HEADER_MAX];
    int n = snprintf((char *)text, sizeof text, "{\"ver\":1,\"op\":%d,\"seq\":1,\"body\":%s}", op,
                     body);
    size_t len = n > 0 && (size_t)n < sizeof text ? (size_t)n : 0;
    size_t header = ws_frame_header(out, WS_TEXT, text, len);

    memcpy(out + header, text, len);
    return header + len;
}

static size_t ws_auth(uint8_t out[TRANSPORT_OUT_MAX], const char *token)
{
    char body[TRANSPORT_OUT_MAX / 2];

    snprintf(body, sizeof body, "\"%s\"", token);
    return ws_write(out, OP_AUTH, body);
}

static size_t ws_heartbeat(uint8_t out[TRANSPORT_OUT_MAX])
{
    return ws_write(out, OP_HEARTBEAT, "{}");
}

/* Where the JSON value at AT ends; NULL if it does not. */
static const char *skip_value(const char *at, const char *end)
{
    int depth = 0;
    bool string = false;

    for (; at < end; at++) {
        if (string && *at == '\\')
            at++;
        else if (*at == '"')
            string = !string;
        else if (!string && (*at == '{' || *at == '['))
            depth++;
        else if (!string && depth > 0 && (*at == '}' || *at == ']'))
            depth--;
        else if (!string && depth == 0 && (*at == ',' || *at == '}' || *at == ']'))
            return at;
    }
    return NULL;
}

/* Where the value of the member NAME begins; NULL if there is none. */
static const char *find_member(const char *at, const char *end, const char *name)
{
    size_t len = strlen(name);
    const char *found = memmem(at, (size_t)(end - at), name, len);

    return found != NULL ? found + len : NULL;
}

static int32_t read_number(const char *at, const char *end)
{
    int32_t n = 0;

    for (; at < end && *at >= '0' && *at <= '9' && n < 100000; at++)
        n = n * 10 + (*at - '0');
    return n;
}

/* [{"ver":1,"op":8,"seq":77,"body":{}},…], written as comet writes it: without spaces, the body
 * last. */
static int take_array(const char *at, const char *end, transport_sink *sink, void *arg)
{
    if (at == end || *at != '[')
        return -EBADMSG;
    while (at < end && *at != ']') {
        const char *op = find_member(at + 1, end, "\"op\":");
        const char *body = op != NULL ? find_member(op, end, "\"body\":") : NULL;
        const char *stop = body != NULL ? skip_value(body, end) : NULL;
        if (stop == NULL || *stop != '}')
            return -EBADMSG;
        sink(arg, read_number(op, end), (const uint8_t *)body, (size_t)(stop - body));
        at = stop + 1;
    }
    return at < end ? 0 : -EBADMSG;
}

static long ws_take(const uint8_t *buf, size_t len, transport_sink *sink, void *arg)
{
    size_t at = 0;
    struct ws_frame frame;

    for (;;) {
        long n = ws_parse(buf + at, len - at, PACKET_MAX, &frame);
        const char *text;
        if (n < 0 || (n > 0 && !frame.fin))
            return -EBADMSG;
        if (n == 0)
            return (long)at;
        text = (const char *)frame.payload;
        if (frame.opcode == WS_CLOSE)
            sink(arg, OP_DISCONNECT, frame.payload, frame.len);
        else if (frame.opcode == WS_TEXT && take_array(text, text + frame.len, sink, arg) != 0)
            return -EBADMSG;
        at += (size_t)n;
    }
}

static const struct transport transports[] = {
    {"tcp", "TCP", NULL, NULL, tcp_auth, tcp_heartbeat, tcp_push, tcp_take},
    {"ws", "WebSocket JSON", ws_greet, ws_greeted, ws_auth, ws_heartbeat, NULL, ws_take},
};

const struct transport *transport_find(const char *name)
{
    for (size_t i = 0; i < sizeof transports / sizeof transports[0]; i++)
        if (strcmp(transports[i].name, name) == 0)
            return &transports[i];
    return NULL;
}
