/* cache.h - answers that may be used again. Main loop only.
 *
 * What was asked is not kept, only a keyed hash of it, with a key that this process has chosen: so
 * no token can be found here, nor be guessed from what is here. */
#ifndef IMC_LOGIC_HOOK_CACHE_H
#define IMC_LOGIC_HOOK_CACHE_H

#include <stddef.h>
#include <stdint.h>

enum { HOOK_DIGEST = 32 }; /* bytes */

struct hook_cache;

/* At most MAX answers; the oldest goes first. */
struct hook_cache *hook_cache_open(size_t max);
void hook_cache_close(struct hook_cache *cache); /* NULL is fine */
void hook_cache_digest(const struct hook_cache *cache, const void *data, size_t len,
                       uint8_t out[HOOK_DIGEST]);
/* The answer as it came, *LEN bytes, valid until the next call. NULL: there is none that is still
 * good at NOW_MS. */
const char *hook_cache_get(struct hook_cache *cache, const uint8_t digest[HOOK_DIGEST],
                           uint64_t now_ms, size_t *len);
void hook_cache_put(struct hook_cache *cache, const uint8_t digest[HOOK_DIGEST], uint64_t until_ms,
                    const char *body, size_t len);
size_t hook_cache_count(const struct hook_cache *cache);

#endif
