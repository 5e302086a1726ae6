/* base64.h - base64 with padding (RFC 4648, section 4), by OpenSSL. Pure; any thread. */
#ifndef IMC_COMMON_BASE_BASE64_H
#define IMC_COMMON_BASE_BASE64_H

#include <stddef.h>
#include <sys/types.h>

/* Bytes of the text of LEN bytes, with its NUL. */
static inline size_t base64_size(size_t len)
{
    return (len + 2) / 3 * 4 + 1;
}

/* Writes base64_size(LEN) bytes to OUT. Returns the length of the text. */
size_t base64_encode(const void *data, size_t len, char *out);
/* Decodes TEXT, which ends with a NUL, into OUT, which has LEN / 4 * 3 bytes, and may be TEXT.
 * Returns how many bytes they are, or -EBADMSG: TEXT is no base64, or lacks its padding. */
ssize_t base64_decode(const char *text, size_t len, void *out);

#endif
