/* Slots lie in chunks. Growing the table moves no slot, and an empty chunk is freed:
 *
 *   chunks  [0] [1] [-] [3] …          chunk: free ─► slot ─► slot (linked by index)
 *            └─► 4096 slots: who, generation
 *
 * Generations are counted over the whole table, not per slot, because a chunk may be freed. */
#include "comet/net/handle_table.h"
#include "common/base/mem.h"

#include <assert.h>
#include <stdlib.h>

enum {
    CHUNK_BITS = 12,
    CHUNK_SLOTS = 1 << CHUNK_BITS,
    SLOT_BITS = 24,
    CHUNKS = 1 << (SLOT_BITS - CHUNK_BITS),
    NO_SLOT = CHUNK_SLOTS,
};

struct handle_slot {
    struct conn *conn; /* NULL: free */
    uint32_t generation;
    uint32_t next_free; /* within the chunk */
};

struct handle_chunk {
    uint32_t used, free; /* free: first of the list */
    uint32_t fresh;      /* the first slot that was never used */
    struct handle_slot slots[CHUNK_SLOTS];
};

struct handle_table {
    uint64_t loop_bits;
    uint32_t generation; /* the one that was given last */
    size_t n_chunks;     /* one more than the index of the last chunk that exists */
    size_t with_room;    /* chunks with a lower index are full */
    struct handle_chunk *chunks[CHUNKS];
};

struct handle_table *handle_table_open(int loop_index)
{
    assert(loop_index >= 0 && loop_index < 256);
    struct handle_table *table = mem_zalloc(sizeof *table);
    table->loop_bits = (uint64_t)loop_index << 56;
    return table;
}

void handle_table_close(struct handle_table *table)
{
    if (table == NULL)
        return;
    for (size_t i = 0; i < table->n_chunks; i++)
        free(table->chunks[i]);
    free(table);
}

/* The first chunk with room; CHUNKS if all are full. */
static size_t chunk_with_room(struct handle_table *table)
{
    size_t i = table->with_room;
    while (i < CHUNKS && table->chunks[i] != NULL && table->chunks[i]->used == CHUNK_SLOTS)
        i++;
    table->with_room = i;
    if (i < CHUNKS && table->chunks[i] == NULL) {
        table->chunks[i] = mem_zalloc(sizeof *table->chunks[i]);
        table->chunks[i]->free = NO_SLOT;
        if (i >= table->n_chunks)
            table->n_chunks = i + 1;
    }
    return i;
}

uint64_t handle_table_add(struct handle_table *table, struct conn *conn)
{
    assert(conn != NULL);
    size_t chunk_index = chunk_with_room(table);
    if (chunk_index == CHUNKS)
        return 0;
    struct handle_chunk *chunk = table->chunks[chunk_index];
    uint32_t index = chunk->free;
    if (index != NO_SLOT)
        chunk->free = chunk->slots[index].next_free;
    else
        index = chunk->fresh++;
    if (++table->generation == 0)
        table->generation = 1;
    chunk->slots[index].conn = conn;
    chunk->slots[index].generation = table->generation;
    chunk->used++;
    return table->loop_bits | (uint64_t)table->generation << SLOT_BITS |
           (uint64_t)(chunk_index << CHUNK_BITS | index);
}

static struct handle_slot *find(const struct handle_table *table, uint64_t handle)
{
    size_t at = handle & ((1U << SLOT_BITS) - 1);
    struct handle_chunk *chunk = table->chunks[at >> CHUNK_BITS];
    if (chunk == NULL || (handle ^ table->loop_bits) >> 56 != 0)
        return NULL;
    struct handle_slot *slot = &chunk->slots[at & (CHUNK_SLOTS - 1)];
    if (slot->conn == NULL || slot->generation != (uint32_t)(handle >> SLOT_BITS))
        return NULL;
    return slot;
}

struct conn *handle_table_find(const struct handle_table *table, uint64_t handle)
{
    const struct handle_slot *slot = find(table, handle);
    return slot == NULL ? NULL : slot->conn;
}

void handle_table_remove(struct handle_table *table, uint64_t handle)
{
    struct handle_slot *slot = find(table, handle);
    assert(slot != NULL);
    size_t at = handle & ((1U << SLOT_BITS) - 1), chunk_index = at >> CHUNK_BITS;
    struct handle_chunk *chunk = table->chunks[chunk_index];
    slot->conn = NULL;
    slot->next_free = chunk->free;
    chunk->free = (uint32_t)(at & (CHUNK_SLOTS - 1));
    chunk->used--;
    if (chunk_index < table->with_room)
        table->with_room = chunk_index;
    if (chunk->used > 0 || chunk_index == 0) /* the first chunk is kept, so that one session that
                                                comes and goes does not allocate */
        return;
    free(chunk);
    table->chunks[chunk_index] = NULL;
    while (table->n_chunks > 0 && table->chunks[table->n_chunks - 1] == NULL)
        table->n_chunks--;
}

size_t handle_table_slots(const struct handle_table *table)
{
    if (table->n_chunks == 0)
        return 0;
    return ((table->n_chunks - 1) << CHUNK_BITS) + table->chunks[table->n_chunks - 1]->fresh;
}

struct conn *handle_table_at(const struct handle_table *table, size_t slot)
{
    assert(slot < (size_t)1 << SLOT_BITS);
    const struct handle_chunk *chunk = table->chunks[slot >> CHUNK_BITS];
    return chunk == NULL ? NULL : chunk->slots[slot & (CHUNK_SLOTS - 1)].conn;
}
