/* room_lists.h - how many sessions rooms have: the largest rooms, all of them page by page, and
 * rooms by name. Main loop only.
 *
 * Each function asks once. FN runs exactly once, never before the call returns. Its answer has
 *   result    ROUTER_OK: what counts says is right, as of 2 s ago at most.
 *             ROUTER_MISMATCH: routers come or go. For some seconds numbers may be too low.
 *             ROUTER_AWAY: a router is missing, did not answer within `router.timeout`, or is of an
 *             older version. The counts are not whole; tell the caller to try again.
 *   n_counts, counts    the rooms; they and their names are valid only during the call of FN
 * All else in the answer is 0. What is asked for is copied. */
#ifndef IMC_LOGIC_ROUTER_ROOM_LISTS_H
#define IMC_LOGIC_ROUTER_ROOM_LISTS_H

#include "logic/router/routers.h"

/* Limits, which the caller checks and tells its own caller. */
enum {
    ROOM_LISTS_TOP_MAX = 1000, /* the same limit as in router/room_top.h */
    ROOM_LISTS_NAMED_MAX = 256,
};

/* The LIMIT rooms (1 … ROOM_LISTS_TOP_MAX) with the most sessions, of those whose names begin with
 * PREFIX ("" is all). counts has them by sessions, most first; rooms with as many as each other by
 * name, as bytes. A room without sessions is not among them. Each router walks over all its rooms
 * for this: keep answers that many may ask for. */
void room_lists_top(struct routers *routers, const char *prefix, uint32_t limit, router_fn fn,
                    void *arg);
/* The first LIMIT rooms (1 … ROOM_LISTS_TOP_MAX) by name, as bytes, of those after AFTER ("": all)
 * whose names begin with PREFIX. counts has them in that order. A room without sessions is not
 * among them. It costs a router what it answers. */
void room_lists_page(struct routers *routers, const char *prefix, const char *after, uint32_t limit,
                     router_fn fn, void *arg);
/* The N rooms (1 … ROOM_LISTS_NAMED_MAX) of NAMES. counts[i] is NAMES[i]; a room that nobody is in,
 * or that nobody knows, has 0. A name may be repeated. */
void room_lists_named(struct routers *routers, const char *const *names, size_t n, router_fn fn,
                      void *arg);

#endif
