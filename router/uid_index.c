#include "router/uid_index.h"
#include "common/base/array.h"
#include "common/base/mem.h"
#include <stdlib.h>
#include <string.h>

enum {
    SEGMENT_BYTES = BUCKETS_PER_SEGMENT * (int)sizeof(uint32_t),
    BUCKETS_MIN = 16,
    BUCKETS_MAX = 1 << 30,
};

static void segment_add(struct uid_index *index)
{
    ARRAY_ROOM(index->segments, index->n_segments, index->capacity, 16);
    uint32_t *segment = mem_alloc(SEGMENT_BYTES);
    memset(segment, 0xff, SEGMENT_BYTES); /* SLOT_NONE in every bucket */
    index->segments[index->n_segments++] = segment;
}

void uid_index_init(struct uid_index *index)
{
    *index = (struct uid_index){.count = BUCKETS_MIN, .round = BUCKETS_MIN};
    hash_seed_init(&index->seed);
    segment_add(index);
}

void uid_index_close(struct uid_index *index)
{
    for (uint32_t i = 0; i < index->n_segments; i++)
        free(index->segments[i]);
    free(index->segments);
    *index = (struct uid_index){0};
}

/* Splits the next bucket of this round: each session stays, or moves to the new last bucket. The
 * order in a chain is kept. */
static void uid_index_split(struct uid_index *index, const struct session_pool *pool)
{
    uint32_t from = index->count - index->round, to = index->count;

    if (to / BUCKETS_PER_SEGMENT == index->n_segments)
        segment_add(index);
    index->count++;
    uint32_t *stay = uid_index_at(index, from), *go = uid_index_at(index, to);
    uint32_t slot = *stay;
    while (slot != SLOT_NONE) {
        struct session_row *session = session_pool_at(pool, slot);
        uint32_t next = session->next;
        uint32_t **tail = uid_index_bucket(index, session->uid) == from ? &stay : &go;
        **tail = slot;
        *tail = &session->next;
        slot = next;
    }
    *stay = SLOT_NONE;
    *go = SLOT_NONE;
    if (index->count == 2 * index->round)
        index->round = index->count;
}

/* Undoes a split: appends the last bucket's chain to the bucket that it was split from. */
static void uid_index_join(struct uid_index *index, const struct session_pool *pool)
{
    if (index->count == index->round)
        index->round /= 2;
    uint32_t last = --index->count;
    uint32_t *from = uid_index_at(index, last), *to = uid_index_at(index, last - index->round);

    while (*to != SLOT_NONE)
        to = &session_pool_at(pool, *to)->next;
    *to = *from;
    *from = SLOT_NONE;
    if (last % BUCKETS_PER_SEGMENT == 0 && last != 0)
        free(index->segments[--index->n_segments]);
}

void uid_index_fit(struct uid_index *index, const struct session_pool *pool)
{
    if (pool->used > index->count && index->count < BUCKETS_MAX) {
        uid_index_split(index, pool);
        return;
    }
    /* Joins two at a time, so that the index shrinks faster than sessions go, one per call. */
    for (int i = 0; i < 2 && index->count > BUCKETS_MIN && pool->used < index->count / 2; i++)
        uid_index_join(index, pool);
}

size_t uid_index_bytes(const struct uid_index *index)
{
    return index->n_segments * (size_t)SEGMENT_BYTES + index->capacity * sizeof *index->segments;
}
