/* no_room_lists.h - stands in for logic/router/room_lists.c where a test has routers of its own
 * that nobody asks for rooms. Include it in one file per program. */
#ifndef IMC_TESTS_UNIT_LIB_NO_ROOM_LISTS_H
#define IMC_TESTS_UNIT_LIB_NO_ROOM_LISTS_H

#include "logic/router/room_lists.h"

#include <stdlib.h>

void room_lists_top(struct routers *routers, const char *prefix, uint32_t limit, router_fn fn,
                    void *arg)
{
    (void)routers;
    (void)prefix;
    (void)limit;
    (void)fn;
    (void)arg;
    abort();
}

void room_lists_named(struct routers *routers, const char *const *names, size_t n, router_fn fn,
                      void *arg)
{
    (void)routers;
    (void)names;
    (void)n;
    (void)fn;
    (void)arg;
    abort();
}

void room_lists_page(struct routers *routers, const char *prefix, const char *after, uint32_t limit,
                     router_fn fn, void *arg)
{
    (void)routers;
    (void)prefix;
    (void)after;
    (void)limit;
    (void)fn;
    (void)arg;
    abort();
}

#endif
