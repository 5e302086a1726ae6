/* json_scan.h - checks and writes JSON for the data path, without allocating. For all other JSON
 * that comes from outside there is json_load(), which calls jansson with stricter rules. Any
 * thread. */
#ifndef IMC_COMMON_PROTOCOL_JSON_SCAN_H
#define IMC_COMMON_PROTOCOL_JSON_SCAN_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Is BUF exactly one JSON value (RFC 8259) in valid UTF-8? It may be of any type, have white space
 * around it, and nest at most 512 deep. Such a value can be copied into another document as it
 * is. */
bool json_is_value(const uint8_t *buf, size_t len);
/* The value of member NAME, which has only ASCII letters, of the object BUF, which json_load() has
 * taken: as it stands there, from its first byte to its last. The last one, if there are several,
 * as jansson has it. NULL: it has none, or BUF nests deeper than json_is_value() takes. */
const uint8_t *json_find_member(const uint8_t *buf, size_t len, const char *name,
                                size_t *value_len);
/* Writes BUF as a JSON string with its quotes. Bytes that are not UTF-8 become U+FFFD. Returns how
 * many bytes are needed, and writes only if OUTLEN is enough. 6 * len + 2 always is. */
size_t json_write_string(const uint8_t *buf, size_t len, uint8_t *out, size_t outlen);
/* As json_loadb(), with two differences. A NUL byte is refused, which jansson would take for the
 * end of the text. A byte order mark is skipped. Without JSON_ALLOW_NUL in FLAGS, no string has a
 * NUL either. */
json_t *json_load(const void *text, size_t len, size_t flags, json_error_t *why);
/* The length of the byte order mark at the beginning of BUF: 3 or 0. */
size_t json_mark(const uint8_t *buf, size_t len);
/* From now on memory of jansson is overwritten before it is freed, because it may hold tokens. Call
 * it before jansson is used first. */
void json_wipe_what_is_freed(void);

#endif
