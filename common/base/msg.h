/* msg.h - an immutable, reference-counted run of bytes. Threads, streams and sockets pass it on
 * without copying.
 *
 * Fill it before the first msg_ref(), never later. References may be taken and dropped on any
 * thread. */
#ifndef IMC_COMMON_BASE_MSG_H
#define IMC_COMMON_BASE_MSG_H

#include "common/base/mem.h"
#include <assert.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

struct msg {
    _Atomic uint32_t refs; /* MSG_SECRET is one of its bits */
    uint32_t len;          /* bytes in data */
    uint8_t data[];
};

enum { MSG_SECRET = 1 << 30 };

/* One reference, its bytes not set yet. Never NULL: the process aborts if there is no memory. */
static inline struct msg *msg_new(size_t len)
{
    assert(len <= UINT32_MAX);
    struct msg *msg = mem_alloc(sizeof *msg + len);
    atomic_init(&msg->refs, 1);
    msg->len = (uint32_t)len;
    return msg;
}

static inline struct msg *msg_copy(const void *data, size_t len)
{
    struct msg *msg = msg_new(len);
    if (len > 0)
        memcpy(msg->data, data, len);
    return msg;
}

static inline struct msg *msg_ref(struct msg *msg)
{
    atomic_fetch_add_explicit(&msg->refs, 1, memory_order_relaxed);
    return msg;
}

static inline struct msg *msg_pack(const ProtobufCMessage *message)
{
    struct msg *msg = msg_new(protobuf_c_message_get_packed_size(message));
    protobuf_c_message_pack(message, msg->data);
    return msg;
}

/* NULL is fine. */
static inline void msg_unref(struct msg *msg)
{
    uint32_t refs =
        msg != NULL ? atomic_fetch_sub_explicit(&msg->refs, 1, memory_order_acq_rel) - 1 : 1;
    if (refs == MSG_SECRET)
        mem_wiped_free(msg, sizeof *msg + msg->len);
    else if (refs == 0)
        free(msg);
}

/* Marks MSG as one that holds a token. Its bytes are overwritten before they are freed. */
static inline void msg_is_secret(struct msg *msg)
{
    atomic_fetch_or_explicit(&msg->refs, MSG_SECRET, memory_order_relaxed);
}

#endif
