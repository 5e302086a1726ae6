#include "common/base/msg.h"
#include "common/base/mem.h"
#include <assert.h>
#include <stdlib.h>
#include <string.h>

struct msg *msg_new(size_t len)
{
    assert(len <= UINT32_MAX);
    struct msg *msg = mem_alloc(sizeof *msg + len);
    msg->refs = 1;
    msg->len = (uint32_t)len;
    return msg;
}

struct msg *msg_copy(const void *data, size_t len)
{
    struct msg *msg = msg_new(len);
    if (len > 0)
        memcpy(msg->data, data, len);
    return msg;
}

struct msg *msg_ref(struct msg *msg)
{
    __atomic_fetch_add(&msg->refs, 1, __ATOMIC_RELAXED);
    return msg;
}

void msg_unref(struct msg *msg)
{
    uint32_t refs = msg != NULL ? __atomic_sub_fetch(&msg->refs, 1, __ATOMIC_ACQ_REL) : 1;
    if (refs == MSG_SECRET)
        mem_wiped_free(msg, sizeof *msg + msg->len);
    else if (refs == 0)
        free(msg);
}

void msg_is_secret(struct msg *msg)
{
    __atomic_fetch_or(&msg->refs, MSG_SECRET, __ATOMIC_RELAXED);
}
