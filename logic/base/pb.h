/* pb.h - what is only packed, as protobuf-c's structs want it. */
#ifndef IMC_LOGIC_BASE_PB_H
#define IMC_LOGIC_BASE_PB_H

#include <protobuf-c/protobuf-c.h>

/* protobuf-c's structs have no const: what is only packed stays what it was. */
static inline char *pb_text(const char *text)
{
    union {
        const char *in;
        char *out;
    } u = {.in = text};
    return u.out;
}

static inline ProtobufCBinaryData pb_bytes(const void *data, size_t len)
{
    union {
        const void *in;
        uint8_t *out;
    } u = {.in = data};
    return (ProtobufCBinaryData){.len = len, .data = u.out};
}

#endif
