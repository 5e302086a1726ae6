/* inflate.c - a message that came compressed. gRPC itself (1.51) inflates without a limit: four
 * megabytes that arrive become four gigabytes before anybody looks at the length. So that is
 * switched off, and the message is inflated here. */
#include "common/base/mem.h"
#include "common/rpc/internal.h"
#include <stdlib.h>
#include <zlib.h>

enum {
    FIRST = 4096,
    /* A message may become so many bytes, and so many times what came. goim's maps of rooms shrink
     * to a fifth or so. */
    FREE = 64 << 10,
    RATIO = 32,
    ANY_HEADER = 32, /* zlib: takes a gzip header, or its own */
};

static size_t inflate_most(const struct msg *packed, size_t max_message)
{
    size_t most = FREE + (size_t)RATIO * packed->len;

    return most < max_message ? most : max_message;
}

/* Doubles the room for what comes out; false: it may not grow. */
static bool room_grow(uint8_t **out, size_t *size, size_t most)
{
    if (*size >= most)
        return false;
    *size = *size == 0 ? FIRST : *size * 2;
    if (*size > most)
        *size = most;
    *out = mem_realloc(*out, *size);
    return true;
}

struct msg *rpc_inflate(const struct msg *packed, size_t max_message)
{
    size_t most = inflate_most(packed, max_message), size = 0, len = 0;
    z_stream z = {.next_in = mem_unconst(packed->data), .avail_in = packed->len};
    uint8_t *out = NULL;
    int err = Z_OK;

    if (inflateInit2(&z, MAX_WBITS + ANY_HEADER) != Z_OK)
        return NULL;
    while (err == Z_OK && (len < size || room_grow(&out, &size, most))) {
        z.next_out = out + len;
        z.avail_out = (uInt)(size - len);
        err = inflate(&z, Z_NO_FLUSH);
        len = size - z.avail_out;
    }
    bool whole = err == Z_STREAM_END && z.avail_in == 0;
    struct msg *msg = whole ? msg_copy(out, len) : NULL;
    inflateEnd(&z);
    free(out);
    return msg;
}
