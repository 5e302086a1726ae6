#include "comet/job/replay_window.h"
#include "common/base/hash.h"
#include "common/base/mem.h"
#include "common/protocol/fence.h"
#include <assert.h>
#include <stdatomic.h>
#include <stdlib.h>

struct replay_window {
    uint64_t fence;
    int64_t passed_offset;                /* of the last message to a room or to all */
    uint64_t passed_id;                   /* 0: none, or it has no id */
    _Atomic uint32_t tags[REPLAY_WINDOW]; /* 0: none. Untouched pages take no memory */
};

/* Loops find a partition by index, without a lock: a pointer is set once, with release, and
 * stays. */
struct replay_windows {
    struct replay_window *_Atomic partitions[PARTITIONS_MAX];
};

struct replay_windows *replay_windows_new(void)
{
    return mem_zalloc(sizeof(struct replay_windows));
}

void replay_windows_free(struct replay_windows *applied)
{
    if (applied == NULL)
        return;
    for (size_t i = 0; i < PARTITIONS_MAX; i++)
        free(applied->partitions[i]);
    free(applied);
}

/* The lowest bit is for whether it was written. */
static uint32_t replay_window_tag(int64_t offset, uint64_t id)
{
    uint32_t tag = (uint32_t)(hash_mix64(id ^ hash_mix64((uint64_t)offset)) >> 32) & ~1U;

    return tag != 0 ? tag : 2;
}

static _Atomic uint32_t *replay_window_slot(struct replay_window *p, int64_t offset)
{
    return &p->tags[(uint64_t)offset % REPLAY_WINDOW];
}

static struct replay_window *replay_window_of(struct replay_windows *applied, uint32_t partition)
{
    struct replay_window *p =
        atomic_load_explicit(&applied->partitions[partition], memory_order_relaxed);

    if (p == NULL) {
        p = mem_zalloc(sizeof *p);
        atomic_store_explicit(&applied->partitions[partition], p, memory_order_release);
    }
    return p;
}

enum replay_speaker replay_windows_speaker(struct replay_windows *applied, uint32_t partition,
                                           uint64_t fence, uint64_t now_ms)
{
    if (partition >= PARTITIONS_MAX)
        return SPEAKER_FENCED;
    if (fence == 0)
        return SPEAKER_HEARD;
    if (!fence_is_plausible(fence, now_ms))
        return SPEAKER_IMPLAUSIBLE;
    struct replay_window *p = replay_window_of(applied, partition);
    /* Our clock was ahead when we believed this fence. */
    if (!fence_is_plausible(p->fence, now_ms))
        p->fence = 0;
    if (fence < p->fence)
        return SPEAKER_FENCED;
    p->fence = fence;
    return SPEAKER_HEARD;
}

uint64_t replay_windows_fence(const struct replay_windows *applied, uint32_t partition)
{
    if (partition >= PARTITIONS_MAX)
        return 0;
    const struct replay_window *p =
        atomic_load_explicit(&applied->partitions[partition], memory_order_relaxed);
    return p != NULL ? p->fence : 0;
}

enum replay_verdict replay_windows_check(struct replay_windows *applied, uint32_t partition,
                                         int64_t offset, uint64_t id)
{
    assert(partition < PARTITIONS_MAX);
    if (offset < 0)
        return REPLAY_NEW;
    const _Atomic uint32_t *slot = replay_window_slot(replay_window_of(applied, partition), offset);
    uint32_t tag = atomic_load_explicit(slot, memory_order_acquire);
    if ((tag & ~1U) != replay_window_tag(offset, id))
        return REPLAY_NEW;
    return (tag & 1) != 0 ? REPLAY_REPEAT : REPLAY_REPEAT_UNWRITTEN;
}

bool replay_windows_passed(const struct replay_windows *applied, uint32_t partition, int64_t offset,
                           uint64_t id)
{
    assert(partition < PARTITIONS_MAX);
    const struct replay_window *p =
        atomic_load_explicit(&applied->partitions[partition], memory_order_relaxed);

    return p != NULL && id != 0 && offset >= 0 && offset < p->passed_offset && id < p->passed_id;
}

void replay_windows_pass(struct replay_windows *applied, uint32_t partition, int64_t offset,
                         uint64_t id)
{
    assert(partition < PARTITIONS_MAX);
    if (offset < 0)
        return;
    struct replay_window *p = replay_window_of(applied, partition);
    p->passed_offset = offset;
    p->passed_id = id;
}

void replay_windows_taken(struct replay_windows *applied, uint32_t partition, int64_t offset,
                          uint64_t id, bool written)
{
    if (partition >= PARTITIONS_MAX || offset < 0)
        return;
    struct replay_window *p =
        atomic_load_explicit(&applied->partitions[partition], memory_order_acquire);
    if (p != NULL)
        atomic_store_explicit(replay_window_slot(p, offset),
                              replay_window_tag(offset, id) | written, memory_order_release);
}
