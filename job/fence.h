/* fence.h - a number for each ownership of a partition, higher than that of every owner before.
 * Owner loop only.
 *
 * It comes from Redis, imc:fence:TOPIC:PARTITION, and is at least the time in milliseconds there:
 * should Redis lose its data, the comets, which remember the old numbers, still take the new ones.
 * Asked for until Redis answers. */
#ifndef IMC_JOB_FENCE_H
#define IMC_JOB_FENCE_H

#include "common/redis.h"
#include <stdint.h>

struct fence;
typedef void (*fence_fn)(uint64_t number, void *arg);

/* FN is called once, never before this returns; the request is over then and must not be cancelled.
 */
struct fence *fence_ask(struct loop *loop, struct redis *redis, const char *topic,
                        int32_t partition, fence_fn fn, void *arg);
/* FN will not be called. NULL is fine. */
void fence_cancel(struct fence *fence);

#endif
