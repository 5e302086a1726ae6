#include "common/protocol/message_id.h"

#include <assert.h>
#include <time.h>

enum { FRACTION_BITS = 12, NODE_BITS = 10 };

void message_id_init(struct message_ids *ids, uint32_t node)
{
    assert(node <= MESSAGE_ID_MAX_NODE);
    ids->last = 0;
    ids->node = node;
}

void message_id_renumber(struct message_ids *ids, uint32_t node)
{
    assert(node <= MESSAGE_ID_MAX_NODE);
    ids->node = node;
}

uint64_t message_id_next(struct message_ids *ids, uint64_t unix_us)
{
    uint64_t fraction = (unix_us % 1000 << FRACTION_BITS) / 1000;
    uint64_t now = unix_us / 1000 << FRACTION_BITS | fraction;

    /* Counting on from the last one carries into the milliseconds by itself. */
    ids->last = now > ids->last ? now : ids->last + 1;
    return (ids->last << NODE_BITS | ids->node) & INT64_MAX;
}

uint64_t unix_now_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

uint64_t unix_now_ms(void)
{
    return unix_now_us() / 1000;
}
