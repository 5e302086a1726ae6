#include "comet/applied.h"
#include "common/fence.h"
#include "common/mem.h"
#include <assert.h>
#include <stdbool.h>
#include <stdlib.h>

struct partition_applied {
    uint64_t fence;
    int64_t highest; /* atomic: read by the loops */
    uint64_t bits[APPLIED_WINDOW / 64];
};

/* Loops find a partition by index without a lock: a slot is set once, with release, and stays. */
struct applied {
    struct partition_applied *partitions[APPLIED_PARTITIONS_MAX];
};

struct applied *applied_new(void)
{
    return mem_zalloc(sizeof(struct applied));
}

void applied_free(struct applied *applied)
{
    if (applied == NULL)
        return;
    for (size_t i = 0; i < APPLIED_PARTITIONS_MAX; i++)
        free(applied->partitions[i]);
    free(applied);
}

static uint64_t *applied_word(struct partition_applied *p, int64_t offset)
{
    return &p->bits[((uint64_t)offset % APPLIED_WINDOW) / 64];
}

static uint64_t applied_bit(int64_t offset)
{
    return 1ULL << ((uint64_t)offset % 64);
}

static struct partition_applied *applied_partition(struct applied *applied, uint32_t partition)
{
    struct partition_applied *p = applied->partitions[partition];

    if (p == NULL) {
        p = mem_zalloc(sizeof *p);
        p->highest = -1;
        __atomic_store_n(&applied->partitions[partition], p, __ATOMIC_RELEASE);
    }
    return p;
}

/* The bits between the old and the new highest offset speak of offsets a window ago: forget them.
 * The new highest comes first: applied_taken() sets a bit and looks then, so that one of the two
 * clears what was set for an offset a window ago. */
static void applied_advance(struct partition_applied *p, int64_t offset)
{
    int64_t from = p->highest + 1;

    __atomic_store_n(&p->highest, offset, __ATOMIC_SEQ_CST);
    if (offset - from >= APPLIED_WINDOW)
        from = offset - APPLIED_WINDOW + 1;
    /* Unsigned, to end behind INT64_MAX too: who says so is no job, but must not hold us up. */
    uint64_t at = (uint64_t)from, last = (uint64_t)offset;
    while (at <= last) {
        if (at % 64 == 0 && last - at >= 64) {
            __atomic_store_n(applied_word(p, (int64_t)at), 0, __ATOMIC_SEQ_CST);
            at += 64;
        } else {
            __atomic_fetch_and(applied_word(p, (int64_t)at), ~applied_bit((int64_t)at),
                               __ATOMIC_SEQ_CST);
            at++;
        }
    }
}

enum applied_speaker applied_speaker(struct applied *applied, uint32_t partition, uint64_t fence,
                                     uint64_t now_ms)
{
    if (partition >= APPLIED_PARTITIONS_MAX)
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
    if (partition >= APPLIED_PARTITIONS_MAX || applied->partitions[partition] == NULL)
        return 0;
    return applied->partitions[partition]->fence;
}

enum applied_verdict applied_check(struct applied *applied, uint32_t partition, int64_t offset)
{
    assert(partition < APPLIED_PARTITIONS_MAX);
    struct partition_applied *p = applied_partition(applied, partition);

    if (offset < 0)
        return APPLIED_NEW;
    if (offset > p->highest) {
        applied_advance(p, offset);
        return APPLIED_NEW;
    }
    if (p->highest - offset >= APPLIED_WINDOW)
        return APPLIED_NEW;
    bool taken =
        (__atomic_load_n(applied_word(p, offset), __ATOMIC_ACQUIRE) & applied_bit(offset)) != 0;
    return taken ? APPLIED_REPEAT : APPLIED_NEW;
}

void applied_taken(struct applied *applied, uint32_t partition, int64_t offset)
{
    if (partition >= APPLIED_PARTITIONS_MAX || offset < 0)
        return;
    struct partition_applied *p =
        __atomic_load_n(&applied->partitions[partition], __ATOMIC_ACQUIRE);
    if (p == NULL || __atomic_load_n(&p->highest, __ATOMIC_ACQUIRE) - offset >= APPLIED_WINDOW)
        return;
    __atomic_fetch_or(applied_word(p, offset), applied_bit(offset), __ATOMIC_SEQ_CST);
    if (__atomic_load_n(&p->highest, __ATOMIC_SEQ_CST) - offset >= APPLIED_WINDOW)
        __atomic_fetch_and(applied_word(p, offset), ~applied_bit(offset), __ATOMIC_SEQ_CST);
}
