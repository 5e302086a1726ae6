#include "common/trace/trace_mark.h"
#include "common/base/hash.h"

#include <string.h>

enum { VERSION = 1, AT_FLAGS = 1, AT_PUSH = 2, AT_TRACE_ID = 10, AT_PARENT = 26 };

static void put_be(uint8_t *out, uint64_t value)
{
    for (int i = 7; i >= 0; i--) {
        out[i] = (uint8_t)value;
        value >>= 8;
    }
}

void trace_mark_write(const struct trace_mark *mark, uint8_t out[TRACE_MARK_LEN])
{
    out[0] = VERSION;
    out[AT_FLAGS] = mark->flags;
    put_be(out + AT_PUSH, mark->push);
    memcpy(out + AT_TRACE_ID, mark->trace_id, TRACE_ID_LEN);
    memcpy(out + AT_PARENT, mark->parent, TRACE_SPAN_LEN);
}

bool trace_mark_read(const void *data, size_t len, struct trace_mark *out)
{
    const uint8_t *in = data;

    if (len != TRACE_MARK_LEN || in[0] != VERSION)
        return false;
    out->flags = in[AT_FLAGS];
    out->push = 0;
    for (int i = 0; i < 8; i++)
        out->push = out->push << 8 | in[AT_PUSH + i];
    memcpy(out->trace_id, in + AT_TRACE_ID, TRACE_ID_LEN);
    memcpy(out->parent, in + AT_PARENT, TRACE_SPAN_LEN);
    return true;
}

void trace_mark_make_id(uint64_t id, uint8_t out[TRACE_ID_LEN])
{
    put_be(out, hash_mix64(id));
    put_be(out + 8, hash_mix64(~id) | 1); /* all zero is no trace id */
}
