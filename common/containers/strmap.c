/* The map of map.h from strings to pointers. The table is like that of map64 (see map.c), but a
 * slot keeps the hash of its key in place of a distance. The distance follows from the hash. And
 * strings are compared only if their hashes are equal. */
#include "common/base/hash.h"
#include "common/base/mem.h"
#include "common/containers/map.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { MIN_SLOTS = 8 };

struct strmap_slot {
    const char *key;
    void *value; /* NULL: the slot is empty */
    uint32_t len, hash;
};

struct strmap {
    struct strmap_slot *entries;
    size_t slots; /* a power of two, 0 before the first set */
    size_t count;
    struct hash_seed seed; /* clients choose keys: they must not know which keys collide */
};

struct strmap *strmap_new(void)
{
    struct strmap *map = mem_zalloc(sizeof *map);
    hash_seed_init(&map->seed);
    return map;
}

void strmap_free(struct strmap *map)
{
    if (map == NULL)
        return;
    free(map->entries);
    free(map);
}

static uint32_t hash_of(const struct strmap *map, const char *key, size_t len)
{
    uint64_t h = map->seed.words[0] ^ len, word;
    for (; len >= 8; len -= 8, key += 8) {
        memcpy(&word, key, 8);
        h = hash_fold(h ^ word, map->seed.words[1]);
    }
    word = 0;
    if (len > 0)
        memcpy(&word, key, len);
    h = hash_fold(h ^ word, map->seed.words[1]);
    h = hash_fold(h ^ map->seed.words[0], 0x9e3779b97f4a7c15U);
    return (uint32_t)(h >> 32 ^ h);
}

static size_t find(const struct strmap *map, const char *key, size_t len, uint32_t hash)
{
    if (map->count == 0)
        return SIZE_MAX;
    size_t mask = map->slots - 1, slot = hash & mask;
    for (size_t distance = 0;; distance++, slot = (slot + 1) & mask) {
        const struct strmap_slot *e = &map->entries[slot];
        if (e->value == NULL || ((slot - e->hash) & mask) < distance)
            return SIZE_MAX;
        if (e->hash == hash && e->len == len && (len == 0 || memcmp(e->key, key, len) == 0))
            return slot;
    }
}

/* Inserts a key that is not in the map. There is a free slot. */
static void place(struct strmap *map, struct strmap_slot entry)
{
    size_t mask = map->slots - 1, slot = entry.hash & mask;
    for (size_t distance = 0;; distance++, slot = (slot + 1) & mask) {
        struct strmap_slot *e = &map->entries[slot];
        if (e->value == NULL) {
            *e = entry;
            return;
        }
        size_t theirs = (slot - e->hash) & mask;
        if (theirs >= distance)
            continue;
        struct strmap_slot displaced = *e;
        *e = entry;
        entry = displaced;
        distance = theirs;
    }
}

static void resize(struct strmap *map, size_t slots)
{
    struct strmap_slot *old = map->entries;
    size_t old_slots = map->slots;
    map->entries = mem_zalloc(slots * sizeof *map->entries);
    map->slots = slots;
    for (size_t i = 0; i < old_slots; i++) {
        if (old[i].value != NULL)
            place(map, old[i]);
    }
    free(old);
}

void *strmap_get(struct strmap *map, const char *key, size_t len)
{
    size_t slot = map->count == 0 ? SIZE_MAX : find(map, key, len, hash_of(map, key, len));
    return slot == SIZE_MAX ? NULL : map->entries[slot].value;
}

void strmap_set(struct strmap *map, const char *key, size_t len, void *value)
{
    assert(value != NULL && len <= UINT32_MAX);
    uint32_t hash = hash_of(map, key, len);
    size_t slot = find(map, key, len, hash);
    if (slot != SIZE_MAX) {
        map->entries[slot].key = key; /* it is part of VALUE: the old key may be freed with the old
                                       * value */
        map->entries[slot].value = value;
        return;
    }
    if (map->count >= map->slots - map->slots / 8)
        resize(map, map->slots == 0 ? MIN_SLOTS : map->slots * 2);
    place(map,
          (struct strmap_slot){.key = key, .value = value, .len = (uint32_t)len, .hash = hash});
    map->count++;
}

void *strmap_del(struct strmap *map, const char *key, size_t len)
{
    size_t slot = map->count == 0 ? SIZE_MAX : find(map, key, len, hash_of(map, key, len));
    if (slot == SIZE_MAX)
        return NULL;
    void *value = map->entries[slot].value;
    size_t mask = map->slots - 1, next = (slot + 1) & mask;
    while (map->entries[next].value != NULL && ((next - map->entries[next].hash) & mask) != 0) {
        map->entries[slot] = map->entries[next];
        slot = next;
        next = (next + 1) & mask;
    }
    map->entries[slot].value = NULL;
    map->count--;
    if (map->slots > MIN_SLOTS && map->count < map->slots / 8)
        resize(map, map->slots / 2);
    return value;
}

size_t strmap_count(const struct strmap *map)
{
    return map->count;
}

bool strmap_next(const struct strmap *map, size_t *pos, void **value)
{
    for (; *pos < map->slots; (*pos)++) {
        if (map->entries[*pos].value == NULL)
            continue;
        *value = map->entries[(*pos)++].value;
        return true;
    }
    return false;
}
