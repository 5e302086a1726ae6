/* A run of numbers changes two entries of `steps`, whatever its length. Their running sum is how
 * often each number has come:
 *
 *   added 3 … 5 and 4 … 7      number   3  4  5  6  7  8
 *                              steps   +1 +1  . -1  . -1
 *                              sum      1  2  2  1  1  0
 */
#include "bench/check/ages.h"

#include "bench/base/clock.h"
#include "common/base/mem.h"
#include "common/base/saturate.h"

#include <stdatomic.h>
#include <stdlib.h>

enum { WINDOW = 1 << 14, MASK = WINDOW - 1 };

struct ages {
    const _Atomic uint64_t *due_ns;
    struct hist *out;
    uint32_t low, high; /* the numbers added are in [low, high); equal: none */
    int32_t steps[WINDOW];
};

struct ages *ages_new(const _Atomic uint64_t *due_ns, struct hist *out)
{
    struct ages *ages = mem_zalloc(sizeof *ages);

    ages->due_ns = due_ns;
    ages->out = out;
    return ages;
}

void ages_free(struct ages *ages)
{
    free(ages);
}

static void add_run(struct ages *ages, uint32_t first, uint32_t n)
{
    uint32_t low = ages->low, high = ages->high, end = first + n;

    if (low == high) {
        low = first;
        high = end;
    }
    low = first < low ? first : low;
    high = end > high ? end : high;
    if (high - low >= WINDOW) { /* a receiver is too far from the others */
        ages_flush(ages, clock_ns());
        low = first;
        high = end;
    }
    ages->low = low;
    ages->high = high;
    ages->steps[first & MASK]++;
    ages->steps[end & MASK]--;
}

void ages_add(struct ages *ages, uint32_t first, size_t n)
{
    while (n > 0) {
        uint32_t part = n < WINDOW / 2 ? (uint32_t)n : WINDOW / 2;
        add_run(ages, first, part);
        first += part;
        n -= part;
    }
}

void ages_flush(struct ages *ages, uint64_t now_ns)
{
    int32_t sum = 0;

    for (uint32_t number = ages->low; number != ages->high; number++) {
        uint64_t due = atomic_load_explicit(&ages->due_ns[number], memory_order_relaxed);
        sum += ages->steps[number & MASK];
        ages->steps[number & MASK] = 0;
        if (sum > 0)
            hist_record_many(ages->out, saturate_sub(now_ns, due), (uint64_t)sum);
    }
    ages->steps[ages->high & MASK] = 0;
    ages->low = ages->high;
}
