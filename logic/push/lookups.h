/* lookups.h - asks routers where the users of a call are. Main loop only.
 *
 *   lookups_begin ─ few ──────────────────────────────────────► ask(), all at once
 *                 └ many ─► ring: of each call some in turn ──► ask(), while few are unanswered
 *                                      ▲ lookups_answered ───────────────┘
 *
 * So whatever else is asked of a router (where one user is, a session that connects, a message that
 * is to be stored) waits behind some hundred lookups, however many are wanted; and none of those
 * runs into lookup.timeout while it has only waited for the others of its own call. */
#ifndef IMC_LOGIC_PUSH_LOOKUPS_H
#define IMC_LOGIC_PUSH_LOOKUPS_H

#include <stdbool.h>
#include <stddef.h>

/* Embedded in a call; lives until all N were asked. */
struct lookups_call {
    struct lookups_call *next; /* in the ring */
    size_t n, begun;
};

struct lookups {
    struct lookups_call *first, *last; /* the ring */
    size_t out;                        /* of large calls, unanswered */
    bool asking;
    /* Asks for user I of CALL. May answer at once. */
    void (*ask)(struct lookups_call *call, size_t i);
};

enum {
    /* A call for as many is not large. Also what one gets before it is the next one's turn. */
    LOOKUPS_FEW = 128,
    /* Unanswered of large calls: what keeps a router busy while the answers are worked off. */
    LOOKUPS_MOST = 1024,
};

void lookups_init(struct lookups *lookups, void (*ask)(struct lookups_call *call, size_t i));
void lookups_begin_large(struct lookups *lookups, struct lookups_call *call);
void lookups_answered_large(struct lookups *lookups);

/* CALL: for N users, each of which is asked for once. */
static inline void lookups_begin(struct lookups *lookups, struct lookups_call *call, size_t n)
{
    *call = (struct lookups_call){.n = n};
    if (n > LOOKUPS_FEW) {
        lookups_begin_large(lookups, call);
        return;
    }
    call->begun = n;
    for (size_t i = 0; i < n; i++)
        lookups->ask(call, i);
}

/* One of CALL is answered. */
static inline void lookups_answered(struct lookups *lookups, const struct lookups_call *call)
{
    if (call->n > LOOKUPS_FEW)
        lookups_answered_large(lookups);
}

#endif
