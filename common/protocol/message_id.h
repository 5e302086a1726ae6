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

enum { MESSAGE_ID_MAX_NODE = 1023 };

struct message_ids {
    uint64_t last; /* milliseconds << 12 | fraction */
    uint32_t node;
};

void message_id_init(struct message_ids *ids, uint32_t node);
/* Another node number (the lease was lost and taken anew); what follows still rises. */
void message_id_renumber(struct message_ids *ids, uint32_t node);
uint64_t message_id_next(struct message_ids *ids, uint64_t unix_us);

static inline uint64_t message_id_millis(uint64_t id)
{
    return id >> 22;
}

/* CLOCK_REALTIME. */
uint64_t unix_now_us(void);
uint64_t unix_now_ms(void);

#endif
