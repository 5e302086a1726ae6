#include "common/protocol/message_id.h"

#include <assert.h>

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
