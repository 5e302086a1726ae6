/* session_pool.h - the sessions of the map: 32 bytes each, named by 32-bit numbers, in chunks that
 * go back to the system when they are empty. Main loop only.
 *
 *   chunks ─► [0] 4096 sessions   slot number = chunk * 4096 + place in the chunk
 *             [1] (no memory)     sessions never move: a number is valid until
 *             [2] 4096 sessions   session_pool_release() */
#ifndef IMC_ROUTER_SESSION_POOL_H
#define IMC_ROUTER_SESSION_POOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SLOT_NONE UINT32_MAX
enum { SLOTS_PER_CHUNK = 4096 };

struct session_row {
    int64_t uid;
    uint64_t handle;
    uint32_t next;  /* the next in the chain of its bucket, or of the released slots of its chunk */
    uint32_t room;  /* interned_strings.h, 0 = none */
    uint32_t key;   /* likewise */
    uint16_t life;  /* comet_lives.h; 0: this slot holds no session */
    uint16_t acked; /* 1: an acknowledged session */
};
_Static_assert(sizeof(struct session_row) == 32,
               "a session is what the memory of the map consists of");

struct slot_chunk {
    struct session_row *sessions; /* NULL: no memory */
    uint32_t used;
    uint32_t fresh;      /* the first slot that was never used */
    uint32_t released;   /* list of released slots, by place */
    uint32_t prev, next; /* in the list of chunks with room, or (next) of those without memory */
};

struct session_pool {
    struct slot_chunk *chunks;
    uint32_t n_chunks, capacity;
    uint32_t partial; /* list of chunks with room */
    uint32_t vacant;  /* list of chunks without memory */
    uint32_t spare;   /* chunks with memory and without sessions; at most one is kept */
    size_t used;
    size_t bytes; /* bytes of memory taken from the system */
};

void session_pool_init(struct session_pool *pool);
void session_pool_close(struct session_pool *pool);
/* Takes a slot, whose content is not defined; SLOT_NONE: the numbers have run out. */
uint32_t session_pool_take(struct session_pool *pool);
void session_pool_release(struct session_pool *pool, uint32_t slot);

static inline struct session_row *session_pool_at(const struct session_pool *pool, uint32_t slot)
{
    return &pool->chunks[slot / SLOTS_PER_CHUNK].sessions[slot % SLOTS_PER_CHUNK];
}

#endif
