/* A table with one row per wire form. What differs between wire forms is only here.
 *
 *   TCP       │ frame header │ body │ frame header │ body │ …
 *   WS_JSON   │ WebSocket header │ [{"ver":0,"op":5,"seq":0,"body":…},{…}] │
 *   GOIM_TCP  as TCP, with version 1
 *   GOIM_WS   a reply: │ WebSocket header │ frame header │ body │
 *             pushes:  │ WebSocket header │ header of operation 9 │ as GOIM_TCP │
 *   To an acknowledged session a push has a sequence, and an id: header of 24 bytes, or "id". */
#include "comet/wire/wire.h"
#include "comet/wire/ws_frame.h"
#include "common/base/mem.h"
#include "common/protocol/frame.h"
#include "common/protocol/json_scan.h"
#include "common/protocol/ops.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { IMGO_VERSION = 0, GOIM_VERSION = 1 }; /* of a push's frame */

static struct wire_unit unit_of_push(const struct push *push, uint16_t version)
{
    return (struct wire_unit){
        .version = version, .op = push->op, .body = push->body, .body_len = push->body_len};
}

static uint8_t *put(uint8_t *at, const void *bytes, size_t len)
{
    if (len > 0)
        memcpy(at, bytes, len);
    return at + len;
}

/* --- frames --- */

static size_t frame_size(const struct wire_unit *unit)
{
    return (unit->has_id ? FRAME_HEADER_ID : FRAME_HEADER) + unit->body_len;
}

static uint8_t *frame_put(uint8_t *at, const struct wire_unit *unit)
{
    frame_header(at, unit->version, unit->op, unit->seq, unit->body_len);
    if (!unit->has_id)
        return put(at + FRAME_HEADER, unit->body, unit->body_len);
    frame_header_add_id(at, unit->id, unit->body_len);
    return put(at + FRAME_HEADER_ID, unit->body, unit->body_len);
}

static size_t frame_one(const struct wire_unit *unit, uint8_t *out, size_t outlen)
{
    size_t size = frame_size(unit);
    if (size <= outlen)
        frame_put(out, unit);
    return size;
}

static size_t frames_size(const struct push *pushes, size_t n)
{
    size_t size = 0;
    for (size_t i = 0; i < n; i++)
        size += FRAME_HEADER + pushes[i].body_len;
    return size;
}

static void frames_put(uint8_t *at, const struct push *pushes, size_t n, uint16_t version)
{
    for (size_t i = 0; i < n; i++) {
        struct wire_unit unit = unit_of_push(&pushes[i], version);
        at = frame_put(at, &unit);
    }
}

static struct msg *frames_many(const struct push *pushes, size_t n, uint16_t version)
{
    struct msg *msg = msg_new(frames_size(pushes, n));
    frames_put(msg->data, pushes, n, version);
    return msg;
}

static size_t imgo_push(const struct push *push, uint8_t *out, size_t outlen)
{
    struct wire_unit unit = unit_of_push(push, IMGO_VERSION);
    return frame_one(&unit, out, outlen);
}

static struct msg *imgo_pushes(const struct push *pushes, size_t n)
{
    return frames_many(pushes, n, IMGO_VERSION);
}

static size_t goim_push(const struct push *push, uint8_t *out, size_t outlen)
{
    struct wire_unit unit = unit_of_push(push, GOIM_VERSION);
    return frame_one(&unit, out, outlen);
}

static struct msg *goim_pushes(const struct push *pushes, size_t n)
{
    return frames_many(pushes, n, GOIM_VERSION);
}

/* --- JSON in WebSocket text --- */

enum { HEAD_MAX = 96 };

/* One object with its size. Whether the body is JSON is found out once, here. */
struct wire_object {
    struct wire_unit unit;
    char head[HEAD_MAX]; /* from the brace to "body": */
    size_t head_len;
    size_t body_size; /* bytes when written */
    bool quote;       /* the body is written as a string */
};

static void object_measure(struct wire_object *object, const struct wire_unit *unit)
{
    static const uint8_t empty[] = "{}";
    object->unit = *unit;
    if (unit->body_len == 0) {
        object->unit.body = empty;
        object->unit.body_len = 2;
    }
    int len =
        snprintf(object->head, HEAD_MAX, "{\"ver\":%u,\"op\":%" PRId32 ",\"seq\":%" PRId32 ",",
                 (unsigned)unit->version, unit->op, unit->seq);
    assert(len > 0 && len < HEAD_MAX);
    if (unit->has_id) /* many readers of JSON keep only 53 bits of a number */
        len += snprintf(object->head + len, HEAD_MAX - (size_t)len, "\"id\":\"%" PRIu64 "\",",
                        unit->id);
    len += snprintf(object->head + len, HEAD_MAX - (size_t)len, "\"body\":");
    assert(len < HEAD_MAX);
    object->head_len = (size_t)len;
    size_t mark = json_mark(object->unit.body, object->unit.body_len);
    object->quote = !json_is_value(object->unit.body + mark, object->unit.body_len - mark);
    if (!object->quote) { /* inside a JSON document a byte order mark is an error */
        object->unit.body += mark;
        object->unit.body_len -= (uint32_t)mark;
    }
    object->body_size = object->unit.body_len;
    if (object->quote)
        object->body_size = json_write_string(object->unit.body, object->unit.body_len, NULL, 0);
}

/* The bytes of an object, with the comma or bracket before it and the brace behind it. */
static size_t object_size(const struct wire_object *object)
{
    return 1 + object->head_len + object->body_size + 1;
}

