#include "common/protocol/decoded.h"

#include <stdlib.h>

bool decoded_begin(struct decoded *decoded, const ProtobufCMessageDescriptor *type, struct msg *msg,
                   const char *from)
{
    arena_init(&decoded->arena);
    decoded->message = unpack_peer(type, &decoded->arena, msg, from);
    msg_unref(msg);
    if (decoded->message == NULL)
        arena_free(&decoded->arena);
    return decoded->message != NULL;
}

struct decoded *decoded_new(const ProtobufCMessageDescriptor *type, struct msg *msg,
                            const char *from)
{
    struct decoded *decoded = mem_alloc(sizeof *decoded);

    if (decoded_begin(decoded, type, msg, from))
        return decoded;
    free(decoded);
    return NULL;
}

void decoded_free(void *decoded)
{
    decoded_end(decoded);
    free(decoded);
}
