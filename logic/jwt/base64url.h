/* base64url.h - decodes base64url without padding (RFC 7515, section 2). Pure; any thread. */
#ifndef IMC_LOGIC_JWT_BASE64URL_H
#define IMC_LOGIC_JWT_BASE64URL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* How many bytes LEN characters stand for. */
static inline size_t base64url_size(size_t len)
{
    return len / 4 * 3 + (len % 4 == 0 ? 0 : len % 4 - 1);
}

bool base64url_is_digit(char c);
/* Decodes TEXT into OUT, which has base64url_size(LEN) bytes. 0 or -EBADMSG: no two texts stand for
 * the same bytes, so padding, white space, other characters and stray bits at the end are
 * refused. */
int base64url_decode(const char *text, size_t len, uint8_t *out);

#endif
