/* unpack_strings.h - unpacking protobuf from outside. Any thread. */
#ifndef IMC_COMMON_PROTOCOL_UNPACK_STRINGS_H
#define IMC_COMMON_PROTOCOL_UNPACK_STRINGS_H

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* protobuf-c keeps no length of a `string`: room "a\0b" would become room "a". False: one has a NUL
 * in it, or the message is malformed. */
bool unpack_strings_are_whole(const ProtobufCMessageDescriptor *type, const uint8_t *data,
                              size_t len);
/* As protobuf_c_message_unpack(), but NULL too for a message whose strings are not whole. */
void *unpack_whole(const ProtobufCMessageDescriptor *type, ProtobufCAllocator *allocator,
                   size_t len, const uint8_t *data);

#endif
