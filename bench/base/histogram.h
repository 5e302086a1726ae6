/* histogram.h - a histogram of durations with logarithmic buckets, from 1 ns to 36 minutes. Each
 * doubling has 32 buckets, so every quantile is exact to 3 %.
 *
 * It has no pointers, so it may be in memory that processes share. One writer; others may read at
 * any time, and see each bucket as it was a moment ago. */
#ifndef IMC_BENCH_BASE_HISTOGRAM_H
#define IMC_BENCH_BASE_HISTOGRAM_H

#include <stdint.h>

enum {
    HIST_SUB_BITS = 5,
    HIST_TOP_BIT = 40, /* larger values count in the last bucket */
    HIST_BUCKETS = (HIST_TOP_BIT - HIST_SUB_BITS + 2) << HIST_SUB_BITS,
};

struct hist {
    _Atomic uint64_t count, max;
    _Atomic uint64_t buckets[HIST_BUCKETS];
};

void hist_record(struct hist *hist, uint64_t value);
void hist_record_many(struct hist *hist, uint64_t value, uint64_t times);
void hist_add(struct hist *into, const struct hist *more);
/* INTO becomes what was recorded since EARLIER was copied from it. Its max becomes that of the
 * highest bucket. */
void hist_since(struct hist *into, const struct hist *earlier);
/* The value that a share Q (0 to 1) of the recorded values does not exceed; 0 if there are none. */
uint64_t hist_quantile(const struct hist *hist, double q);

#endif
