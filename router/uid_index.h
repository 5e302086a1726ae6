/* uid_index.h - finds the sessions of a uid by linear hashing: growing never rehashes the whole
 * map. Main loop only.
 *
 *   uid ─hash─► bucket ─► session ─next─► session ─► …       a chain holds all sessions of its uids
 *
 * There are between 2^n and 2^(n+1) buckets. A session that is added splits at most one bucket in
 * two, one that goes joins at most two pairs. So no insert waits until a million sessions have
 * moved, as in a table that doubles. A bucket takes four bytes. There is one bucket per session, or
 * up to two while the map shrinks. */
#ifndef IMC_ROUTER_UID_INDEX_H
#define IMC_ROUTER_UID_INDEX_H

#include "common/base/hash.h"
#include "router/session_pool.h"

enum { BUCKETS_PER_SEGMENT = 4096 };

struct uid_index {
    struct hash_seed seed; /* the business chooses the uids, so the hash needs a secret seed */
    uint32_t **segments;
    uint32_t n_segments, capacity;
    uint32_t count; /* buckets in use */
    uint32_t round; /* highest power of two ≤ count: buckets below count - round are split */
};

void uid_index_init(struct uid_index *index);
void uid_index_close(struct uid_index *index);

static inline uint32_t uid_index_bucket(const struct uid_index *index, int64_t uid)
{
    uint32_t hash = (uint32_t)hash_u64(&index->seed, (uint64_t)uid);
    uint32_t number = hash & (2 * index->round - 1);

    return number < index->count ? number : hash & (index->round - 1);
}

/* The head of the chain of bucket NUMBER. */
static inline uint32_t *uid_index_at(const struct uid_index *index, uint32_t number)
{
    return &index->segments[number / BUCKETS_PER_SEGMENT][number % BUCKETS_PER_SEGMENT];
}

/* The head of the chain of UID's bucket. Valid until the next uid_index_fit(). */
static inline uint32_t *uid_index_head(const struct uid_index *index, int64_t uid)
{
    return uid_index_at(index, uid_index_bucket(index, uid));
}

/* To be called after each added or removed session. */
void uid_index_fit(struct uid_index *index, const struct session_pool *pool);
size_t uid_index_bytes(const struct uid_index *index);

#endif
