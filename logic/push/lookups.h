/* lookups.h - limits how many users of large calls are looked up at routers at a time. Main loop
 * only.
 *
 *   lookups_begin ─ few ──────────────────────────────────────► ask(), all at once
 *                 └ many ─► ring: of each call some in turn ──► ask(), while few are unanswered
 *                                      ▲ lookups_answered ───────────────┘
 *
 * Other requests to a router (one user's look-up, a session that connects, a message that has to be
 * stored) wait behind LOOKUPS_MOST look-ups at most, however many a call needs. And no look-up
 * reaches lookup.timeout only because others of its own call are before it. */
#ifndef IMC_LOGIC_PUSH_LOOKUPS_H
#define IMC_LOGIC_PUSH_LOOKUPS_H

#include "common/base/list.h"
#include <stdbool.h>
#include <stddef.h>

/* Embedded in a call. Has to stay until all N users were asked for. */
struct lookups_call {
    STAILQ_ENTRY(lookups_call) link;
    size_t n, begun;
};

struct lookups {
    STAILQ_HEAD(, lookups_call) ring;
    size_t out; /* unanswered look-ups of large calls */
    bool asking;
    /* Looks up user I of CALL. The answer may come within ask(). */
    void (*ask)(struct lookups_call *call, size_t i);
};

enum {
    /* A call for up to so many users is not large. A large call starts so many look-ups in its
     * turn. */
    LOOKUPS_FEW = 128,
    /* Unanswered look-ups of all large calls: enough to keep a router busy while we handle
     * answers. */
    LOOKUPS_MOST = 1024,
};

void lookups_init(struct lookups *lookups, void (*ask)(struct lookups_call *call, size_t i));
void lookups_begin_large(struct lookups *lookups, struct lookups_call *call);
void lookups_answered_large(struct lookups *lookups);

/* Begins CALL for N users. ask() is called once for each. */
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

/* A look-up of CALL was answered. */
static inline void lookups_answered(struct lookups *lookups, const struct lookups_call *call)
{
    if (call->n > LOOKUPS_FEW)
        lookups_answered_large(lookups);
}

#endif
