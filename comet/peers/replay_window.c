#include "comet/peers/replay_window.h"
#include "common/base/mem.h"
#include "common/protocol/fence.h"
#include <assert.h>
#include <stdbool.h>
#include <stdlib.h>

struct partition_applied {
    uint64_t fence;
    uint32_t tags[APPLIED_WINDOW]; /* atomic; 0: none. Pages that nobody has touched cost nothing */
};

/* Loops find a partition by index without a lock: a slot is set once, with release, and stays. */
struct applied {
    struct partition_applied *partitions[PARTITIONS_MAX];
};

struct applied *applied_new(void)
{
    return mem_zalloc(sizeof(struct applied));
}

void applied_free(struct applied *applied)
{
    if (applied == NULL)
        return;
    for (size_t i = 0; i < PARTITIONS_MAX; i++)
        free(applied->partitions[i]);
    free(applied);
}

static uint64_t mix(uint64_t x)
{
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9U;
    x = (x ^ x >> 27) * 0x94d049bb133111ebU;
    return x ^ x >> 31;
}

static uint32_t applied_tag(int64_t offset, uint64_t id)
{
    uint32_t tag = (uint32_t)(mix(id ^ mix((uint64_t)offset)) >> 32);

    return tag != 0 ? tag : 1;
}

static uint32_t *applied_slot(struct partition_applied *p, int64_t offset)
{
    return &p->tags[(uint64_t)offset % APPLIED_WINDOW];
}

static struct partition_applied *applied_partition(struct applied *applied, uint32_t partition)
{
    struct partition_applied *p = applied->partitions[partition];

    if (p == NULL) {
        p = mem_zalloc(sizeof *p);
        __atomic_store_n(&applied->partitions[partition], p, __ATOMIC_RELEASE);
    }
    return p;
}

enum applied_speaker applied_speaker(struct applied *applied, uint32_t partition, uint64_t fence,
                                     uint64_t now_ms)
{
    if (partition >= PARTITIONS_MAX)
        return SPEAKER_FENCED;
    if (fence == 0)
        return SPEAKER_HEARD;
    if (!fence_is_plausible(fence, now_ms))
        return SPEAKER_IMPLAUSIBLE;
    struct partition_applied *p = applied_partition(applied, partition);
    /* Our clock was ahead when we believed it. */
    if (!fence_is_plausible(p->fence, now_ms))
        p->fence = 0;
    if (fence < p->fence)
        return SPEAKER_FENCED;
    p->fence = fence;
    return SPEAKER_HEARD;
}

uint64_t applied_fence(const struct applied *applied, uint32_t partition)
{
    if (partition >= PARTITIONS_MAX || applied->partitions[partition] == NULL)
        return 0;
    return applied->partitions[partition]->fence;
}

enum applied_verdict applied_check(struct applied *applied, uint32_t partition, int64_t offset,
                                   uint64_t id)
{
    assert(partition < PARTITIONS_MAX);
    if (offset < 0)
        return APPLIED_NEW;
    const uint32_t *slot = applied_slot(applied_partition(applied, partition), offset);
    bool taken = __atomic_load_n(slot, __ATOMIC_ACQUIRE) == applied_tag(offset, id);
    return taken ? APPLIED_REPEAT : APPLIED_NEW;
}

void applied_taken(struct applied *applied, uint32_t partition, int64_t offset, uint64_t id)
{
    if (partition >= PARTITIONS_MAX || offset < 0)
        return;
    struct partition_applied *p =
        __atomic_load_n(&applied->partitions[partition], __ATOMIC_ACQUIRE);
    if (p != NULL)
        __atomic_store_n(applied_slot(p, offset), applied_tag(offset, id), __ATOMIC_RELEASE);
}
