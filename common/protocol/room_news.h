/* room_news.h - what comet and job have to agree on when comet says which rooms have members
 * (proto/push.proto, RoomNews). Pure; any thread. */
#ifndef IMC_COMMON_PROTOCOL_ROOM_NEWS_H
#define IMC_COMMON_PROTOCOL_ROOM_NEWS_H

#include "common/base/hash.h"

enum {
    /* How long a grant lasts for job, from when job sent the question. */
    ROOM_GRANT_MS = 2000,
    /* And for comet, from when comet has answered. The question was sent before that, so the grant
     * is over for job first. It stays so if one clock runs nearly twice as fast as the other. */
    ROOM_GRANT_OVER_MS = 4000,
    /* Rooms in a list of one RoomNews. */
    ROOM_NEWS_MAX = 8192,
};

/* What a room is called in RoomNews. Several rooms may share a hash. Then job sends items to any of
 * them while one has members. */
static inline uint64_t room_hash(const void *name, size_t len)
{
    return hash_fnv1a(HASH_FNV1A_BEGIN, name, len);
}

#endif
