/* ages.h - the age of messages that carry no stamp but come in order: number K of a receiver is the
 * K-th push, whose intended sending is known. One process.
 *
 * Runs of numbers are gathered and recorded together at the next ages_flush(): an age is taken when
 * that is called, so it is late, never early, by at most the time between ages_add() and then. */
#ifndef IMC_BENCH_CHECK_AGES_H
#define IMC_BENCH_CHECK_AGES_H

#include "bench/base/histogram.h"

#include <stddef.h>
#include <stdint.h>

struct ages;

/* DUE_NS[K]: when push K was meant to be sent; borrowed, may grow while we look. OUT gets the ages.
 */
struct ages *ages_new(const uint64_t *due_ns, struct hist *out);
void ages_free(struct ages *ages);
/* A receiver has got the numbers FIRST … FIRST + N - 1 now. */
void ages_add(struct ages *ages, uint32_t first, size_t n);
/* Records what was added. Cheap when nothing was. */
void ages_flush(struct ages *ages, uint64_t now_ns);

#endif
