/* ages.h - the age of messages without a stamp. They come in order, so the K-th message of a
 * receiver is the K-th push, and it is known when that was due. One process.
 *
 * ages_add() gathers runs of numbers, and ages_flush() records their ages at its own time. So an
 * age is never too low, and too high by at most the time between the two calls. */
#ifndef IMC_BENCH_CHECK_AGES_H
#define IMC_BENCH_CHECK_AGES_H

#include "bench/base/histogram.h"

#include <stddef.h>
#include <stdint.h>

struct ages;

/* DUE_NS[K]: when push K was due; borrowed, and may grow meanwhile. OUT gets the ages. */
struct ages *ages_new(const _Atomic uint64_t *due_ns, struct hist *out);
void ages_free(struct ages *ages);
/* A receiver has just got the numbers FIRST … FIRST + N - 1. */
void ages_add(struct ages *ages, uint32_t first, size_t n);
/* Records what was added. Cheap if nothing was. */
void ages_flush(struct ages *ages, uint64_t now_ns);

#endif
