#include "logic/peers/session_batch.h"
#include "common/base/saturate.h"
#include "common/trace/trace_mark.h"
#include "logic/mailbox/mailbox.h"
#include "logic/router/routers.h"

#include <assert.h>
#include <string.h>

/* Bytes that a message takes in a reply besides its body. So many empty messages fill a page
 * too. */
enum { WAITING_OVERHEAD = 32 };

void session_batch_drop(struct session_batch *sb)
{
    assert(sb->pending > 0);
    if (--sb->pending > 0)
        return;
    sb->reply.ring = sb->has_put ? sb->ring : routers_ring(sb->logic->routers);
    if (sb->ring_changed)
        sb->reply.ring = 0;
    stream_reply(sb->batch, &sb->reply.base);
}

void session_batch_put(struct session_batch *sb, uint64_t ring)
{
    if (sb->has_put && sb->ring != ring)
        sb->ring_changed = true;
    if (!sb->has_put)
        sb->ring = ring;
    sb->has_put = true;
}

bool session_batch_page(struct session_batch *sb, const struct mailbox_page *page,
                        Imc__V1__Waiting ***waiting, size_t *n)
{
    struct arena *arena = &sb->batch->arena;
    Imc__V1__Waiting **list = arena_alloc(arena, page->n * sizeof(void *));
    size_t taken = 0;

    for (; taken < page->n; taken++) {
        const struct mailbox_message *message = &page->messages[taken];
        /* The first message always fits. Otherwise the comet would ask again and again. */
        bool first = sb->bytes_left == (size_t)sb->logic->config->mailbox_page_bytes;
        size_t size = message->len + WAITING_OVERHEAD;
        if (size > sb->bytes_left && !first)
            break;
        sb->bytes_left = saturate_sub(sb->bytes_left, size);
        Imc__V1__Waiting *copy = list[taken] = arena_alloc(arena, sizeof *copy);
        imc__v1__waiting__init(copy);
        copy->id = message->id;
        copy->op = message->op;
        copy->expires_ms = message->expires_ms;
        copy->body.len = message->len;
        copy->body.data = arena_alloc(arena, message->len);
        if (message->len > 0)
            memcpy(copy->body.data, message->body, message->len);
        if (message->trace != NULL) {
            copy->trace.len = TRACE_MARK_LEN;
            copy->trace.data = arena_alloc(arena, TRACE_MARK_LEN);
            memcpy(copy->trace.data, message->trace, TRACE_MARK_LEN);
        }
    }
    *waiting = list;
    *n = taken;
    return page->more || taken < page->n;
}
