#include "bench/run/transport.h"

#include "bench/run/ws.h"
#include "common/protocol/frame.h"
#include "common/protocol/ops.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

enum {
    PACKET_MAX = 16 << 20,
    REQUEST_VERSION = 1, /* of all that we send; a reply repeats it, and the sequence */
    REQUEST_SEQ = 1,
};

/* --- frames --- */

/* What may stand in one place of a stream, by family. */
struct frame_rules {
    bool pushes, replies;
    bool acked; /* pushes have a sequence and an id */
    uint16_t push_version;
    uint32_t online_bytes; /* the body of a heartbeat reply */
};

static const struct frame_rules imgo_stream = {.pushes = true, .replies = true};
static const struct frame_rules goim_stream = {
    .pushes = true, .replies = true, .push_version = 1, .online_bytes = 4};
/* On WebSocket pushes are in the body of an operation 9, and nowhere else. */
static const struct frame_rules goim_message = {.replies = true, .online_bytes = 4};
static const struct frame_rules goim_batch = {.pushes = true, .push_version = 1};
/* Of acknowledged sessions. */
static const struct frame_rules acked_stream = {
    .pushes = true, .replies = true, .acked = true, .push_version = 1, .online_bytes = 4};
static const struct frame_rules acked_batch = {.pushes = true, .acked = true, .push_version = 1};

static bool is_reply(const struct frame *frame, uint32_t body_len)
{
    return frame->version == REQUEST_VERSION && frame->seq == REQUEST_SEQ &&
           frame->body_len == body_len;
}

/* HEADER: its bytes. */
static bool is_allowed(const struct frame_rules *rules, const struct frame *frame, size_t header)
{
    if (header != (rules->acked && frame->op == OP_PUSH ? FRAME_HEADER_ID : FRAME_HEADER))
        return false;
    switch (frame->op) {
    case OP_PUSH:
        return rules->pushes && frame->version == rules->push_version &&
               (frame->seq != 0) == rules->acked;
    case OP_AUTH_REPLY:
        return rules->replies && is_reply(frame, 0);
    case OP_HEARTBEAT_REPLY:
        return rules->replies && is_reply(frame, rules->online_bytes);
    case OP_DISCONNECT:
        return rules->replies;
    default:
        return false;
    }
}

/* Takes the whole frames at the start of BUF. Returns the bytes consumed, or -EBADMSG. *SEQ becomes
 * the sequence of the last push. */
static long take_numbered(const struct frame_rules *rules, const uint8_t *buf, size_t len,
                          transport_sink *sink, void *arg, int32_t *seq)
{
    size_t at = 0;
    struct frame frame;

    for (;;) {
        long n = frame_parse_reply(buf + at, len - at, PACKET_MAX, &frame);
        if (n < 0 || (n > 0 && !is_allowed(rules, &frame, (size_t)(frame.body - (buf + at)))))
            return -EBADMSG;
        if (n == 0)
            return (long)at;
        if (frame.op == OP_PUSH)
            *seq = frame.seq;
        sink(arg, frame.op, frame.body, frame.body_len);
        at += (size_t)n;
    }
}

static long take_frames(const struct frame_rules *rules, const uint8_t *buf, size_t len,
                        transport_sink *sink, void *arg)
{
    int32_t seq;

    return take_numbered(rules, buf, len, sink, arg, &seq);
}

static size_t frame_put(uint8_t *out, size_t size, const struct frame *frame)
{
    size_t len = frame->body_len < size - FRAME_HEADER ? frame->body_len : size - FRAME_HEADER;

    frame_header(out, frame->version, frame->op, frame->seq, len);
    memcpy(out + FRAME_HEADER, frame->body, len);
    return FRAME_HEADER + len;
}

static struct frame frame_of(uint16_t version, int32_t op, int32_t seq, const char *body)
{
    return (struct frame){.version = version,
                          .op = op,
                          .seq = seq,
                          .body = (const uint8_t *)body,
                          .body_len = (uint32_t)strlen(body)};
}

static struct frame request_of(int32_t op, const char *body)
{
    return frame_of(REQUEST_VERSION, op, REQUEST_SEQ, body);
}

/* goim's clients name all of this; the token and MORE are imc's. */
static void goim_who(char *out, size_t size, const struct transport_who *who, const char *more)
{
    snprintf(out, size,
             "{\"mid\":%" PRIu64 ",\"key\":\"%s\",\"room_id\":\"%s\",\"platform\":\"bench\","
             "\"accepts\":[%d],\"token\":\"%s\"%s}",
             who->mid, who->token, who->room, OP_PUSH, who->token, more);
}

static const char wants_acks[] = ",\"ack\":true";

/* --- frames over TCP --- */

static size_t tcp_send(uint8_t out[TRANSPORT_OUT_MAX], const struct frame *frame)
{
    return frame_put(out, TRANSPORT_OUT_MAX, frame);
}

