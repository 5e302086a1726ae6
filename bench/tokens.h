/* tokens.h - gives connections their tokens through the business's API, before they connect. One
 * process; blocks until done. */
#ifndef IMC_BENCH_TOKENS_H
#define IMC_BENCH_TOKENS_H

#include "bench/people.h"
#include "bench/shared.h"

/* For connections FIRST … FIRST + N - 1; with their rooms, if there are any. KEY of the API or
 * NULL. 0, or -E… with ERR filled: the first refusal. */
int tokens_make(const struct people *people, size_t first, size_t n, const char *http,
                const char *key, struct worker_stats *stats, char *err, size_t errlen);

#endif
