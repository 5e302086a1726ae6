/* A table with one row per wire form. What differs between wire forms is only here.
 *
 *   TCP       │ frame header │ body │ frame header │ body │ …
 *   WS_JSON   │ WebSocket header │ [{"ver":0,"op":5,"seq":0,"body":…},{…}] │
 *   WS_BIN    │ WebSocket header │ frame header │ body │
 *
 * WS_BIN has only replies, until there are sessions of goim v2. */
#include "comet/wire/wire.h"
#include "comet/wire/ws_frame.h"
#include "common/base/mem.h"
#include "common/protocol/frame.h"
#include "common/protocol/json_scan.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct wire_unit unit_of_push(const struct push *push)
{
    return (struct wire_unit){.op = push->op, .body = push->body, .body_len = push->body_len};
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
    return FRAME_HEADER + unit->body_len;
}

static uint8_t *frame_put(uint8_t *at, const struct wire_unit *unit)
{
    frame_header(at, unit->version, unit->op, unit->seq, unit->body_len);
    return put(at + FRAME_HEADER, unit->body, unit->body_len);
}

static size_t frame_one(const struct wire_unit *unit, uint8_t *out, size_t outlen)
{
    size_t size = frame_size(unit);
    if (size <= outlen)
        frame_put(out, unit);
    return size;
}

static struct msg *frame_many(const struct push *pushes, size_t n)
{
    size_t size = 0;
    for (size_t i = 0; i < n; i++)
        size += FRAME_HEADER + pushes[i].body_len;
    struct msg *msg = msg_new(size);
    uint8_t *at = msg->data;
    for (size_t i = 0; i < n; i++) {
        struct wire_unit unit = unit_of_push(&pushes[i]);
        at = frame_put(at, &unit);
    }
    return msg;
}

/* --- JSON in WebSocket text --- */

enum { HEAD_MAX = 64 };

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
    int len = snprintf(object->head, HEAD_MAX,
                       "{\"ver\":%u,\"op\":%" PRId32 ",\"seq\":%" PRId32 ",\"body\":",
                       (unsigned)unit->version, unit->op, unit->seq);
    assert(len > 0 && len < HEAD_MAX);
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

static struct msg *json_many(const struct push *pushes, size_t n)
{
    struct wire_object *objects = mem_alloc(n * sizeof *objects);
    size_t text = 1;
    for (size_t i = 0; i < n; i++) {
        struct wire_unit unit = unit_of_push(&pushes[i]);
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

static const struct wire_form {
    size_t (*one)(const struct wire_unit *unit, uint8_t *out, size_t outlen);
    struct msg *(*many)(const struct push *pushes,
                        size_t n); /* NULL: no session has this form yet */
} forms[WIRES] = {
    [WIRE_TCP] = {frame_one, frame_many},
    [WIRE_WS_JSON] = {json_one, json_many},
    [WIRE_WS_BIN] = {binary_one, NULL},
};

struct msg *wire_pushes(enum wire wire, const struct push *pushes, size_t n)
{
    assert(n > 0 && forms[wire].many != NULL);
    return forms[wire].many(pushes, n);
}

size_t wire_push(enum wire wire, const struct push *push, uint8_t *out, size_t outlen)
{
    struct wire_unit unit = unit_of_push(push);
    assert(forms[wire].many != NULL);
    return forms[wire].one(&unit, out, outlen);
}

size_t wire_reply(enum wire wire, const struct wire_unit *unit, uint8_t *out, size_t outlen)
{
    return forms[wire].one(unit, out, outlen);
}