static uint8_t *object_put(uint8_t *at, const struct wire_object *object, bool first)
{
    *at++ = first ? '[' : ',';
    at = put(at, object->head, object->head_len);
    if (object->quote)
        at += json_write_string(object->unit.body, object->unit.body_len, at, object->body_size);
    else
        at = put(at, object->unit.body, object->unit.body_len);
    *at++ = '}';
    return at;
}

static size_t json_one(const struct wire_unit *unit, uint8_t *out, size_t outlen)
{
    struct wire_object object;
    object_measure(&object, unit);
    size_t text = object_size(&object) + 1, size = ws_header_size(text) + text;
    if (size > outlen)
        return size;
    uint8_t *at = out + ws_header_write(out, WS_OP_TEXT, text);
    at = object_put(at, &object, true);
    *at = ']';
    return size;
}

static size_t json_push(const struct push *push, uint8_t *out, size_t outlen)
{
    struct wire_unit unit = unit_of_push(push, IMGO_VERSION);
    return json_one(&unit, out, outlen);
}

static struct msg *json_pushes(const struct push *pushes, size_t n)
{
    struct wire_object *objects = mem_alloc(n * sizeof *objects);
    size_t text = 1;
    for (size_t i = 0; i < n; i++) {
        struct wire_unit unit = unit_of_push(&pushes[i], IMGO_VERSION);
        object_measure(&objects[i], &unit);
        text += object_size(&objects[i]);
    }
    struct msg *msg = msg_new(ws_header_size(text) + text);
    uint8_t *at = msg->data + ws_header_write(msg->data, WS_OP_TEXT, text);
    for (size_t i = 0; i < n; i++)
        at = object_put(at, &objects[i], i == 0);
    *at = ']';
    free(objects);
    return msg;
}

/* --- frames in WebSocket binary --- */

static size_t binary_one(const struct wire_unit *unit, uint8_t *out, size_t outlen)
{
    size_t frame = frame_size(unit), size = ws_header_size(frame) + frame;
    if (size <= outlen)
        frame_put(out + ws_header_write(out, WS_OP_BINARY, frame), unit);
    return size;
}

/* Writes FRAMES bytes of pushes as the body of an operation 9. */
static void raw_put(uint8_t *at, const struct push *pushes, size_t n, size_t frames)
{
    at += ws_header_write(at, WS_OP_BINARY, FRAME_HEADER + frames);
    frame_header(at, GOIM_VERSION, OP_RAW, 0, frames);
    frames_put(at + FRAME_HEADER, pushes, n, GOIM_VERSION);
}

static size_t raw_size(size_t frames)
{
    return ws_header_size(FRAME_HEADER + frames) + FRAME_HEADER + frames;
}

/* One frame as the body of an operation 9. */
static size_t raw_one(const struct wire_unit *unit, uint8_t *out, size_t outlen)
{
    size_t frame = frame_size(unit), size = raw_size(frame);
    if (size > outlen)
        return size;
    uint8_t *at = out + ws_header_write(out, WS_OP_BINARY, FRAME_HEADER + frame);
    frame_header(at, GOIM_VERSION, OP_RAW, 0, frame);
    frame_put(at + FRAME_HEADER, unit);
    return size;
}

static size_t raw_push(const struct push *push, uint8_t *out, size_t outlen)
{
    size_t frames = frames_size(push, 1), size = raw_size(frames);
    if (size <= outlen)
        raw_put(out, push, 1, frames);
    return size;
}

static struct msg *raw_pushes(const struct push *pushes, size_t n)
{
    size_t frames = frames_size(pushes, n);
    struct msg *msg = msg_new(raw_size(frames));
    raw_put(msg->data, pushes, n, frames);
    return msg;
}

static const struct wire_form {
    size_t (*reply)(const struct wire_unit *unit, uint8_t *out, size_t outlen);
    size_t (*push)(const struct push *push, uint8_t *out, size_t outlen);
    size_t (*numbered)(const struct wire_unit *unit, uint8_t *out, size_t outlen);
    struct msg *(*pushes)(const struct push *pushes, size_t n);
} forms[WIRES] = {
    [WIRE_TCP] = {frame_one, imgo_push, frame_one, imgo_pushes},
    [WIRE_WS_JSON] = {json_one, json_push, json_one, json_pushes},
    [WIRE_GOIM_TCP] = {frame_one, goim_push, frame_one, goim_pushes},
    [WIRE_GOIM_WS] = {binary_one, raw_push, raw_one, raw_pushes},
};

struct msg *wire_pushes(enum wire wire, const struct push *pushes, size_t n)
{
    assert(n > 0);
    return forms[wire].pushes(pushes, n);
}

size_t wire_push(enum wire wire, const struct push *push, uint8_t *out, size_t outlen)
{
    return forms[wire].push(push, out, outlen);
}

size_t wire_push_numbered(enum wire wire, const struct push *push, uint32_t seq, uint8_t *out,
                          size_t outlen)
{
    struct wire_unit unit = unit_of_push(push, wire_is_goim(wire) ? GOIM_VERSION : IMGO_VERSION);
    unit.seq = (int32_t)seq;
    unit.id = push->id;
    unit.has_id = true;
    return forms[wire].numbered(&unit, out, outlen);
}

size_t wire_reply(enum wire wire, const struct wire_unit *unit, uint8_t *out, size_t outlen)
{
    return forms[wire].reply(unit, out, outlen);
}
