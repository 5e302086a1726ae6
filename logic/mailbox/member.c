/* member.c - messages as members of a mailbox, see mailbox.h. Pure. */
#include "common/trace/trace_mark.h"
#include "logic/mailbox/internal.h"

#include <errno.h>
#include <string.h>

/* In expires_ms: a mark comes before the body. */
#define TRACED (UINT64_C(1) << 63)

static void put_be(uint8_t *out, uint64_t value, int bytes)
{
    for (int i = bytes - 1; i >= 0; i--) {
        out[i] = (uint8_t)value;
        value >>= 8;
    }
}

static uint64_t get_be(const uint8_t *in, int bytes)
{
    uint64_t value = 0;

    for (int i = 0; i < bytes; i++)
        value = value << 8 | in[i];
    return value;
}

void mailbox_put_id(uint8_t out[MAILBOX_ID], uint64_t id)
{
    put_be(out, id, MAILBOX_ID);
}

uint64_t mailbox_get_id(const void *in)
{
    return get_be(in, MAILBOX_ID);
}

size_t mailbox_size(const struct mailbox_message *message)
{
    return MAILBOX_HEADER + (message->trace != NULL ? TRACE_MARK_LEN : 0) + message->len;
}

void mailbox_encode(const struct mailbox_message *message, uint8_t *out)
{
    put_be(out, message->id, 8);
    put_be(out + 8, (uint32_t)message->op, 4);
    put_be(out + 12, message->expires_ms | (message->trace != NULL ? TRACED : 0), 8);
    out += MAILBOX_HEADER;
    if (message->trace != NULL) {
        memcpy(out, message->trace, TRACE_MARK_LEN);
        out += TRACE_MARK_LEN;
    }
    if (message->len > 0)
        memcpy(out, message->body, message->len);
}

int mailbox_decode(const void *member, size_t len, struct mailbox_message *message)
{
    const uint8_t *in = member;

    if (len < MAILBOX_HEADER)
        return -EBADMSG;
    message->id = get_be(in, 8);
    message->op = (int32_t)(uint32_t)get_be(in + 8, 4);
    message->expires_ms = get_be(in + 12, 8);
    message->body = in + MAILBOX_HEADER;
    message->len = len - MAILBOX_HEADER;
    message->trace = NULL;
    if ((message->expires_ms & TRACED) == 0)
        return 0;
    if (message->len < TRACE_MARK_LEN)
        return -EBADMSG;
    message->expires_ms &= ~TRACED;
    message->trace = message->body;
    message->body += TRACE_MARK_LEN;
    message->len -= TRACE_MARK_LEN;
    return 0;
}

bool mailbox_is_expired(const struct mailbox_message *message, uint64_t now_ms, uint64_t ttl_ms)
{
    if (message->expires_ms != 0 && message->expires_ms <= now_ms)
        return true;
    return message_id_millis(message->id) + ttl_ms <= now_ms;
}
