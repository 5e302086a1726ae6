/* array.h - an array that grows by doubling. Any thread, as its owner.
 *
 *     ARRAY_ROOM(list->items, list->n, list->cap, 16);
 *     list->items[list->n++] = item;
 *
 * Items, number and capacity stay three fields of the owner. So they keep their types, a debugger
 * shows them, and the owner chooses the integer type. The macro has no upper limit: an owner whose
 * number of items depends on a peer checks a limit of its own. */
#ifndef IMC_COMMON_BASE_ARRAY_H
#define IMC_COMMON_BASE_ARRAY_H

#include "common/base/mem.h"

/* Makes room for one more item behind the N that are there. When CAP is used up it doubles; it
 * begins as FIRST. The process aborts if there is no memory. */
#define ARRAY_ROOM(items, n, cap, first)                                                    \
    do {                                                                                    \
        if ((n) == (cap)) {                                                                 \
            (cap) = (cap) == 0 ? (first) : (cap)*2;                                         \
            (items) = mem_realloc((items), (size_t)(cap) * sizeof(__typeof__((items)[0]))); \
        }                                                                                   \
    } while (0)

#endif
