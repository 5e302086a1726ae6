/* handle_table.h - finds a loop's sessions by handle: the slot is an index, nothing is hashed.
 * Owner loop only.
 *
 *   handle, 64 bits: | loop 8 | generation 32 | slot 24 |     never 0: generations start at 1
 *
 * A slot that is used again gets the next generation, so an old handle finds nobody. */
#ifndef IMC_COMET_NET_HANDLE_TABLE_H
#define IMC_COMET_NET_HANDLE_TABLE_H

#include <stddef.h>
#include <stdint.h>

struct conn;

enum {
    HANDLE_CHUNK_BITS = 12,
    HANDLE_CHUNK_SLOTS = 1 << HANDLE_CHUNK_BITS,
    HANDLE_SLOT_BITS = 24,
    HANDLE_CHUNKS = 1 << (HANDLE_SLOT_BITS - HANDLE_CHUNK_BITS),
};

struct handle_slot {
    struct conn *conn; /* NULL: free */
    uint32_t generation;
    uint32_t next_free; /* within the chunk */
};

struct handle_chunk {
    uint32_t used, free; /* free: first of the list */
    uint32_t fresh;      /* the first slot that was never used */
    struct handle_slot slots[HANDLE_CHUNK_SLOTS];
};

struct handle_table {
    uint64_t loop_bits;
    uint32_t generation; /* the one that was given last */
    size_t n_chunks;     /* one more than the index of the last chunk that exists */
    size_t with_room;    /* chunks with a lower index are full */
    struct handle_chunk *chunks[HANDLE_CHUNKS];
};

struct handle_table *handle_table_open(int loop_index);
void handle_table_close(struct handle_table *table);
/* The new handle; 0 if there are 2^24 sessions already. */
uint64_t handle_table_add(struct handle_table *table, struct conn *conn);
void handle_table_remove(struct handle_table *table, uint64_t handle);
static inline struct handle_slot *handle_table_slot(const struct handle_table *table,
                                                    uint64_t handle)
{
    size_t at = handle & ((1U << HANDLE_SLOT_BITS) - 1);
    struct handle_chunk *chunk = table->chunks[at >> HANDLE_CHUNK_BITS];
    if (chunk == NULL || (handle ^ table->loop_bits) >> 56 != 0)
        return NULL;
    struct handle_slot *slot = &chunk->slots[at & (HANDLE_CHUNK_SLOTS - 1)];
    if (slot->conn == NULL || slot->generation != (uint32_t)(handle >> HANDLE_SLOT_BITS))
        return NULL;
    return slot;
}

/* NULL: the session is gone, or belongs to another loop. */
static inline struct conn *handle_table_find(const struct handle_table *table, uint64_t handle)
{
    const struct handle_slot *slot = handle_table_slot(table, handle);
    return slot == NULL ? NULL : slot->conn;
}

/* A walk over all sessions goes from slot 0 to handle_table_slots(), and may stop and go on in
 * between. handle_table_at() is NULL for a free slot. */
size_t handle_table_slots(const struct handle_table *table);
struct conn *handle_table_at(const struct handle_table *table, size_t slot);

static inline int handle_loop(uint64_t handle)
{
    return (int)(handle >> 56);
}

#endif
