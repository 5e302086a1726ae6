/* gzip.h - compresses answers. Pure. */
#ifndef IMC_LOGIC_HTTP_V1_GZIP_H
#define IMC_LOGIC_HTTP_V1_GZIP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Does Accept-Encoding, which may be NULL, take gzip? It does not with "gzip;q=0". */
bool gzip_is_accepted(const char *accept);
/* LEN bytes of TEXT in gzip's form, to be freed; NULL: that would not be shorter. */
uint8_t *gzip_new(const void *text, size_t len, size_t *packed_len);

#endif
