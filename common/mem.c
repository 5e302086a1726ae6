#include "common/mem.h"
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *mem_checked(void *ptr, size_t size)
{
    if (ptr != NULL || size == 0)
        return ptr;
    fprintf(stderr, "out of memory: %zu bytes wanted\n", size);
    abort();
}

void *mem_alloc(size_t size)
{
    return mem_checked(malloc(size), size);
}

void *mem_zalloc(size_t size)
{
    return mem_checked(calloc(1, size), size);
}

void *mem_realloc(void *ptr, size_t size)
{
    return mem_checked(realloc(ptr, size), size);
}

char *mem_strdup(const char *s)
{
    return mem_checked(strdup(s), 1);
}

char *mem_strndup(const char *s, size_t n)
{
    return mem_checked(strndup(s, n), 1);
}

void *mem_wiped_realloc(void *ptr, size_t len, size_t size)
{
    void *moved = mem_alloc(size);

    if (len > 0)
        memcpy(moved, ptr, len);
    mem_wiped_free(ptr, len);
    return moved;
}

void mem_wiped_free(void *ptr, size_t len)
{
    if (ptr != NULL)
        explicit_bzero(ptr, len);
    free(ptr);
}

/* Chunks grow with what the arena holds, so that a small batch costs one small malloc and a large
 * one few. */
struct arena_chunk {
    struct arena_chunk *next;
    size_t size;
};

enum { ARENA_FIRST = 4096, ARENA_LARGEST = 1 << 20, ARENA_HEADER = 16 };

void arena_init(struct arena *arena)
{
    *arena = (struct arena){0};
}

static void arena_grow(struct arena *arena, size_t size)
{
    size_t want = arena->chunks == NULL ? ARENA_FIRST : arena->chunks->size * 2;

    if (want > ARENA_LARGEST)
        want = ARENA_LARGEST;
    if (want < size + ARENA_HEADER)
        want = size + ARENA_HEADER;
    struct arena_chunk *chunk = mem_alloc(want);
    chunk->next = arena->chunks;
    chunk->size = want;
    arena->chunks = chunk;
    arena->at = (char *)chunk + ARENA_HEADER;
    arena->end = (char *)chunk + want;
}

void *arena_alloc(struct arena *arena, size_t size)
{
    size = (size + 15) & ~(size_t)15;
    if (arena->at == NULL || (size_t)(arena->end - arena->at) < size)
        arena_grow(arena, size);
    void *ptr = arena->at;
    arena->at += size;
    return ptr;
}

void arena_free(struct arena *arena)
{
    while (arena->chunks != NULL) {
        struct arena_chunk *next = arena->chunks->next;
        free(arena->chunks);
        arena->chunks = next;
    }
    arena_init(arena);
}

void arena_wipe(struct arena *arena)
{
    for (struct arena_chunk *chunk = arena->chunks; chunk != NULL; chunk = chunk->next) {
        char *begin = (char *)chunk + ARENA_HEADER, *end = (char *)chunk + chunk->size;
        explicit_bzero(begin, (size_t)((chunk == arena->chunks ? arena->at : end) - begin));
    }
    arena_free(arena);
}

static void *arena_pb_alloc(void *data, size_t size)
{
    return arena_alloc(data, size);
}

static void arena_pb_free(void *data, void *ptr)
{
    /* The arena frees everything at once. */
    (void)data;
    (void)ptr;
}

ProtobufCAllocator arena_allocator(struct arena *arena)
{
    return (ProtobufCAllocator){
        .alloc = arena_pb_alloc, .free = arena_pb_free, .allocator_data = arena};
}
