/* text.h - what bytes a text from outside has. Pure; any thread. */
#ifndef IMC_COMMON_BASE_TEXT_H
#define IMC_COMMON_BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Is one of the bytes a control character: below 0x20, or 0x7f? */
bool text_has_control(const char *text, size_t len);
/* Is TEXT among the N texts of LIST, which are in the order of strcmp()? */
bool text_is_among(const char *text, const char *const *list, size_t n);
/* The value of a hexadecimal digit, or -1. */
int text_hex_digit(char c);
/* Decodes the 2 × N hexadecimal digits at TEXT into N bytes. False: one is no digit, OUT means
 * nothing. Nothing is read behind the first that is none. */
bool text_from_hex(const char *text, uint8_t *out, size_t n);
/* Writes N bytes as 2 × N hexadecimal digits, lower case, and a NUL. */
void text_to_hex(const uint8_t *bytes, size_t n, char *out);
/* Writes LEN bytes as a part of a URI: all but letters, digits and -._~ as %XX (RFC 3986, 2.3), and
 * a NUL. Ends before the first that does not fit; 3 * LEN + 1 bytes are always enough. Returns the
 * length. */
size_t text_to_uri(const char *text, size_t len, char *out, size_t outlen);
/* For qsort() of an array of texts: the order of strcmp(). */
int text_compare(const void *a, const void *b);

#endif
