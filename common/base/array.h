/* array.h - an array that grows by doubling. Any thread, as its owner.
 *
 *     ARRAY_ROOM(list->items, list->n, list->cap, 16);
 *     list->items[list->n++] = item;
 *
 * The items, their number and the room for them stay three fields of the owner: typed, seen in a
 * debugger, and of the integer type that the owner has space for. The macro keeps no limit: an
 * owner that is filled on a peer's word has one of its own. */
#ifndef IMC_COMMON_BASE_ARRAY_H
#define IMC_COMMON_BASE_ARRAY_H

#include "common/base/mem.h"

/* Room for one more behind the N items: CAP doubles when it is used up, and begins as FIRST. The
 * process ends if there is no memory. */
#define ARRAY_ROOM(items, n, cap, first)                                                    \
    do {                                                                                    \
        if ((n) == (cap)) {                                                                 \
            (cap) = (cap) == 0 ? (first) : (cap)*2;                                         \
            (items) = mem_realloc((items), (size_t)(cap) * sizeof(__typeof__((items)[0]))); \
        }                                                                                   \
    } while (0)

#endif
