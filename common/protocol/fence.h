/* fence.h - says whether a number can be a fence. Pure; any thread.
 *
 * A fence is roughly the time, in Unix milliseconds, at which a job took a partition
 * (job/partition/partition_fence.h). So no job has a fence far in the future. A comet that believed
 * one would refuse the partition's true owner for ever. The limit is wide, so that clocks may
 * differ. If a false fence is below it, the true owner takes a higher one. */
#ifndef IMC_COMMON_PROTOCOL_FENCE_H
#define IMC_COMMON_PROTOCOL_FENCE_H

#include <stdbool.h>
#include <stdint.h>

enum {
    FENCE_AHEAD_MS = 24 * 60 * 60 * 1000,
    /* Partition numbers are below this. Each partition costs a comet up to 1 MB
     * (comet/job/replay_window.h). */
    PARTITIONS_MAX = 10000,
};

/* NOW_MS: wall clock. */
static inline bool fence_is_plausible(uint64_t fence, uint64_t now_ms)
{
    return fence <= now_ms + FENCE_AHEAD_MS;
}

#endif
