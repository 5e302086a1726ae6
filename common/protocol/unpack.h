/* unpack.h - unpacks protobuf messages from peers, with a limit on memory. Any thread.
 *
 * An empty item of two bytes becomes a structure of hundreds of bytes. So a short message may need
 * very much memory when it is unpacked. Two limits are checked before the memory is taken:
 *   items   one look over the message counts the elements of each of its own repeated fields. It
 *           takes no memory and copies nothing
 *   bytes   protobuf-c allocates from an arena, which gives at most UNPACK_FREE plus UNPACK_RATIO
 *           times the message's length. That covers nested messages and unknown fields
 *
 * The look also finds a string with a NUL, here or in a nested message. protobuf-c would cut the
 * string there. Such a message is refused as malformed. */
#ifndef IMC_COMMON_PROTOCOL_UNPACK_H
#define IMC_COMMON_PROTOCOL_UNPACK_H

#include "common/base/mem.h"
#include "common/base/msg.h"
#include <stdbool.h>
#include <stdint.h>

enum {
    UNPACK_ITEMS = 131072, /* in each repeated field; a caller may give a lower limit */
    UNPACK_FREE = 1 << 20, /* bytes; many honest messages are short lists of empty answers */
    UNPACK_RATIO = 16,     /* bytes per byte of the message; an honest item of 15 bytes takes up to
                            * 130 */
};

struct unpack_input {
    const uint8_t *data;
    size_t len;
    size_t max_items; /* in each repeated field; 0: UNPACK_ITEMS */
};

/* Returns the message, which lives in ARENA. Or NULL, and *WHY says what is wrong, for a log line.
 * In either case the caller frees the arena. */
ProtobufCMessage *unpack(const ProtobufCMessageDescriptor *type, struct arena *arena,
                         const struct unpack_input *in, const char **why);
/* How many messages were refused so far because they exceeded a limit. Malformed ones do not
 * count. */
uint64_t unpack_refused(void);

/* A peer's answer as a pipe hands it over: unpacked on the rpc thread, then the loop's. The message
 * is in an arena of its own, which also takes what the loop makes of it. Both end together. One
 * thread at a time. */
struct decoded {
    struct arena arena;
    ProtobufCMessage *message;
};

/* Unpacks MSG, whose reference is taken. False: it is no answer of that TYPE, which is logged, and
 * there is nothing to end. FROM says which peer, for the log: "router". */
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
