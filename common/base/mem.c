#include "common/base/mem.h"
#include <malloc.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void mem_out_of_memory(size_t size)
{
    fprintf(stderr, "out of memory: %zu bytes wanted\n", size);
    abort();
}

char *mem_strdup(const char *s)
{
    return mem_checked(strdup(s), 1);
}

char *mem_strndup(const char *s, size_t n)
{
    char *copy = mem_alloc(n + 1);

    if (n > 0) /* S may be NULL then */
        memcpy(copy, s, n);
    copy[n] = '\0';
    return copy;
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

void mem_wiped_free_text(char *text)
{
    mem_wiped_free(text, text != NULL ? strlen(text) : 0);
}

void mem_wiped_free_whole(void *ptr)
{
    mem_wiped_free(ptr, malloc_usable_size(ptr)); /* 0 for NULL */
}

/* Chunks grow with what the arena holds. So a small batch costs one small malloc, and a large batch
 * only a few. */
struct arena_chunk {
    struct arena_chunk *next;
    size_t size;
};

enum { ARENA_FIRST = 4096, ARENA_LARGEST = 1 << 20, ARENA_HEADER = 16 };

/* The size of the next chunk, which has to hold at least SIZE bytes. */
static size_t arena_next(const struct arena *arena, size_t size)
{
    size_t want = arena->chunks == NULL ? ARENA_FIRST : arena->chunks->size * 2;

    if (want > ARENA_LARGEST)
        want = ARENA_LARGEST;
    return want < size + ARENA_HEADER ? size + ARENA_HEADER : want;
}

static bool arena_has(const struct arena *arena, size_t size)
{
    return arena->at != NULL && (size_t)(arena->end - arena->at) >= size;
}

static void arena_grow(struct arena *arena, size_t size)
{
    size_t want = arena_next(arena, size);
    struct arena_chunk *chunk = mem_alloc(want);
    chunk->next = arena->chunks;
    chunk->size = want;
    arena->chunks = chunk;
    arena->at = (char *)chunk + ARENA_HEADER;
    arena->end = (char *)chunk + want;
    arena->bytes += want;
}

static size_t arena_round(size_t size)
{
    return (size + 15) & ~(size_t)15;
}

void *arena_alloc(struct arena *arena, size_t size)
{
    size = arena_round(size);
    if (!arena_has(arena, size))
        arena_grow(arena, size);
    void *ptr = arena->at;
    arena->at += size;
    return ptr;
}

char *arena_strndup(struct arena *arena, const char *text, size_t n)
{
    char *copy = arena_alloc(arena, n + 1);

    if (n > 0)
        memcpy(copy, text, n);
    copy[n] = '\0';
    return copy;
}

char *arena_strdup(struct arena *arena, const char *text)
{
    return arena_strndup(arena, text, strlen(text));
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
    struct arena *arena = data;

    if (arena->limit > 0 && !arena_has(arena, arena_round(size)) &&
        (size > arena->limit ||
         arena->bytes + arena_next(arena, arena_round(size)) > arena->limit)) {
        arena->refused = true;
        return NULL;
    }
    return arena_alloc(arena, size);
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

/* ── giving back ── */

static _Atomic bool trim_wanted;
static uint64_t trim_since_ms; /* only of the thread that trims: when it saw the last request */

void mem_trim_soon(void)
{
    atomic_store_explicit(&trim_wanted, true, memory_order_relaxed);
}

bool mem_trim(uint64_t now_ms, uint64_t wait_ms)
{
    if (atomic_exchange_explicit(&trim_wanted, false, memory_order_relaxed))
        trim_since_ms = now_ms > 0 ? now_ms : 1;
    if (trim_since_ms == 0 || now_ms - trim_since_ms < wait_ms)
        return false;
    trim_since_ms = 0;
    malloc_trim(0);
    return true;
}
