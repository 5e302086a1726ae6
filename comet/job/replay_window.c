#include "comet/job/replay_window.h"
#include "common/base/hash.h"
#include "common/base/mem.h"
#include "common/protocol/fence.h"
#include <assert.h>
#include <stdbool.h>
#include <stdlib.h>

struct replay_window {
    uint64_t fence;
    uint32_t tags[REPLAY_WINDOW]; /* atomic; 0: none. Untouched pages take no memory */
};

/* Loops find a partition by index, without a lock: a pointer is set once, with release, and
 * stays. */
struct replay_windows {
    struct replay_window *partitions[PARTITIONS_MAX];
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

static uint32_t replay_window_tag(int64_t offset, uint64_t id)
{
    uint32_t tag = (uint32_t)(hash_mix64(id ^ hash_mix64((uint64_t)offset)) >> 32);

    return tag != 0 ? tag : 1;
}

static uint32_t *replay_window_slot(struct replay_window *p, int64_t offset)
{
    return &p->tags[(uint64_t)offset % REPLAY_WINDOW];
}

static struct replay_window *replay_window_of(struct replay_windows *applied, uint32_t partition)
{
    struct replay_window *p = applied->partitions[partition];

    if (p == NULL) {
        p = mem_zalloc(sizeof *p);
        __atomic_store_n(&applied->partitions[partition], p, __ATOMIC_RELEASE);
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
    if (partition >= PARTITIONS_MAX || applied->partitions[partition] == NULL)
        return 0;
    return applied->partitions[partition]->fence;
}

enum replay_verdict replay_windows_check(struct replay_windows *applied, uint32_t partition,
                                         int64_t offset, uint64_t id)
{
    assert(partition < PARTITIONS_MAX);
    if (offset < 0)
        return REPLAY_NEW;
    const uint32_t *slot = replay_window_slot(replay_window_of(applied, partition), offset);
    bool taken = __atomic_load_n(slot, __ATOMIC_ACQUIRE) == replay_window_tag(offset, id);
    return taken ? REPLAY_REPEAT : REPLAY_NEW;
}

void replay_windows_taken(struct replay_windows *applied, uint32_t partition, int64_t offset,
                          uint64_t id)
{
    if (partition >= PARTITIONS_MAX || offset < 0)
        return;
    struct replay_window *p = __atomic_load_n(&applied->partitions[partition], __ATOMIC_ACQUIRE);
    if (p != NULL)
        __atomic_store_n(replay_window_slot(p, offset), replay_window_tag(offset, id),
                         __ATOMIC_RELEASE);
}
