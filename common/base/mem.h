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
    /* NOLINTNEXTLINE(clang-analyzer-optin.portability.UnixAPI): whatever malloc(0) gives is fine */
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
/* A copy of all N bytes, and a NUL behind them. Unlike strndup() it does not end at a NUL within,
 * so that it has the length that the caller knows. */
char *mem_strndup(const char *s, size_t n);

/* For memory that may hold a key or a token: its first LEN bytes are overwritten before it is freed
 * or moved. */
void *mem_wiped_realloc(void *ptr, size_t len, size_t size);
void mem_wiped_free(void *ptr, size_t len);
/* Overwrites and frees a string. NULL is fine. */
void mem_wiped_free_text(char *text);
/* Overwrites and frees all of what malloc() gave, for a library that does not say how much that is.
 * NULL is fine. */
void mem_wiped_free_whole(void *ptr);

/* PTR without its const, for a library that only reads but does not declare so. */
static inline void *mem_unconst(const void *ptr)
{
    union {
        const void *read;
        void *written;
    } both = {.read = ptr};
    return both.written;
}

/* arena_free() frees everything that was allocated from an arena at once. Only one thread may
 * allocate from it. */
struct arena_chunk;
struct arena {
    struct arena_chunk *chunks;
    char *at, *end;
    size_t bytes; /* of all chunks */
    /* 0, or arena_allocator() returns NULL where BYTES would grow beyond it: see unpack.h */
    size_t limit;
    bool refused; /* the allocator returned NULL once, because of LIMIT */
};

static inline void arena_init(struct arena *arena)
{
    *arena = (struct arena){0};
}

/* As arena_init(), but the first SIZE bytes are taken from ROOM, which is aligned to 16 bytes and
 * stays the caller's. They do not count in BYTES, and arena_wipe() leaves them. */
static inline void arena_init_in(struct arena *arena, void *room, size_t size)
{
    *arena = (struct arena){.at = room, .end = (char *)room + size};
}
/* Aligned to 16; never NULL. */
void *arena_alloc(struct arena *arena, size_t size);
/* A copy of N bytes, and a NUL behind them. TEXT may be NULL if N is 0. */
char *arena_strndup(struct arena *arena, const char *text, size_t n);
char *arena_strdup(struct arena *arena, const char *text);
void arena_free(struct arena *arena);
/* As arena_free(), but overwrites all contents first. */
void arena_wipe(struct arena *arena);
/* For imc__v1__…__unpack(&allocator, …). The message lives in the arena: never call
 * …__free_unpacked(). */
ProtobufCAllocator arena_allocator(struct arena *arena);

/* Asks for a mem_trim(), after much memory was used for something short, such as an attack. Cheap.
 * Any thread. */
void mem_trim_soon(void);
/* Gives free memory back to the kernel. Does so only if mem_trim_soon() was called, but not within
 * the last WAIT_MS: trimming may take milliseconds and is worth it only once things are quiet. True
 * if it was done. */
bool mem_trim(uint64_t now_ms, uint64_t wait_ms);

#endif
