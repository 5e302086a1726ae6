/* tokens.h - gives connections their tokens before they connect: through the HTTP API or, in bulk,
 * straight into Redis. One process; blocks until done. */
#ifndef IMC_BENCH_LOAD_TOKENS_H
#define IMC_BENCH_LOAD_TOKENS_H

#include "bench/run/people.h"
#include "bench/run/shared_page.h"

enum { TOKENS_VALUE_MAX = PEOPLE_NAME_MAX + 32 };

struct tokens_order {
    const struct people *people;
    size_t first, n;   /* connections FIRST … FIRST + N - 1 */
    const char *http;  /* the API, host:port */
    const char *key;   /* the API's key, or NULL */
    const char *redis; /* the only shard, host:port; for tokens_put() */
};

/* Makes tokens, with rooms if there are any. 0, or -E… with the first refusal in ERR. */
int tokens_make(const struct tokens_order *order, struct worker_stats *stats, char *err,
                size_t errlen);
/* Does the same without the API. */
int tokens_put(const struct tokens_order *order, struct worker_stats *stats, char *err,
               size_t errlen);
/* Writes what logic keeps under the token of connection I: who that is. Returns the bytes
 * written. */
size_t tokens_value(const struct people *people, size_t i, char *out, size_t size);

#endif
