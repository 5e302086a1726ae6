/* json_walk.h - goes over the members of an object, or the items of an array, within a text that
 * json_is_value() has taken. Values stay as they stand in the text: no number loses digits, and
 * what nobody asks for costs nothing. Pure; any thread. */
#ifndef IMC_COMMON_PROTOCOL_JSON_WALK_H
#define IMC_COMMON_PROTOCOL_JSON_WALK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A value: from its first byte to its last, without white space around it. */
struct json_span {
    const uint8_t *at;
    size_t len;
};

/* The value of TEXT, which json_is_value() has taken. */
struct json_span json_span_of(const uint8_t *text, size_t len);

struct json_walk {
    const uint8_t *at, *end;
};

/* CONTAINER is an object or an array. */
struct json_walk json_walk_begin(struct json_span container);
/* The next item of an array; false: there is none. */
bool json_walk_item(struct json_walk *walk, struct json_span *item);
/* The next member of an object; NAME has its quotes. */
bool json_walk_member(struct json_walk *walk, struct json_span *name, struct json_span *value);

/* Decodes STRING, which has its quotes, into OUT, which has room for STRING.len bytes. Returns how
 * many bytes; a NUL follows, which does not count. */
size_t json_string_decode(struct json_span string, char *out);

#endif
