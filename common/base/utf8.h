/* utf8.h - tells UTF-8 (RFC 3629: without surrogates and overlong forms) from other bytes. Pure;
 * any thread. */
#ifndef IMC_COMMON_BASE_UTF8_H
#define IMC_COMMON_BASE_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Is all of BUF UTF-8? BUF may be NULL if LEN is 0: no bytes are. */
bool utf8_is_valid(const uint8_t *buf, size_t len);
/* The length of the character that BUF begins with, 1 to 4 bytes: a NUL is one, too. 0: BUF is
 * empty, or begins with what is no UTF-8, or with a character of which the end is missing. */
size_t utf8_sequence(const uint8_t *buf, size_t len);
/* Checks UTF-8 that comes in pieces, such as fragments of WebSocket text. *STATE begins as 0. False
 * as soon as the text cannot become valid any more; then *STATE is as before. At the end of the
 * text *STATE has to be 0 again. */
bool utf8_feed(uint32_t *state, const uint8_t *buf, size_t len);

#endif
