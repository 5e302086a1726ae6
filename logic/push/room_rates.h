/* room_rates.h - how many messages are pushed to which room, for the console. Main loop only.
 *
 * Only the ROOM_RATES_MOST rooms that were pushed to last are known: a room without pushes gives
 * way to others. So names that a caller makes up take no more memory than that. */
#ifndef IMC_LOGIC_PUSH_ROOM_RATES_H
#define IMC_LOGIC_PUSH_ROOM_RATES_H

#include <stddef.h>
#include <stdint.h>

enum {
    ROOM_RATES_MOST = 1024,
    ROOM_RATES_STEP_MS = 10000,
    ROOM_RATES_STEPS = 6, /* a minute: whole steps, not the one that goes on */
};

struct room_rates;

struct room_rate {
    const char *room; /* valid until the next push */
    uint64_t pushes;  /* within the last minute; not 0 */
};

struct room_rates *room_rates_new(void);
void room_rates_free(struct room_rates *rates); /* NULL is fine */
/* RATES NULL: nothing is counted. NOW_MS: of any clock that does not go back. */
void room_rates_count(struct room_rates *rates, const char *name, uint64_t now_ms);
/* Fills OUT with those of the rooms that were pushed to most, at most N, the first one most.
 * Returns how many. */
size_t room_rates_top(const struct room_rates *rates, uint64_t now_ms, struct room_rate *out,
                      size_t n);

#endif
