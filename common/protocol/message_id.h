/* message_id.h - 64-bit message ids: 41 bits of Unix milliseconds, 12 of a millisecond's fraction,
 * 10 of node (bit 63 is 0).
 *
 * The time is Redis's (redis_now_us()), so a logic whose own clock is wrong still gives ids in
 * order. The fraction counts quarters of a microsecond. Suppose one logic accepted a push before
 * another logic got the next push. Then the first id is smaller, as far as their estimates of
 * Redis's clock agree.
 *
 * The ids of one generator strictly rise. If the clock steps back, or more than 4096 ids are wanted
 * in a millisecond, they run ahead of the clock. Two living logics never have the same node number,
 * because it comes with the lease. Owner thread only. */
#ifndef IMC_COMMON_PROTOCOL_MESSAGE_ID_H
#define IMC_COMMON_PROTOCOL_MESSAGE_ID_H

#include <stdint.h>

enum { MESSAGE_ID_FRACTION_BITS = 12, MESSAGE_ID_NODE_BITS = 10, MESSAGE_ID_MAX_NODE = 1023 };

struct message_ids {
    uint64_t last; /* milliseconds << 12 | fraction */
    uint32_t node;
};

void message_id_init(struct message_ids *ids, uint32_t node);
/* The lease was lost, and the new one has another node number. Ids go on rising. */
void message_id_renumber(struct message_ids *ids, uint32_t node);

static inline uint64_t message_id_next(struct message_ids *ids, uint64_t unix_us)
{
    uint64_t fraction = (unix_us % 1000 << MESSAGE_ID_FRACTION_BITS) / 1000;
    uint64_t now = unix_us / 1000 << MESSAGE_ID_FRACTION_BITS | fraction;

    /* Adding 1 to the last fraction carries into the milliseconds by itself. */
    ids->last = now > ids->last ? now : ids->last + 1;
    return (ids->last << MESSAGE_ID_NODE_BITS | ids->node) & INT64_MAX;
}

static inline uint64_t message_id_millis(uint64_t id)
{
    return id >> (MESSAGE_ID_FRACTION_BITS + MESSAGE_ID_NODE_BITS);
}

static inline uint64_t message_id_us(uint64_t id)
{
    uint64_t fraction = id >> MESSAGE_ID_NODE_BITS & ((1 << MESSAGE_ID_FRACTION_BITS) - 1);

    return message_id_millis(id) * 1000 + (fraction * 1000 >> MESSAGE_ID_FRACTION_BITS);
}

#endif
