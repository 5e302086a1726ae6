/* map.h - open-addressing hash map, 64-bit key to 64-bit value, and one from strings to pointers.
 * Owner loop only.
 *
 * Robin-hood with backward-shift deletion: no tombstones, so it stays fast under churn; grows at
 * 7/8 and shrinks at 1/8 load. 17 bytes per slot for map64. */
#ifndef IMC_COMMON_CONTAINERS_MAP_H
#define IMC_COMMON_CONTAINERS_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct map64;
struct map64 *map64_new(void);
void map64_free(struct map64 *map);
/* Pointer to the value, valid until the next set or del; NULL if absent. */
uint64_t *map64_get(struct map64 *map, uint64_t key);
void map64_set(struct map64 *map, uint64_t key, uint64_t value);
bool map64_del(struct map64 *map, uint64_t key);
size_t map64_count(const struct map64 *map);
size_t map64_bytes(const struct map64 *map);
/* Starts with *pos = 0; false at the end. Do not change the map meanwhile. */
bool map64_next(const struct map64 *map, size_t *pos, uint64_t *key, uint64_t *value);

/* Keys are borrowed: they live in the object that is the value. */
struct strmap;
struct strmap *strmap_new(void);
void strmap_free(struct strmap *map);
void *strmap_get(struct strmap *map, const char *key, size_t len);
void strmap_set(struct strmap *map, const char *key, size_t len, void *value);
/* The value that was there, or NULL. */
void *strmap_del(struct strmap *map, const char *key, size_t len);
size_t strmap_count(const struct strmap *map);
bool strmap_next(const struct strmap *map, size_t *pos, void **value);

#endif
