/* session_pool.h - the sessions of the map: 32 bytes each, named by 32-bit numbers, in chunks that
 * go back to the system when they are empty. Main loop only.
 *
 *   chunks ─► [0] 4096 sessions   slot number = chunk * 4096 + place in it
 *             [1] (no memory)     a number stays valid until session_pool_release(), nothing ever moves
 *             [2] 4096 sessions */
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
    uint32_t next;   /* in the chain of its bucket; in the list of released slots of its chunk */
    uint32_t room;   /* interned_strings.h, 0 = none */
    uint32_t key;    /* likewise */
    uint16_t life;   /* comet_lives.h; 0 = this slot holds no session */
    uint16_t unused; /* flags of sessions will go here */
};
_Static_assert(sizeof(struct session_row) == 32,
               "a session is what the memory of the map consists of");

struct slot_chunk {
    struct session_row *sessions; /* NULL: no memory */
    uint32_t used;
    uint32_t fresh;      /* slots from here on were never used */
    uint32_t released;   /* list of released slots, by place */
    uint32_t prev, next; /* in the list of chunks with room, or (next) of those without memory */
};

struct session_pool {
    struct slot_chunk *chunks;
    uint32_t n_chunks, capacity;
    uint32_t partial; /* list of chunks with room */
    uint32_t vacant;  /* list of chunks without memory */
    uint32_t spare;   /* chunks with memory and no session in them; more than one is given back */
    size_t used;
    size_t bytes; /* held from the system */
};

void session_pool_init(struct session_pool *slots);
void session_pool_close(struct session_pool *slots);
/* SLOT_NONE when the numbers have run out. The slot's content is not defined. */
uint32_t session_pool_take(struct session_pool *slots);
void session_pool_release(struct session_pool *slots, uint32_t slot);

static inline struct session_row *session_pool_at(const struct session_pool *slots, uint32_t slot)
{
    return &slots->chunks[slot / SLOTS_PER_CHUNK].sessions[slot % SLOTS_PER_CHUNK];
}

#endif
