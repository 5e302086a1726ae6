#include "common/protocol/message_id.h"

#include <assert.h>
#include <time.h>

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
