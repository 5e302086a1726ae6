/* decoded.h - a peer's answer as a pipe hands it over: unpacked on the rpc thread, then the loop's.
 * The message is in an arena of its own, which also takes what the loop makes of it. Both end
 * together. One thread at a time. */
#ifndef IMC_COMMON_PROTOCOL_DECODED_H
#define IMC_COMMON_PROTOCOL_DECODED_H

#include "common/protocol/unpack.h"

struct decoded {
    struct arena arena;
    ProtobufCMessage *message;
};

/* Unpacks MSG, whose reference is taken. False: it is no answer of that TYPE, which is logged, and
 * there is nothing to end. FROM as in unpack_peer(). */
bool decoded_begin(struct decoded *decoded, const ProtobufCMessageDescriptor *type, struct msg *msg,
                   const char *from);
static inline void decoded_end(struct decoded *decoded)
{
    arena_free(&decoded->arena);
}

/* The same with memory of its own; NULL where decoded_begin() is false. */
struct decoded *decoded_new(const ProtobufCMessageDescriptor *type, struct msg *msg,
                            const char *from);
/* DECODED is a struct decoded, as pipe_ops.drop has it. */
void decoded_free(void *decoded);

#endif
