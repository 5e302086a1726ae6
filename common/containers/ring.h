/* ring.h - ketama consistent hashing: which router (or Redis shard) owns a key. Immutable once
 * built; any thread.
 *
 * 40 MD5 digests per unit of weight 1, four points each, as libketama: 160 points a node. */
#ifndef IMC_COMMON_CONTAINERS_RING_H
#define IMC_COMMON_CONTAINERS_RING_H

#include <stddef.h>
#include <stdint.h>

enum { RING_MAX_WEIGHT = 100 };

struct ring_node {
    const char *name; /* at most 255 bytes; not kept */
    uint64_t epoch;   /* only in the hash, not in the points: a restarted node keeps its share */
    uint32_t weight;  /* 0: owns nothing; more than RING_MAX_WEIGHT counts as that */
};

struct ring;
struct ring *ring_new(const struct ring_node *nodes, size_t n);
void ring_free(struct ring *ring);
/* Index into the nodes it was made of; -1 for an empty ring. By the key's MD5, as libketama. */
int ring_find(const struct ring *ring, const void *key, size_t len);
/* The same by a mix of the number's bits, not by MD5: it is on the path of every push and has no
 * outside to agree with. */
int ring_find_uid(const struct ring *ring, int64_t uid);
/* Equal on every machine that sees the same (name, epoch, weight) set, in whatever order; 0 for an
 * empty ring. */
uint64_t ring_hash(const struct ring *ring);

#endif
