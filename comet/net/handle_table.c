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

enum { NO_SLOT = HANDLE_CHUNK_SLOTS };

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

/* The first chunk with room; HANDLE_CHUNKS if all are full. */
static size_t chunk_with_room(struct handle_table *table)
{
    size_t i = table->with_room;
    while (i < HANDLE_CHUNKS && table->chunks[i] != NULL &&
           table->chunks[i]->used == HANDLE_CHUNK_SLOTS)
        i++;
    table->with_room = i;
    if (i < HANDLE_CHUNKS && table->chunks[i] == NULL) {
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
    if (chunk_index == HANDLE_CHUNKS)
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
    return table->loop_bits | (uint64_t)table->generation << HANDLE_SLOT_BITS |
           (uint64_t)(chunk_index << HANDLE_CHUNK_BITS | index);
}

void handle_table_remove(struct handle_table *table, uint64_t handle)
{
    struct handle_slot *slot = handle_table_slot(table, handle);
    assert(slot != NULL);
    size_t at = handle & ((1U << HANDLE_SLOT_BITS) - 1), chunk_index = at >> HANDLE_CHUNK_BITS;
    struct handle_chunk *chunk = table->chunks[chunk_index];
    slot->conn = NULL;
    slot->next_free = chunk->free;
    chunk->free = (uint32_t)(at & (HANDLE_CHUNK_SLOTS - 1));
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
    return ((table->n_chunks - 1) << HANDLE_CHUNK_BITS) + table->chunks[table->n_chunks - 1]->fresh;
}

struct conn *handle_table_at(const struct handle_table *table, size_t slot)
{
    assert(slot < (size_t)1 << HANDLE_SLOT_BITS);
    const struct handle_chunk *chunk = table->chunks[slot >> HANDLE_CHUNK_BITS];
    return chunk == NULL ? NULL : chunk->slots[slot & (HANDLE_CHUNK_SLOTS - 1)].conn;
}
