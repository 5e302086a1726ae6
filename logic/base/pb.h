/* pb.h - puts constant bytes into structs of protobuf-c that are only packed. Any thread. */
#ifndef IMC_LOGIC_BASE_PB_H
#define IMC_LOGIC_BASE_PB_H

#include <protobuf-c/protobuf-c.h>

/* protobuf-c's structs have no const. Packing a struct does not change what its pointers lead
 * to. */
static inline char *pb_text(const char *text)
{
    union {
        const char *in;
        char *out;
    } u = {.in = text};
    return u.out;
}

static inline char **pb_texts(const char *const *list)
{
    union {
        const char *const *in;
        char **out;
    } u = {.in = list};
    return u.out;
}

/* The other way round: a list of a message that is only read. */
static inline const char *const *pb_list(char *const *list)
{
    union {
        char *const *in;
        const char *const *out;
    } u = {.in = list};
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
