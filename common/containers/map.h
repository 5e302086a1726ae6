/* map.h - two hash maps with open addressing: from 64-bit key to 64-bit value, and from string to
 * pointer. Owner loop only.
 *
 * Both use Robin Hood hashing and deletion by backward shift. There are no tombstones, so a map
 * stays fast when keys come and go. It grows at 7/8 and shrinks at 1/8 load. map64 takes 17 bytes
 * per slot. */
#ifndef IMC_COMMON_CONTAINERS_MAP_H
#define IMC_COMMON_CONTAINERS_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct map64;
struct map64 *map64_new(void);
void map64_free(struct map64 *map);
/* The value's address, valid until the next set or del; NULL if KEY is absent. */
uint64_t *map64_get(struct map64 *map, uint64_t key);
void map64_set(struct map64 *map, uint64_t key, uint64_t value);
bool map64_del(struct map64 *map, uint64_t key);
size_t map64_count(const struct map64 *map);
/* For tests: the memory that the map has. */
size_t map64_bytes(const struct map64 *map);

/* A strmap does not copy keys: a key has to be part of the object that is its value. */
struct strmap;
struct strmap *strmap_new(void);
void strmap_free(struct strmap *map);
void *strmap_get(struct strmap *map, const char *key, size_t len);
void strmap_set(struct strmap *map, const char *key, size_t len, void *value);
/* Removes KEY. Returns its value, or NULL. */
void *strmap_del(struct strmap *map, const char *key, size_t len);
size_t strmap_count(const struct strmap *map);
/* Iterates: begin with *POS = 0; false at the end. The map must not change meanwhile. */
bool strmap_next(const struct strmap *map, size_t *pos, void **value);

#endif
