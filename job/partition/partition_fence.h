/* partition_fence.h - a number for each ownership of a partition, higher than that of every owner
 * before. Main loop only.
 *
 * The number comes from Redis, imc:fence:TOPIC:PARTITION, and is at least the time there, in
 * milliseconds. So if Redis loses its data, comets still take the new numbers, though they remember
 * the old ones. We ask until Redis answers.
 *
 * A comet that refuses us has heard a higher number. Redis knows whether a job was given one. If
 * not, our next number is above what the comet heard, unless that is beyond what may be
 * (common/protocol/fence.h). */
#ifndef IMC_JOB_PARTITION_PARTITION_FENCE_H
#define IMC_JOB_PARTITION_PARTITION_FENCE_H

#include "common/redis/redis.h"
#include <stdbool.h>
#include <stdint.h>

struct partition_fence;
struct partition_fence_question {
    const char *topic;
    int32_t partition;
    uint64_t ours;  /* the number that we have; 0: none */
    uint64_t heard; /* the highest that comets claim to have heard; 0: nothing */
    bool claim;     /* take the next number even if another job has a higher one than ours */
};
/* NUMBER is a new one. 0: somebody has a higher one than ours. */
typedef void (*partition_fence_fn)(uint64_t number, void *arg);

/* FN is called once, never before this returns; the request is over then and must not be cancelled.
 */
struct partition_fence *partition_fence_ask(struct loop *loop, struct redis *redis,
                                            const struct partition_fence_question *question,
                                            partition_fence_fn fn, void *arg);
/* FN will not be called. NULL is fine. */
void partition_fence_cancel(struct partition_fence *fence);

#endif
