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

void session_pool_init(struct session_pool *slots)
{
    *slots = (struct session_pool){.partial = SLOT_NONE, .vacant = SLOT_NONE};
}

void session_pool_close(struct session_pool *slots)
{
    for (uint32_t i = 0; i < slots->n_chunks; i++)
        if (slots->chunks[i].sessions != NULL)
            munmap(slots->chunks[i].sessions, CHUNK_BYTES);
    free(slots->chunks);
    session_pool_init(slots);
}

static void partial_add(struct session_pool *slots, uint32_t number)
{
    struct slot_chunk *chunk = &slots->chunks[number];

    chunk->prev = SLOT_NONE;
    chunk->next = slots->partial;
    if (slots->partial != SLOT_NONE)
        slots->chunks[slots->partial].prev = number;
    slots->partial = number;
}

static void partial_remove(struct session_pool *slots, uint32_t number)
{
    struct slot_chunk *chunk = &slots->chunks[number];

    if (chunk->prev != SLOT_NONE)
        slots->chunks[chunk->prev].next = chunk->next;
    else
        slots->partial = chunk->next;
    if (chunk->next != SLOT_NONE)
        slots->chunks[chunk->next].prev = chunk->prev;
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

static bool chunk_add(struct session_pool *slots)
{
    uint32_t number = slots->vacant;

    if (number != SLOT_NONE) {
        slots->vacant = slots->chunks[number].next;
    } else {
        if (slots->n_chunks == CHUNKS_MAX)
            return false;
        ARRAY_ROOM(slots->chunks, slots->n_chunks, slots->capacity, 16);
        number = slots->n_chunks++;
    }
    slots->chunks[number] = (struct slot_chunk){.sessions = chunk_map(), .released = SLOT_NONE};
    slots->bytes += CHUNK_BYTES;
    slots->spare++;
    partial_add(slots, number);
    return true;
}

uint32_t session_pool_take(struct session_pool *slots)
{
    if (slots->partial == SLOT_NONE && !chunk_add(slots))
        return SLOT_NONE;
    uint32_t number = slots->partial;
    struct slot_chunk *chunk = &slots->chunks[number];
    uint32_t place = chunk->released;

    if (place != SLOT_NONE)
        chunk->released = chunk->sessions[place].next;
    else
        place = chunk->fresh++;
    if (chunk->used++ == 0)
        slots->spare--;
    if (chunk->used == SLOTS_PER_CHUNK)
        partial_remove(slots, number);
    slots->used++;
    return number * SLOTS_PER_CHUNK + place;
}

static void chunk_drop(struct session_pool *slots, uint32_t number)
{
    struct slot_chunk *chunk = &slots->chunks[number];

    partial_remove(slots, number);
    munmap(chunk->sessions, CHUNK_BYTES);
    slots->bytes -= CHUNK_BYTES;
    slots->spare--;
    *chunk = (struct slot_chunk){.next = slots->vacant};
    slots->vacant = number;
}

void session_pool_release(struct session_pool *slots, uint32_t slot)
{
    uint32_t number = slot / SLOTS_PER_CHUNK, place = slot % SLOTS_PER_CHUNK;
    struct slot_chunk *chunk = &slots->chunks[number];
    struct session_row *session = &chunk->sessions[place];

    assert(chunk->used > 0 && place < chunk->fresh);
    session->life = 0;
    session->next = chunk->released;
    chunk->released = place;
    if (chunk->used-- == SLOTS_PER_CHUNK)
        partial_add(slots, number);
    slots->used--;
    /* Keeps one empty chunk, so that one session that comes and goes does not map and unmap memory
     * each time. */
    if (chunk->used == 0 && ++slots->spare > 1)
        chunk_drop(slots, number);
}
