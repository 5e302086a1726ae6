/* observed.h - how often a histogram was observed. */
#ifndef IMC_TESTS_UNIT_LIB_OBSERVED_H
#define IMC_TESTS_UNIT_LIB_OBSERVED_H

#include "common/base/loop_metrics.h"

/* ID is the histogram's place in a block. */
static inline int64_t observed(struct metrics *metrics, size_t id)
{
    int64_t count = 0;

    for (size_t i = 0; i <= HISTOGRAM_BOUNDS; i++)
        count += metrics_sum(metrics, id + i);
    return count;
}

#endif
