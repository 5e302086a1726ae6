/* map64: an array of pairs and an array of distances, probed linearly. The distance of a slot is 0
 * if it is empty. Otherwise it is one more than how far the entry is behind the slot that its hash
 * points to. When a key is inserted, it takes the slot of the first entry with a smaller distance,
 * and that entry moves on ("Robin Hood hashing"). So distances stay short even at 7/8 load. A
 * search may stop at the first slot whose distance is smaller than the search has come.
 *
 *   hash ──► slot   …  17     18     19     20
 *            distance  1      2      2      0   deleting 17 moves 18 and 19 back: no tombstones
 *
 * Measured against uthash on a VM with 2 cores, in ns per call, with random 64-bit keys. Gets and
 * misses come in another order than sets.
 *
 *                     set  get  miss  del   bytes per entry
 *   1,000   map64      51    9    11   18   35
 *           uthash     39   10     9   18   84
 *   1M      map64     120   37    24   65   36
 *           uthash    530  150   137  236   97 */
#include "common/containers/map.h"
#include "common/base/hash.h"
#include "common/base/mem.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { MIN_SLOTS = 8, MAX_DISTANCE = 255 };

struct pair {
    uint64_t key, value;
};

struct map64 {
    struct pair *pairs;
    uint8_t *distances; /* behind the pairs, in the same block */
    size_t slots;       /* a power of two, 0 before the first set */
    size_t count;
    struct hash_seed seed; /* keys come from outside: nobody must be able to choose keys that
                            * collide */
};

static size_t home_of(const struct map64 *map, uint64_t key)
{
    return (size_t)hash_fold(key ^ map->seed.words[0], map->seed.words[1]) & (map->slots - 1);
}

struct map64 *map64_new(void)
{
    struct map64 *map = mem_zalloc(sizeof *map);
    hash_seed_init(&map->seed);
    return map;
}

void map64_free(struct map64 *map)
{
    if (map == NULL)
        return;
    free(map->pairs);
    free(map);
}

static size_t find(const struct map64 *map, uint64_t key)
{
    if (map->count == 0)
        return SIZE_MAX;
    size_t slot = home_of(map, key);
    for (unsigned distance = 1; map->distances[slot] >= distance; distance++) {
        if (map->pairs[slot].key == key)
            return slot;
        slot = (slot + 1) & (map->slots - 1);
    }
    return SIZE_MAX;
}

/* Inserts a key that is not in the map. False: a distance would not fit its byte. Then *PAIR,
 * perhaps another one by now, has no slot. */
static bool place(struct map64 *map, struct pair *pair)
{
    size_t slot = home_of(map, pair->key);
    for (unsigned distance = 1; distance <= MAX_DISTANCE; distance++) {
        unsigned there = map->distances[slot];
        if (there < distance) {
            struct pair displaced = map->pairs[slot];
            map->pairs[slot] = *pair;
            map->distances[slot] = (uint8_t)distance;
            if (there == 0)
                return true;
            *pair = displaced;
            distance = there;
        }
        slot = (slot + 1) & (map->slots - 1);
    }
    return false;
}

/* False: with SLOTS slots some distance would be too long, see place(). Nothing was changed. */
static bool try_resize(struct map64 *map, size_t slots)
{
    struct map64 to = {.slots = slots, .count = map->count, .seed = map->seed};
    to.pairs = mem_alloc(slots * (sizeof *to.pairs + 1));
    to.distances = (uint8_t *)(to.pairs + slots);
    memset(to.distances, 0, slots);
    for (size_t i = 0; i < map->slots; i++) {
        struct pair pair = map->pairs[i];
        if (map->distances[i] != 0 && !place(&to, &pair)) {
            free(to.pairs);
            return false;
        }
    }
    free(map->pairs);
    *map = to;
    return true;
}

static void grow(struct map64 *map)
{
    size_t slots = map->slots == 0 ? MIN_SLOTS : map->slots * 2;
    while (!try_resize(map, slots))
        slots *= 2;
}

uint64_t *map64_get(struct map64 *map, uint64_t key)
{
    size_t slot = find(map, key);
    return slot == SIZE_MAX ? NULL : &map->pairs[slot].value;
}

void map64_set(struct map64 *map, uint64_t key, uint64_t value)
{
    size_t slot = find(map, key);
    if (slot != SIZE_MAX) {
        map->pairs[slot].value = value;
        return;
    }
    if (map->count >= map->slots - map->slots / 8)
        grow(map);
    struct pair pair = {.key = key, .value = value};
    while (!place(map, &pair))
        grow(map); /* PAIR is the one without a slot now */
    map->count++;
}

bool map64_del(struct map64 *map, uint64_t key)
{
    size_t slot = find(map, key), mask = map->slots - 1;
    if (slot == SIZE_MAX)
        return false;
    size_t next = (slot + 1) & mask;
    while (map->distances[next] > 1) {
        map->pairs[slot] = map->pairs[next];
        map->distances[slot] = (uint8_t)(map->distances[next] - 1);
        slot = next;
        next = (next + 1) & mask;
    }
    map->distances[slot] = 0;
    map->count--;
    if (map->slots > MIN_SLOTS && map->count < map->slots / 8)
        try_resize(map, map->slots / 2);
    return true;
}

size_t map64_count(const struct map64 *map)
{
    return map->count;
}

size_t map64_bytes(const struct map64 *map)
{
    return sizeof *map + map->slots * (sizeof *map->pairs + 1);
}
