/* message_id.h - 64-bit message ids: 41 bits of Unix milliseconds, 12 of a millisecond's fraction,
 * 10 of node (bit 63 is 0).
 *
 * Logics take Redis's clock for it (redis_now_us()), so one whose own is wrong orders with the
 * others. Ids of two logics order as their clocks do, to a quarter of a microsecond: what one of
 * them has accepted before another is asked sorts before that, too, where the clocks agree.
 * Strictly rising per generator, even if the clock steps back or more than 4096 are wanted in a
 * millisecond (then they run ahead of the clock). Two live logics never share a node number: it
 * comes with the lease. Owner thread only. */
#ifndef IMC_COMMON_PROTOCOL_MESSAGE_ID_H
#define IMC_COMMON_PROTOCOL_MESSAGE_ID_H

#include <stdint.h>

enum { MESSAGE_ID_FRACTION_BITS = 12, MESSAGE_ID_NODE_BITS = 10, MESSAGE_ID_MAX_NODE = 1023 };

struct message_ids {
    uint64_t last; /* milliseconds << 12 | fraction */
    uint32_t node;
};

void message_id_init(struct message_ids *ids, uint32_t node);
/* Another node number (the lease was lost and taken anew); what follows still rises. */
void message_id_renumber(struct message_ids *ids, uint32_t node);

static inline uint64_t message_id_next(struct message_ids *ids, uint64_t unix_us)
{
    uint64_t fraction = (unix_us % 1000 << MESSAGE_ID_FRACTION_BITS) / 1000;
    uint64_t now = unix_us / 1000 << MESSAGE_ID_FRACTION_BITS | fraction;

    /* Counting on from the last one carries into the milliseconds by itself. */
    ids->last = now > ids->last ? now : ids->last + 1;
    return (ids->last << MESSAGE_ID_NODE_BITS | ids->node) & INT64_MAX;
}

static inline uint64_t message_id_millis(uint64_t id)
{
    return id >> (MESSAGE_ID_FRACTION_BITS + MESSAGE_ID_NODE_BITS);
}

/* CLOCK_REALTIME. */
uint64_t unix_now_us(void);
uint64_t unix_now_ms(void);

#endif
