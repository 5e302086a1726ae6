#include "router/session_pool.h"
#include "common/base/array.h"
#include "common/base/mem.h"
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

/* The last number is SLOT_NONE, so its chunk is never made. */
enum {
    CHUNK_BYTES = SLOTS_PER_CHUNK * (int)sizeof(struct session_row),
    CHUNKS_MAX = (1 << 20) - 1
};

void session_pool_init(struct session_pool *pool)
{
    *pool = (struct session_pool){.partial = SLOT_NONE, .vacant = SLOT_NONE};
}

void session_pool_close(struct session_pool *pool)
{
    for (uint32_t i = 0; i < pool->n_chunks; i++)
        if (pool->chunks[i].sessions != NULL)
            munmap(pool->chunks[i].sessions, CHUNK_BYTES);
    free(pool->chunks);
    session_pool_init(pool);
}

static void partial_add(struct session_pool *pool, uint32_t number)
{
    struct slot_chunk *chunk = &pool->chunks[number];

    chunk->prev = SLOT_NONE;
    chunk->next = pool->partial;
    if (pool->partial != SLOT_NONE)
        pool->chunks[pool->partial].prev = number;
    pool->partial = number;
}

static void partial_remove(struct session_pool *pool, uint32_t number)
{
    struct slot_chunk *chunk = &pool->chunks[number];

    if (chunk->prev != SLOT_NONE)
        pool->chunks[chunk->prev].next = chunk->next;
    else
        pool->partial = chunk->next;
    if (chunk->next != SLOT_NONE)
        pool->chunks[chunk->next].prev = chunk->prev;
}

/* Uses mmap, not malloc: after the first free malloc raises its threshold for mmap, and chunks
 * would stay in the heap for good. */
static struct session_row *chunk_map(void)
{
    void *memory =
        mmap(NULL, CHUNK_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (memory == MAP_FAILED) {
        fprintf(stderr, "out of memory: %d bytes wanted for sessions\n", CHUNK_BYTES);
        abort();
    }
    return memory;
}

static bool chunk_add(struct session_pool *pool)
{
    uint32_t number = pool->vacant;

    if (number != SLOT_NONE) {
        pool->vacant = pool->chunks[number].next;
    } else {
        if (pool->n_chunks == CHUNKS_MAX)
            return false;
        ARRAY_ROOM(pool->chunks, pool->n_chunks, pool->capacity, 16);
        number = pool->n_chunks++;
    }
    pool->chunks[number] = (struct slot_chunk){.sessions = chunk_map(), .released = SLOT_NONE};
    pool->bytes += CHUNK_BYTES;
    pool->spare++;
    partial_add(pool, number);
    return true;
}

uint32_t session_pool_take(struct session_pool *pool)
{
    if (pool->partial == SLOT_NONE && !chunk_add(pool))
        return SLOT_NONE;
    uint32_t number = pool->partial;
    struct slot_chunk *chunk = &pool->chunks[number];
    uint32_t place = chunk->released;

    if (place != SLOT_NONE)
        chunk->released = chunk->sessions[place].next;
    else
        place = chunk->fresh++;
    if (chunk->used++ == 0)
        pool->spare--;
    if (chunk->used == SLOTS_PER_CHUNK)
        partial_remove(pool, number);
    pool->used++;
    return number * SLOTS_PER_CHUNK + place;
}

static void chunk_drop(struct session_pool *pool, uint32_t number)
{
    struct slot_chunk *chunk = &pool->chunks[number];

    partial_remove(pool, number);
    munmap(chunk->sessions, CHUNK_BYTES);
    pool->bytes -= CHUNK_BYTES;
    pool->spare--;
    *chunk = (struct slot_chunk){.next = pool->vacant};
    pool->vacant = number;
}

void session_pool_release(struct session_pool *pool, uint32_t slot)
{
    uint32_t number = slot / SLOTS_PER_CHUNK, place = slot % SLOTS_PER_CHUNK;
    struct slot_chunk *chunk = &pool->chunks[number];
    struct session_row *session = &chunk->sessions[place];

    assert(chunk->used > 0 && place < chunk->fresh);
    session->life = 0;
    session->next = chunk->released;
    chunk->released = place;
    if (chunk->used-- == SLOTS_PER_CHUNK)
        partial_add(pool, number);
    pool->used--;
    /* Keeps one empty chunk, so that one session that comes and goes does not map and unmap memory
     * each time. */
    if (chunk->used == 0 && ++pool->spare > 1)
        chunk_drop(pool, number);
}
