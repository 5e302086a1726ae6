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

static void segment_add(struct uid_index *buckets)
{
    ARRAY_ROOM(buckets->segments, buckets->n_segments, buckets->capacity, 16);
    uint32_t *segment = mem_alloc(SEGMENT_BYTES);
    memset(segment, 0xff, SEGMENT_BYTES); /* SLOT_NONE in every bucket */
    buckets->segments[buckets->n_segments++] = segment;
}

void uid_index_init(struct uid_index *buckets)
{
    *buckets = (struct uid_index){.count = BUCKETS_MIN, .round = BUCKETS_MIN};
    hash_seed_init(&buckets->seed);
    segment_add(buckets);
}

void uid_index_close(struct uid_index *buckets)
{
    for (uint32_t i = 0; i < buckets->n_segments; i++)
        free(buckets->segments[i]);
    free(buckets->segments);
    *buckets = (struct uid_index){0};
}

/* Splits the next bucket of this round: each session stays, or moves to the new last bucket. The
 * order in a chain is kept. */
static void uid_index_split(struct uid_index *buckets, const struct session_pool *slots)
{
    uint32_t from = buckets->count - buckets->round, to = buckets->count;

    if (to / BUCKETS_PER_SEGMENT == buckets->n_segments)
        segment_add(buckets);
    buckets->count++;
    uint32_t *stay = uid_index_at(buckets, from), *go = uid_index_at(buckets, to);
    uint32_t slot = *stay;
    while (slot != SLOT_NONE) {
        struct session_row *session = session_pool_at(slots, slot);
        uint32_t next = session->next;
        uint32_t **tail = uid_index_bucket(buckets, session->uid) == from ? &stay : &go;
        **tail = slot;
        *tail = &session->next;
        slot = next;
    }
    *stay = SLOT_NONE;
    *go = SLOT_NONE;
    if (buckets->count == 2 * buckets->round)
        buckets->round = buckets->count;
}

/* Undoes a split: appends the last bucket's chain to the bucket that it was split from. */
static void uid_index_join(struct uid_index *buckets, const struct session_pool *slots)
{
    if (buckets->count == buckets->round)
        buckets->round /= 2;
    uint32_t last = --buckets->count;
    uint32_t *from = uid_index_at(buckets, last),
             *to = uid_index_at(buckets, last - buckets->round);

    while (*to != SLOT_NONE)
        to = &session_pool_at(slots, *to)->next;
    *to = *from;
    *from = SLOT_NONE;
    if (last % BUCKETS_PER_SEGMENT == 0 && last != 0)
        free(buckets->segments[--buckets->n_segments]);
}

void uid_index_fit(struct uid_index *buckets, const struct session_pool *slots)
{
    if (slots->used > buckets->count && buckets->count < BUCKETS_MAX) {
        uid_index_split(buckets, slots);
        return;
    }
    /* Joins two at a time, so that the index shrinks faster than sessions go, one per call. */
    for (int i = 0; i < 2 && buckets->count > BUCKETS_MIN && slots->used < buckets->count / 2; i++)
        uid_index_join(buckets, slots);
}

size_t uid_index_bytes(const struct uid_index *buckets)
{
    return buckets->n_segments * (size_t)SEGMENT_BYTES +
           buckets->capacity * sizeof *buckets->segments;
}
