/* room_top.h - the rooms with the most sessions, in a list of limited length. Main loop only; no
 * I/O. */
#ifndef IMC_ROUTER_ROOM_TOP_H
#define IMC_ROUTER_ROOM_TOP_H

#include "router/room_counts.h"

enum { ROOM_TOP_MAX = 1000 }; /* rooms in a list; logic/router/room_lists.h has the same limit */

/* Finds up to LIMIT rooms whose names begin with PREFIX. OUT, which has room for LIMIT, gets them
 * by sessions, most first; rooms with as many as each other by name, as bytes. Returns how many.
 * This walks over all rooms: some 15 ms for a million. */
size_t room_top(const struct room_counts *counts, const char *prefix, struct room_total *out,
                size_t limit);

/* Finds the first LIMIT rooms by name, as bytes, of those after AFTER ("" is before all) whose
 * names begin with PREFIX. OUT gets them in that order. Returns how many. It costs what it
 * returns, and the rooms between them that nobody is in. */
size_t room_page(const struct room_counts *counts, const char *prefix, const char *after,
                 struct room_total *out, size_t limit);

#endif
