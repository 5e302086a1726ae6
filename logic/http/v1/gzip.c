#define ZLIB_CONST /* next_in is const */
#include "logic/http/v1/gzip.h"
#include "common/base/mem.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <zlib.h>

enum {
    LEVEL = 1,       /* JSON becomes a tenth already, and the loop waits for it */
    GZIP = 15 + 16,  /* zlib's way to say: the largest window, and gzip's head */
    MEMORY_LEVEL = 8 /* zlib's default */
};

/* Does a weight say "not at all": "q=0", "q=0.000"? */
static bool is_refused(const char *item, size_t len)
{
    const char *weight = memmem(item, len, "q=0", 3);

    if (weight == NULL)
        return false;
    for (const char *at = weight + 3; at < item + len; at++) {
        if (*at >= '1' && *at <= '9')
            return false;
    }
    return true;
}

bool gzip_is_accepted(const char *accept)
{
    while (accept != NULL && *accept != '\0') {
        accept += strspn(accept, " \t,");
        size_t len = strcspn(accept, ","), name = strcspn(accept, ",; \t");
        if ((name == 4 && strncasecmp(accept, "gzip", 4) == 0) || (name == 1 && *accept == '*'))
            return !is_refused(accept, len);
        accept += len;
    }
    return false;
}

uint8_t *gzip_new(const void *text, size_t len, size_t *packed_len)
{
    z_stream stream = {0};
    uint8_t *out = mem_alloc(len);

    if (deflateInit2(&stream, LEVEL, Z_DEFLATED, GZIP, MEMORY_LEVEL, Z_DEFAULT_STRATEGY) != Z_OK) {
        free(out);
        return NULL;
    }
    stream.next_in = text;
    stream.avail_in = (uInt)len;
    stream.next_out = out;
    stream.avail_out = (uInt)len;
    bool fits = deflate(&stream, Z_FINISH) == Z_STREAM_END;
    *packed_len = stream.total_out;
    deflateEnd(&stream);
    if (fits)
        return out;
    free(out);
    return NULL;
}
