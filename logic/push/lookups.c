#include "logic/push/lookups.h"

#include <assert.h>

void lookups_init(struct lookups *lookups, void (*ask)(struct lookups_call *call, size_t i))
{
    *lookups = (struct lookups){.ask = ask};
    STAILQ_INIT(&lookups->ring);
}

/* Starts look-ups of the call whose turn it is. A call leaves the ring before its last look-up is
 * started: the answer may come at once and end the call. */
static void ring_turn(struct lookups *lookups)
{
    struct lookups_call *call = STAILQ_TAKE(&lookups->ring, link);
    size_t begin = call->begun, end = begin + LOOKUPS_FEW;

    call->begun = end = end < call->n ? end : call->n;
    if (end < call->n)
        STAILQ_INSERT_TAIL(&lookups->ring, call, link);
    lookups->out += end - begin;
    for (size_t i = begin; i < end; i++)
        lookups->ask(call, i);
}

/* Runs turns while few look-ups are unanswered. An answer that comes at once must not start a
 * second loop within this one. */
static void ring_run(struct lookups *lookups)
{
    if (lookups->asking)
        return;
    lookups->asking = true;
    while (!STAILQ_EMPTY(&lookups->ring) && lookups->out + LOOKUPS_FEW <= LOOKUPS_MOST)
        ring_turn(lookups);
    lookups->asking = false;
}

void lookups_begin_large(struct lookups *lookups, struct lookups_call *call)
{
    STAILQ_INSERT_TAIL(&lookups->ring, call, link);
    ring_run(lookups);
}

void lookups_answered_large(struct lookups *lookups)
{
    assert(lookups->out > 0);
    lookups->out--;
    ring_run(lookups);
}
