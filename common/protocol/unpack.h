/* unpack.h - protobuf from peers, unpacked within bounds. Any thread.
 *
 * An empty item of two bytes becomes a structure of hundreds: what a message costs once unpacked is
 * not bounded by its length. Two bounds are kept before that memory is taken:
 *   items   one look over the message counts the elements of each of its own repeated fields: no
 *           memory, no copy
 *   bytes   protobuf-c allocates from the arena, which gives no more than UNPACK_FREE plus
 *           UNPACK_RATIO times the message's length: whatever is nested in it or unknown
 * The same look finds a string with a NUL in it, here or in a message within: protobuf-c would cut
 * it there. Such a message is malformed. */
#ifndef IMC_COMMON_PROTOCOL_UNPACK_H
#define IMC_COMMON_PROTOCOL_UNPACK_H

#include "common/base/mem.h"
#include "common/base/msg.h"
#include <stdint.h>

enum {
    UNPACK_ITEMS = 131072, /* in any repeated field; callers that know better say less */
    UNPACK_FREE = 1 << 20, /* many honest messages are short lists of empty answers */
    UNPACK_RATIO = 16,     /* an honest item of 15 bytes takes up to 130 */
};

struct unpack_input {
    const uint8_t *data;
    size_t len;
    size_t max_items; /* in each repeated field; 0: UNPACK_ITEMS */
};

/* The message, in ARENA; or NULL, and WHY says what is wrong, for a log line. Either way the caller
 * frees the arena. */
ProtobufCMessage *unpack(const ProtobufCMessageDescriptor *type, struct arena *arena,
                         const struct unpack_input *in, const char **why);
/* The same for an answer of a peer we called; what is wrong with it is logged. FROM: "router". */
ProtobufCMessage *unpack_peer(const ProtobufCMessageDescriptor *type, struct arena *arena,
                              const struct msg *msg, const char *from);
/* Messages refused so far because they were more than an honest peer sends (not: malformed). */
uint64_t unpack_refused(void);

#endif
