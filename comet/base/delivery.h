/* delivery.h - how long messages take from their acceptance until their session has them. The id of
 * a message says when logic accepted it, by Redis's clock. Owner loop only. */
#ifndef IMC_COMET_BASE_DELIVERY_H
#define IMC_COMET_BASE_DELIVERY_H

#include "comet/base/metrics.h"
#include "comet/base/worker.h"
#include "common/base/time.h"
#include "common/protocol/message_id.h"

/* Unix time by Redis's clock, as well as this comet knows it. */
static inline int64_t delivery_now_us(const struct worker *worker)
{
    return (int64_t)time_unix_us() -
           atomic_load_explicit(&worker->clock_offset_us, memory_order_relaxed);
}

/* Message ID reached N sessions at NOW_US. METRIC: one of COMET_DELIVERY_…. An ID of 0 is not
 * known: goim's job sends none. */
static inline void delivery_observe(struct worker *worker, enum comet_metric metric, uint64_t id,
                                    int64_t now_us, size_t n)
{
    if (id != 0 && n > 0)
        metric_observe(worker->counters, metric, now_us - (int64_t)message_id_us(id), (int64_t)n);
}

#endif
