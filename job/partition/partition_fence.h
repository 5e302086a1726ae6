/* partition_fence.h - a number for each ownership of a partition, higher than that of every owner
 * before. Owner loop only.
 *
 * It comes from Redis, imc:fence:TOPIC:PARTITION, and is at least the time in milliseconds there:
 * should Redis lose its data, the comets, which remember the old numbers, still take the new ones.
 * Asked for until Redis answers.
 *
 * A comet that refuses has heard a higher number. Redis knows whether anybody was given one: if
 * not, the next number is above what that comet heard, unless that cannot be
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
    bool claim;     /* take the next one even if somebody has a higher one than ours */
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
