/* demo.h - the page at /demo (demo.enabled): two users with the client of sdk/js, a room, messages
 * with their ticks. Main loop only.
 *
 * The files are those of sdk/js/demo and sdk/js/src, put into the program at build. They hold no
 * secret and need no key. What the page asks of logic are calls of the HTTP API like those of any
 * caller: with the key that the person at the page types in, or, while no key is set, from this
 * machine. */
#ifndef IMC_LOGIC_HTTP_DEMO_H
#define IMC_LOGIC_HTTP_DEMO_H

#include "logic/http/route.h"

/* The route of PATH; NULL: the page has no such file. */
const struct route *demo_route(const char *path);

#endif
