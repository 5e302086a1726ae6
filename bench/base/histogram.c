#include "bench/base/histogram.h"
#include <stdatomic.h>

#define LOAD(field)         atomic_load_explicit(&(field), memory_order_relaxed)
#define STORE(field, value) atomic_store_explicit(&(field), (value), memory_order_relaxed)

/* Values below 32 have buckets of their own; from there each doubling has 32:
 *
 *   0 … 31 | 32 … 63 | 64, 66 … 126 | 128, 132 … 252 | …        lowest value of each bucket */
static unsigned bucket_of(uint64_t value)
{
    unsigned shift;

    if (value < UINT64_C(1) << HIST_SUB_BITS)
        return (unsigned)value;
    if (value >> (HIST_TOP_BIT + 1) != 0)
        return HIST_BUCKETS - 1;
    shift = 63 - (unsigned)__builtin_clzll(value) - HIST_SUB_BITS;
    return (shift << HIST_SUB_BITS) + (unsigned)(value >> shift);
}

/* The largest value that falls into BUCKET. */
static uint64_t bucket_top(unsigned bucket)
{
    unsigned sub = 1U << HIST_SUB_BITS, shift;

    if (bucket < sub)
        return bucket;
    shift = (bucket >> HIST_SUB_BITS) - 1;
    return ((uint64_t)(bucket - (shift << HIST_SUB_BITS) + 1) << shift) - 1;
}

void hist_record_many(struct hist *hist, uint64_t value, uint64_t times)
{
    _Atomic uint64_t *bucket = &hist->buckets[bucket_of(value)];

    STORE(*bucket, LOAD(*bucket) + times);
    STORE(hist->count, LOAD(hist->count) + times);
    if (value > LOAD(hist->max))
        STORE(hist->max, value);
}

void hist_record(struct hist *hist, uint64_t value)
{
    hist_record_many(hist, value, 1);
}

void hist_add(struct hist *into, const struct hist *more)
{
    uint64_t max = LOAD(more->max);

    into->count += LOAD(more->count);
    if (max > into->max)
        into->max = max;
    for (unsigned i = 0; i < HIST_BUCKETS; i++)
        into->buckets[i] += LOAD(more->buckets[i]);
}

void hist_since(struct hist *into, const struct hist *earlier)
{
    uint64_t max = 0;

    into->count -= earlier->count;
    for (unsigned i = 0; i < HIST_BUCKETS; i++) {
        into->buckets[i] -= earlier->buckets[i];
        if (into->buckets[i] > 0)
            max = bucket_top(i);
    }
    if (max < into->max)
        into->max = max;
}

uint64_t hist_quantile(const struct hist *hist, double q)
{
    uint64_t total = 0, below = 0, top;

    /* Sums the buckets, because a writer may be between adding to a bucket and adding to
     * `count`. */
    for (unsigned i = 0; i < HIST_BUCKETS; i++)
        total += LOAD(hist->buckets[i]);
    if (total == 0)
        return 0;
    for (unsigned i = 0; i < HIST_BUCKETS; i++) {
        below += LOAD(hist->buckets[i]);
        if ((double)below >= q * (double)total && below > 0) {
            top = bucket_top(i);
            return top < LOAD(hist->max) ? top : LOAD(hist->max);
        }
    }
    return LOAD(hist->max);
}
