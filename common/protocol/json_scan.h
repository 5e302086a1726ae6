/* json_scan.h - the two questions the data path asks about JSON, answered without allocating;
 * jansson does the rest, and is called by what stands here for whatever comes from outside. */
#ifndef IMC_COMMON_PROTOCOL_JSON_SCAN_H
#define IMC_COMMON_PROTOCOL_JSON_SCAN_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* True if BUF is exactly one JSON value (RFC 8259, any type, white space around allowed, nesting at
 * most 512) in valid UTF-8: it can stand verbatim inside another document. */
bool json_is_value(const uint8_t *buf, size_t len);
/* Writes BUF as a JSON string with its quotes, invalid UTF-8 as U+FFFD. Returns the bytes that are
 * needed; writes only if OUTLEN suffices (6 * len + 2 always does). */
size_t json_write_string(const uint8_t *buf, size_t len, uint8_t *out, size_t outlen);
/* json_loadb() but for two things: a NUL byte is refused, which jansson takes for the text's end,
 * and a byte order mark is passed over. Without JSON_ALLOW_NUL no string has a NUL in it either. */
json_t *json_load(const void *text, size_t len, size_t flags, json_error_t *why);
/* The bytes of the mark that BUF begins with: 3 or 0. */
size_t json_mark(const uint8_t *buf, size_t len);
/* From now on what jansson frees is overwritten first: it held tokens. Before its first use. */
void json_wipe_what_is_freed(void);
/* RFC 3629: no surrogates, no overlong forms. */
bool utf8_is_valid(const uint8_t *buf, size_t len);

/* Streaming UTF-8 check for fragmented WebSocket text. state starts at 0; false as soon as the text
 * can no longer become valid. At the end of the message the state must be 0 again. */
bool utf8_feed(uint32_t *state, const uint8_t *buf, size_t len);

#endif
