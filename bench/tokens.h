/* tokens.h - gives connections their tokens through the business's API, before they connect. One
 * process; blocks until done. */
#ifndef IMC_BENCH_TOKENS_H
#define IMC_BENCH_TOKENS_H

#include "bench/people.h"
#include "bench/shared.h"

struct tokens_order {
    const struct people *people;
    size_t first, n;  /* connections FIRST … FIRST + N - 1 */
    const char *http; /* the API, host:port */
    const char *key;  /* for it, or NULL */
};

/* With their rooms, if there are any. 0, or -E… with ERR filled: the first refusal. */
int tokens_make(const struct tokens_order *order, struct worker_stats *stats, char *err,
                size_t errlen);

#endif
