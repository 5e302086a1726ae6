/* name.h - names that strangers choose: of rooms, of devices (keys). Pure; any thread. */
#ifndef IMC_COMMON_PROTOCOL_NAME_H
#define IMC_COMMON_PROTOCOL_NAME_H

#include <stdbool.h>
#include <stddef.h>

enum { ROOM_NAME_MAX = 128 }; /* bytes, docs/protocol.md */

/* 1 to MOST bytes of UTF-8 without control characters. */
bool name_is_valid(const void *name, size_t len, size_t most);
/* A name that a room may have. */
static inline bool room_name_is_valid(const void *name, size_t len)
{
    return name_is_valid(name, len, ROOM_NAME_MAX);
}

#endif
