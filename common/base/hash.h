/* hash.h - hash functions for tables. Each table has a random seed of its own. So a peer that
 * chooses keys cannot choose many that fall into one bucket. hash_mix64() and hash_fnv1a() have no
 * seed: they are for what our own daemons chose, and for what is no table's key. Any thread. */
#ifndef IMC_COMMON_BASE_HASH_H
#define IMC_COMMON_BASE_HASH_H

#include "common/base/random.h"
#include <stddef.h>
#include <stdint.h>

struct hash_seed {
    uint64_t words[2]; /* odd */
};

/* If the kernel has no entropy yet (early at boot), SEED comes from its own address. Tables still
 * work, but a peer could predict them. */
static inline void hash_seed_init(struct hash_seed *seed)
{
    if (!random_try(seed->words, sizeof seed->words))
        seed->words[0] = seed->words[1] = (uint64_t)(uintptr_t)seed;
    seed->words[0] |= 1;
    seed->words[1] |= 1;
}

static inline uint64_t hash_fold(uint64_t a, uint64_t b)
{
    __extension__ unsigned __int128 product = (unsigned __int128)a * b;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

/* Every bit of the result depends on every bit of KEY. */
static inline uint64_t hash_u64(const struct hash_seed *seed, uint64_t key)
{
    return hash_fold(hash_fold(key ^ seed->words[0], seed->words[1]) ^ seed->words[0],
                     0x9e3779b97f4a7c15U);
}

/* FNV-1a, 64 bits: the same in every process. HASH is HASH_FNV1A_BEGIN, or that of the bytes
 * before. */
#define HASH_FNV1A_BEGIN UINT64_C(0xcbf29ce484222325)
static inline uint64_t hash_fnv1a(uint64_t hash, const void *data, size_t len)
{
    const uint8_t *bytes = data;

    for (size_t i = 0; i < len; i++)
        hash = (hash ^ bytes[i]) * 0x100000001b3U;
    return hash;
}

/* splitmix64's finisher: every bit of the result depends on every bit of X. */
static inline uint64_t hash_mix64(uint64_t x)
{
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9U;
    x = (x ^ x >> 27) * 0x94d049bb133111ebU;
    return x ^ x >> 31;
}

#endif
