/* fence.h - which numbers can be a fence, or a partition, at all. Pure.
 *
 * A fence is about the time in milliseconds at which a partition was taken (job/partition_fence.h).
 * So a number far in the future is nobody's, and whoever believed it could be shut out by it for
 * ever. The limit is wide, so that clocks may differ; below it the true owner takes a higher
 * number. */
#ifndef IMC_COMMON_PROTOCOL_FENCE_H
#define IMC_COMMON_PROTOCOL_FENCE_H

#include <stdbool.h>
#include <stdint.h>

enum {
    FENCE_AHEAD_MS = 24 * 60 * 60 * 1000,
    /* Each that is heard of costs a comet up to 1 MB (comet/job/replay_window.h). */
    PARTITIONS_MAX = 10000,
};

/* NOW_MS: wall clock. */
static inline bool fence_is_plausible(uint64_t fence, uint64_t now_ms)
{
    return fence <= now_ms + FENCE_AHEAD_MS;
}

#endif
