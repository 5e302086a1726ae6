/* mem.h - allocation that cannot fail (the process aborts), and a bump arena for decoded batches.
 * Any thread. */
#ifndef IMC_COMMON_BASE_MEM_H
#define IMC_COMMON_BASE_MEM_H

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

_Noreturn void mem_out_of_memory(size_t size);

static inline void *mem_checked(void *ptr, size_t size)
{
    if (ptr == NULL && size > 0)
        mem_out_of_memory(size);
    return ptr;
}

static inline void *mem_alloc(size_t size)
{
    return mem_checked(malloc(size), size);
}

static inline void *mem_zalloc(size_t size)
{
    return mem_checked(calloc(1, size), size);
}

static inline void *mem_realloc(void *ptr, size_t size)
{
    return mem_checked(realloc(ptr, size), size);
}

char *mem_strdup(const char *s);
char *mem_strndup(const char *s, size_t n);

/* For what may have held a key or a token: its first LEN bytes are overwritten before they go. */
void *mem_wiped_realloc(void *ptr, size_t len, size_t size);
void mem_wiped_free(void *ptr, size_t len);
/* Of a string, all of it. NULL is fine. */
void mem_wiped_free_text(char *text);

/* For libraries that declare what they only read as writable. */
static inline void *mem_unconst(const void *ptr)
{
    union {
        const void *read;
        void *written;
    } both = {.read = ptr};
    return both.written;
}

/* Everything allocated from an arena goes at once, with arena_free(). Not shared between threads
 * while it grows. */
struct arena_chunk;
struct arena {
    struct arena_chunk *chunks;
    char *at, *end;
    size_t bytes; /* of its chunks */
    size_t
        limit; /* 0, or: arena_allocator() gives nothing that would need more BYTES, see unpack.h */
    bool refused; /* it gave nothing once */
};

static inline void arena_init(struct arena *arena)
{
    *arena = (struct arena){0};
}

/* Aligned to 16; never NULL. */
void *arena_alloc(struct arena *arena, size_t size);
void arena_free(struct arena *arena);
/* The same; what was in it is overwritten first. */
void arena_wipe(struct arena *arena);
/* For imc__v1__…__unpack(&allocator, …): the message lives in the arena, so never call
 * …__free_unpacked(). */
ProtobufCAllocator arena_allocator(struct arena *arena);

/* Much memory was used for something that does not last, such as an attack. Any thread, cheap. */
void mem_trim_soon(void);
/* Gives free memory back to the kernel if that was said, and not within the last WAIT_MS: which may
 * take milliseconds and is worth it once things are quiet. True if it did. */
bool mem_trim(uint64_t now_ms, uint64_t wait_ms);

#endif