static size_t tcp_auth(uint8_t out[TRANSPORT_OUT_MAX], const struct transport_who *who)
{
    struct frame frame = request_of(OP_AUTH, who->token);

    return tcp_send(out, &frame);
}

static size_t tcp_object(uint8_t out[TRANSPORT_OUT_MAX], const struct transport_who *who,
                         const char *more)
{
    char body[TRANSPORT_OUT_MAX - FRAME_HEADER];
    struct frame frame;

    goim_who(body, sizeof body, who, more);
    frame = request_of(OP_AUTH, body);
    return tcp_send(out, &frame);
}

static size_t tcp_goim_auth(uint8_t out[TRANSPORT_OUT_MAX], const struct transport_who *who)
{
    return tcp_object(out, who, "");
}

static size_t tcp_acked_auth(uint8_t out[TRANSPORT_OUT_MAX], const struct transport_who *who)
{
    return tcp_object(out, who, wants_acks);
}

static size_t tcp_heartbeat(uint8_t out[TRANSPORT_OUT_MAX])
{
    struct frame frame = request_of(OP_HEARTBEAT, "");

    return tcp_send(out, &frame);
}

/* As imgo pushes: version 0, sequence 0. */
static size_t tcp_push(uint8_t out[TRANSPORT_OUT_MAX], const char *body)
{
    struct frame frame = frame_of(imgo_stream.push_version, OP_PUSH, 0, body);

    return tcp_send(out, &frame);
}

static size_t tcp_goim_push(uint8_t out[TRANSPORT_OUT_MAX], const char *body)
{
    struct frame frame = frame_of(goim_stream.push_version, OP_PUSH, 0, body);

    return tcp_send(out, &frame);
}

static long tcp_take(const uint8_t *buf, size_t len, transport_sink *sink, void *arg)
{
    return take_frames(&imgo_stream, buf, len, sink, arg);
}

static long tcp_acked_take(const uint8_t *buf, size_t len, transport_sink *sink, void *arg)
{
    uint8_t out[TRANSPORT_OUT_MAX];
    int32_t seq = 0;
    long taken = take_numbered(&acked_stream, buf, len, sink, arg, &seq);
    struct frame frame = frame_of(REQUEST_VERSION, OP_ACK, seq, "");

    if (taken > 0 && seq != 0)
        sink(arg, OP_ACK, out, tcp_send(out, &frame));
    return taken;
}

static long tcp_goim_take(const uint8_t *buf, size_t len, transport_sink *sink, void *arg)
{
    return take_frames(&goim_stream, buf, len, sink, arg);
}

/* --- WebSocket messages --- */

static size_t ws_greet(uint8_t out[TRANSPORT_OUT_MAX], const char *host)
{
    return ws_request((char *)out, TRANSPORT_OUT_MAX, host, "/sub");
}

static long ws_greeted(const uint8_t *buf, size_t len)
{
    return ws_answer((const char *)buf, len);
}

/* Writes a message of the LEN bytes of PAYLOAD, which are masked in place. */
static size_t ws_send(uint8_t out[TRANSPORT_OUT_MAX], unsigned opcode, uint8_t *payload, size_t len)
{
    size_t header = ws_frame_header(out, opcode, payload, len);

    memcpy(out + header, payload, len);
    return header + len;
}

/* Takes one message whole. 0 or -EBADMSG. */
typedef int message_taker(const uint8_t *message, size_t len, transport_sink *sink, void *arg);

/* Messages that count have OPCODE. */
static long take_messages(const uint8_t *buf, size_t len, unsigned opcode, message_taker *taker,
                          transport_sink *sink, void *arg)
{
    size_t at = 0;
    struct ws_frame frame;

    for (;;) {
        long n = ws_parse(buf + at, len - at, PACKET_MAX, &frame);
        if (n < 0 || (n > 0 && !frame.fin))
            return -EBADMSG;
        if (n == 0)
            return (long)at;
        if (frame.opcode == WS_CLOSE)
            sink(arg, OP_DISCONNECT, frame.payload, frame.len);
        else if (frame.opcode != WS_PING && frame.opcode != WS_PONG &&
                 (frame.opcode != opcode || taker(frame.payload, frame.len, sink, arg) != 0))
            return -EBADMSG;
        at += (size_t)n;
    }
}

/* --- JSON over WebSocket --- */

static size_t ws_write(uint8_t out[TRANSPORT_OUT_MAX], int op, const char *body)
{
    uint8_t text[TRANSPORT_OUT_MAX - WS_HEADER_MAX];
    int n = snprintf((char *)text, sizeof text, "{\"ver\":%d,\"op\":%d,\"seq\":%d,\"body\":%s}",
                     REQUEST_VERSION, op, REQUEST_SEQ, body);

    return ws_send(out, WS_TEXT, text, n > 0 && (size_t)n < sizeof text ? (size_t)n : 0);
}

