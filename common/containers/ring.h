/* ring.h - consistent hashing by ketama: says which router (or Redis shard) owns a key. Immutable
 * once built. Any thread.
 *
 * A node has 40 MD5 digests per unit of weight, of four points each, as in libketama. So a node of
 * weight 1 has 160 points. */
#ifndef IMC_COMMON_CONTAINERS_RING_H
#define IMC_COMMON_CONTAINERS_RING_H

#include <stddef.h>
#include <stdint.h>

enum { RING_MAX_WEIGHT = 100 };

struct ring_node {
    const char *name; /* at most 255 bytes; not kept */
    uint64_t epoch;   /* part of ring_hash(), not of the points: a node that restarts keeps its
                       * keys */
    uint32_t weight;  /* 0: owns nothing; more than RING_MAX_WEIGHT counts as that */
};

struct ring;
struct ring *ring_new(const struct ring_node *nodes, size_t n);
void ring_free(struct ring *ring);
/* The node that owns KEY, as index into NODES of ring_new(); -1: the ring is empty. By the key's
 * MD5, as in libketama. */
int ring_find(const struct ring *ring, const void *key, size_t len);
/* The same for a uid, but by a fast hash in place of MD5. Every push asks for it, and no program
 * other than ours has to agree. */
int ring_find_uid(const struct ring *ring, int64_t uid);
/* A hash of the nodes. Machines that know the same set of (name, epoch, weight), in any order, get
 * the same hash. 0 for an empty ring. */
uint64_t ring_hash(const struct ring *ring);

#endif
