#include "common/ids.h"

#include <assert.h>
#include <time.h>

enum { SEQUENCE_BITS = 12, NODE_BITS = 10 };

void ids_init(struct ids *ids, uint32_t node)
{
    assert(node <= IDS_MAX_NODE);
    ids->last = 0;
    ids->node = node;
}

void ids_renumber(struct ids *ids, uint32_t node)
{
    assert(node <= IDS_MAX_NODE);
    /* A smaller node in the same millisecond would sort before what was given out: use the
     * millisecond up. */
    if (node != ids->node)
        ids->last |= (1U << SEQUENCE_BITS) - 1;
    ids->node = node;
}

uint64_t ids_next(struct ids *ids, uint64_t unix_ms)
{
    uint64_t now = unix_ms << SEQUENCE_BITS;
    /* Counting on from the last one carries into the milliseconds by itself. */
    ids->last = now > ids->last ? now : ids->last + 1;
    uint64_t millis = ids->last >> SEQUENCE_BITS,
             sequence = ids->last & ((1U << SEQUENCE_BITS) - 1);
    uint64_t id = millis << (SEQUENCE_BITS + NODE_BITS) | (uint64_t)ids->node << SEQUENCE_BITS;
    return (id | sequence) & INT64_MAX;
}

uint64_t unix_now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}
