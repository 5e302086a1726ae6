#include "common/protocol/unpack_strings.h"
#include <string.h>

enum { WIRE_VARINT = 0, WIRE_64 = 1, WIRE_BYTES = 2, WIRE_32 = 5 };

struct reader {
    const uint8_t *at, *end;
};

static bool read_varint(struct reader *reader, uint64_t *value)
{
    *value = 0;
    for (unsigned shift = 0; shift < 64 && reader->at < reader->end; shift += 7) {
        uint8_t byte = *reader->at++;
        *value |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80)
            return true;
    }
    return false;
}

static bool skip(struct reader *reader, uint64_t n)
{
    if (n > (uint64_t)(reader->end - reader->at))
        return false;
    reader->at += n;
    return true;
}

/* Strings stand in these alone. Messages nest as deep as our .proto files do: none contains itself.
 */
static bool look_at_bytes(struct reader *reader, const ProtobufCMessageDescriptor *type,
                          uint64_t tag)
{
    uint64_t len;
    if (!read_varint(reader, &len))
        return false;
    const uint8_t *data = reader->at;
    if (!skip(reader, len))
        return false;
    const ProtobufCFieldDescriptor *field =
        tag >> 3 <= UINT32_MAX ? protobuf_c_message_descriptor_get_field(type, (unsigned)(tag >> 3))
                               : NULL;
    if (field == NULL)
        return true;
    if (field->type == PROTOBUF_C_TYPE_STRING)
        return len == 0 || memchr(data, '\0', (size_t)len) == NULL;
    return field->type != PROTOBUF_C_TYPE_MESSAGE ||
           unpack_strings_are_whole(field->descriptor, data, (size_t)len);
}

bool unpack_strings_are_whole(const ProtobufCMessageDescriptor *type, const uint8_t *data,
                              size_t len)
{
    struct reader reader = {data, len > 0 ? data + len : data};
    uint64_t tag, value;
    bool good = true;
    while (good && reader.at < reader.end) {
        good = read_varint(&reader, &tag);
        switch (good ? tag & 7 : WIRE_VARINT) {
        case WIRE_VARINT:
            good = good && read_varint(&reader, &value);
            break;
        case WIRE_64:
            good = skip(&reader, 8);
            break;
        case WIRE_BYTES:
            good = look_at_bytes(&reader, type, tag);
            break;
        case WIRE_32:
            good = skip(&reader, 4);
            break;
        default:
            good = false;
        }
    }
    return good;
}

void *unpack_whole(const ProtobufCMessageDescriptor *type, ProtobufCAllocator *allocator,
                   size_t len, const uint8_t *data)
{
    if (!unpack_strings_are_whole(type, data, len))
        return NULL;
    return protobuf_c_message_unpack(type, allocator, len, data);
}
