/* tokens.h - gives connections their tokens before they connect, through the business's API or, in
 * bulk, straight into Redis. One process; blocks until done. */
#ifndef IMC_BENCH_LOAD_TOKENS_H
#define IMC_BENCH_LOAD_TOKENS_H

#include "bench/run/people.h"
#include "bench/run/shared_page.h"

enum { TOKENS_VALUE_MAX = PEOPLE_NAME_MAX + 32 };

struct tokens_order {
    const struct people *people;
    size_t first, n;   /* connections FIRST … FIRST + N - 1 */
    const char *http;  /* the API, host:port */
    const char *key;   /* for it, or NULL */
    const char *redis; /* the only shard, host:port; for tokens_put() */
};

/* With their rooms, if there are any. 0, or -E… with ERR filled: the first refusal. */
int tokens_make(const struct tokens_order *order, struct worker_stats *stats, char *err,
                size_t errlen);
/* The same, past the API. */
int tokens_put(const struct tokens_order *order, struct worker_stats *stats, char *err,
               size_t errlen);
/* What logic keeps under connection I's token: who it is. Bytes written. */
size_t tokens_value(const struct people *people, size_t i, char *out, size_t size);

#endif
