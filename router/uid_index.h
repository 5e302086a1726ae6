/* uid_index.h - finds the sessions of a uid: linear hashing, so that growing never rehashes the
 * whole map. Main loop only.
 *
 *   uid ─hash─► bucket ─► session ─next─► session ─► …       a chain holds all sessions of its uids
 *
 * There are between 2^n and 2^(n+1) buckets. Every session that is added splits at most one bucket
 * in two, every one that goes joins at most two pairs: no insert waits for a million others to
 * move, as it would in a table that doubles. Four bytes per bucket, one bucket per session or up to
 * two while the map shrinks. */
#ifndef IMC_ROUTER_UID_INDEX_H
#define IMC_ROUTER_UID_INDEX_H

#include "common/base/hash.h"
#include "router/session_pool.h"

enum { BUCKETS_PER_SEGMENT = 4096 };

struct uid_index {
    struct hash_seed seed; /* clients' business chooses the uids */
    uint32_t **segments;
    uint32_t n_segments, capacity;
    uint32_t count; /* buckets in use */
    uint32_t round; /* the power of two ≤ count: buckets below count - round are split already */
};

void uid_index_init(struct uid_index *buckets);
void uid_index_close(struct uid_index *buckets);
/* Where the chain of UID's bucket begins. Valid until the next uid_index_fit(). */
uint32_t *uid_index_head(const struct uid_index *buckets, int64_t uid);
/* Call after every added or removed session. */
void uid_index_fit(struct uid_index *buckets, const struct session_pool *slots);
size_t uid_index_bytes(const struct uid_index *buckets);

#endif
