#include "router/uid_index.h"
#include "common/base/mem.h"
#include <stdlib.h>
#include <string.h>

enum {
    SEGMENT_BYTES = BUCKETS_PER_SEGMENT * (int)sizeof(uint32_t),
    BUCKETS_MIN = 16,
    BUCKETS_MAX = 1 << 30,
};

static uint32_t *bucket_at(const struct buckets *buckets, uint32_t number)
{
    return &buckets->segments[number / BUCKETS_PER_SEGMENT][number % BUCKETS_PER_SEGMENT];
}

static void segment_add(struct buckets *buckets)
{
    if (buckets->n_segments == buckets->capacity) {
        buckets->capacity = buckets->capacity == 0 ? 16 : buckets->capacity * 2;
        buckets->segments =
            mem_realloc(buckets->segments, buckets->capacity * sizeof *buckets->segments);
    }
    uint32_t *segment = mem_alloc(SEGMENT_BYTES);
    memset(segment, 0xff, SEGMENT_BYTES); /* SLOT_NONE everywhere */
    buckets->segments[buckets->n_segments++] = segment;
}

void buckets_init(struct buckets *buckets)
{
    *buckets = (struct buckets){.count = BUCKETS_MIN, .round = BUCKETS_MIN};
    hash_seed_init(&buckets->seed);
    segment_add(buckets);
}

void buckets_close(struct buckets *buckets)
{
    for (uint32_t i = 0; i < buckets->n_segments; i++)
        free(buckets->segments[i]);
    free(buckets->segments);
    *buckets = (struct buckets){0};
}

static uint32_t bucket_of(const struct buckets *buckets, int64_t uid)
{
    uint32_t hash = (uint32_t)hash_u64(&buckets->seed, (uint64_t)uid);
    uint32_t number = hash & (2 * buckets->round - 1);

    return number < buckets->count ? number : hash & (buckets->round - 1);
}

uint32_t *buckets_head(const struct buckets *buckets, int64_t uid)
{
    return bucket_at(buckets, bucket_of(buckets, uid));
}

/* Splits the next bucket of this round: its sessions stay or go to the new last bucket. Order in a
 * chain is kept. */
static void buckets_split(struct buckets *buckets, const struct slots *slots)
{
    uint32_t from = buckets->count - buckets->round, to = buckets->count;

    if (to / BUCKETS_PER_SEGMENT == buckets->n_segments)
        segment_add(buckets);
    buckets->count++;
    uint32_t *stay = bucket_at(buckets, from), *go = bucket_at(buckets, to);
    uint32_t slot = *stay;
    while (slot != SLOT_NONE) {
        struct session_row *session = slots_at(slots, slot);
        uint32_t next = session->next;
        uint32_t **tail = bucket_of(buckets, session->uid) == from ? &stay : &go;
        **tail = slot;
        *tail = &session->next;
        slot = next;
    }
    *stay = SLOT_NONE;
    *go = SLOT_NONE;
    if (buckets->count == 2 * buckets->round)
        buckets->round = buckets->count;
}

/* The reverse: the last bucket's chain goes to the end of the one that it was split from. */
static void buckets_join(struct buckets *buckets, const struct slots *slots)
{
    if (buckets->count == buckets->round)
        buckets->round /= 2;
    uint32_t last = --buckets->count;
    uint32_t *from = bucket_at(buckets, last), *to = bucket_at(buckets, last - buckets->round);

    while (*to != SLOT_NONE)
        to = &slots_at(slots, *to)->next;
    *to = *from;
    *from = SLOT_NONE;
    if (last % BUCKETS_PER_SEGMENT == 0 && last != 0)
        free(buckets->segments[--buckets->n_segments]);
}

void buckets_fit(struct buckets *buckets, const struct slots *slots)
{
    if (slots->used > buckets->count && buckets->count < BUCKETS_MAX) {
        buckets_split(buckets, slots);
        return;
    }
    /* Two at a time: the map may lose sessions until none is left, one per call. */
    for (int i = 0; i < 2 && buckets->count > BUCKETS_MIN && slots->used < buckets->count / 2; i++)
        buckets_join(buckets, slots);
}

size_t buckets_bytes(const struct buckets *buckets)
{
    return buckets->n_segments * (size_t)SEGMENT_BYTES +
           buckets->capacity * sizeof *buckets->segments;
}
