#include "logic/hook/cache.h"
#include "common/base/list.h"
#include "common/base/mem.h"
#include "common/base/random.h"
#include "common/containers/map.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <string.h>

struct entry {
    TAILQ_ENTRY(entry) link;
    uint64_t until_ms;
    size_t len;
    char digest[HOOK_DIGEST]; /* the map's key */
    char body[];
};

struct hook_cache {
    size_t max;
    struct strmap *map;
    TAILQ_HEAD(, entry) oldest_first;
    uint8_t key[32];
};

struct hook_cache *hook_cache_open(size_t max)
{
    struct hook_cache *cache = mem_zalloc(sizeof *cache);

    cache->max = max;
    cache->map = strmap_new();
    TAILQ_INIT(&cache->oldest_first);
    random_wait(cache->key, sizeof cache->key);
    return cache;
}

static void entry_drop(struct hook_cache *cache, struct entry *entry)
{
    (void)strmap_del(cache->map, entry->digest, HOOK_DIGEST);
    TAILQ_REMOVE(&cache->oldest_first, entry, link);
    mem_wiped_free(entry, sizeof *entry + entry->len);
}

void hook_cache_close(struct hook_cache *cache)
{
    struct entry *entry;

    if (cache == NULL)
        return;
    while ((entry = TAILQ_FIRST(&cache->oldest_first)) != NULL)
        entry_drop(cache, entry);
    strmap_free(cache->map);
    mem_wiped_free(cache, sizeof *cache);
}

void hook_cache_digest(const struct hook_cache *cache, const void *data, size_t len,
                       uint8_t out[HOOK_DIGEST])
{
    unsigned int n = HOOK_DIGEST;

    (void)HMAC(EVP_sha256(), cache->key, (int)sizeof cache->key, data, len, out, &n);
}

const char *hook_cache_get(struct hook_cache *cache, const uint8_t digest[HOOK_DIGEST],
                           uint64_t now_ms, size_t *len)
{
    struct entry *entry = strmap_get(cache->map, (const char *)digest, HOOK_DIGEST);

    if (entry == NULL)
        return NULL;
    if (entry->until_ms <= now_ms) {
        entry_drop(cache, entry);
        return NULL;
    }
    *len = entry->len;
    return entry->body;
}

void hook_cache_put(struct hook_cache *cache, const uint8_t digest[HOOK_DIGEST], uint64_t until_ms,
                    const char *body, size_t len)
{
    struct entry *entry = strmap_get(cache->map, (const char *)digest, HOOK_DIGEST);

    if (entry != NULL)
        entry_drop(cache, entry);
    if (strmap_count(cache->map) == cache->max)
        entry_drop(cache, TAILQ_FIRST(&cache->oldest_first));
    entry = mem_alloc(sizeof *entry + len);
    entry->until_ms = until_ms;
    entry->len = len;
    memcpy(entry->digest, digest, HOOK_DIGEST);
    if (len > 0)
        memcpy(entry->body, body, len);
    strmap_set(cache->map, entry->digest, HOOK_DIGEST, entry);
    TAILQ_INSERT_TAIL(&cache->oldest_first, entry, link);
}

size_t hook_cache_count(const struct hook_cache *cache)
{
    return strmap_count(cache->map);
}