static size_t ws_auth(uint8_t out[TRANSPORT_OUT_MAX], const struct transport_who *who)
{
    char body[TRANSPORT_OUT_MAX / 2];

    snprintf(body, sizeof body, "\"%s\"", who->token);
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
static int take_array(const uint8_t *message, size_t len, transport_sink *sink, void *arg)
{
    const char *at = (const char *)message, *end = at + len;

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
    return take_messages(buf, len, WS_TEXT, take_array, sink, arg);
}

/* --- goim's frames over WebSocket, one a message --- */

static size_t ws_goim_send(uint8_t out[TRANSPORT_OUT_MAX], const struct frame *frame)
{
    uint8_t payload[TRANSPORT_OUT_MAX - WS_HEADER_MAX];

    return ws_send(out, WS_BINARY, payload, frame_put(payload, sizeof payload, frame));
}

static size_t ws_object(uint8_t out[TRANSPORT_OUT_MAX], const struct transport_who *who,
                        const char *more)
{
    char body[TRANSPORT_OUT_MAX - WS_HEADER_MAX - FRAME_HEADER];
    struct frame frame;

    goim_who(body, sizeof body, who, more);
    frame = request_of(OP_AUTH, body);
    return ws_goim_send(out, &frame);
}

static size_t ws_goim_auth(uint8_t out[TRANSPORT_OUT_MAX], const struct transport_who *who)
{
    return ws_object(out, who, "");
}

static size_t ws_acked_auth(uint8_t out[TRANSPORT_OUT_MAX], const struct transport_who *who)
{
    return ws_object(out, who, wants_acks);
}

static size_t ws_goim_heartbeat(uint8_t out[TRANSPORT_OUT_MAX])
{
    struct frame frame = request_of(OP_HEARTBEAT, "");

    return ws_goim_send(out, &frame);
}

/* A message is one frame: a reply, or an operation 9 whose body is pushes, at least one. */
static int take_goim_message(const uint8_t *message, size_t len, transport_sink *sink, void *arg)
{
    const struct frame_rules *rules = &goim_message;
    struct frame frame;

    if (len == 0 || frame_parse_reply(message, len, PACKET_MAX, &frame) != (long)len)
        return -EBADMSG;
    if (frame.op == OP_RAW) {
        if (frame.version != goim_batch.push_version || frame.seq != 0 || frame.body_len == 0)
            return -EBADMSG;
        rules = &goim_batch;
        message = frame.body;
        len = frame.body_len;
    }
    return take_frames(rules, message, len, sink, arg) == (long)len ? 0 : -EBADMSG;
}

static long ws_goim_take(const uint8_t *buf, size_t len, transport_sink *sink, void *arg)
{
    return take_messages(buf, len, WS_BINARY, take_goim_message, sink, arg);
}

static int take_acked_message(const uint8_t *message, size_t len, transport_sink *sink, void *arg)
{
    uint8_t out[TRANSPORT_OUT_MAX];
    struct frame frame;
    int32_t seq = 0;

    if (len == 0 || frame_parse_reply(message, len, PACKET_MAX, &frame) != (long)len)
        return -EBADMSG;
    if (frame.op != OP_RAW)
        return take_goim_message(message, len, sink, arg);
    if (frame.version != acked_batch.push_version || frame.seq != 0 || frame.body_len == 0 ||
        take_numbered(&acked_batch, frame.body, frame.body_len, sink, arg, &seq) !=
            (long)frame.body_len)
        return -EBADMSG;
    frame = frame_of(REQUEST_VERSION, OP_ACK, seq, "");
    sink(arg, OP_ACK, out, ws_goim_send(out, &frame));
    return 0;
}

static long ws_acked_take(const uint8_t *buf, size_t len, transport_sink *sink, void *arg)
{
    return take_messages(buf, len, WS_BINARY, take_acked_message, sink, arg);
}

static const struct transport transports[] = {
    {"tcp", "TCP", NULL, NULL, tcp_auth, tcp_heartbeat, tcp_push, tcp_take},
    {"ws", "WebSocket JSON", ws_greet, ws_greeted, ws_auth, ws_heartbeat, NULL, ws_take},
    {"goim-tcp", "goim TCP", NULL, NULL, tcp_goim_auth, tcp_heartbeat, tcp_goim_push,
     tcp_goim_take},
    {"goim-ws", "goim WebSocket", ws_greet, ws_greeted, ws_goim_auth, ws_goim_heartbeat, NULL,
     ws_goim_take},
    {"acked-tcp", "acknowledged TCP", NULL, NULL, tcp_acked_auth, tcp_heartbeat, NULL,
     tcp_acked_take},
    {"acked-ws", "acknowledged WebSocket", ws_greet, ws_greeted, ws_acked_auth, ws_goim_heartbeat,
     NULL, ws_acked_take},
};

const struct transport *transport_find(const char *name)
{
    for (size_t i = 0; i < sizeof transports / sizeof transports[0]; i++)
        if (strcmp(transports[i].name, name) == 0)
            return &transports[i];
    return NULL;
}
