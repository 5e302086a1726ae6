/* A chunk is aligned to its size. So masking an object's address gives its chunk:
 *
 *   chunk (64 KiB)  │ header │ object │ object │ … │ never used yet │
 *                                └── free: next free ──►
 *
 * A chunk with free objects is in one of four lists, by how full it is. slab_alloc() takes from the
 * fullest chunks, so that the emptiest can become empty and go back to the system. One empty chunk
 * is kept. Otherwise one object that comes and goes could map and unmap a chunk each time. */
#include "common/containers/slab.h"
#include "common/base/mem.h"

#include <assert.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#if defined(__SANITIZE_ADDRESS__)
#define SLAB_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SLAB_ASAN 1
#endif
#endif
#ifdef SLAB_ASAN
#include <sanitizer/asan_interface.h> /* so that ASan finds use after slab_free() */
#else
#define ASAN_POISON_MEMORY_REGION(addr, size)   ((void)(addr), (void)(size))
#define ASAN_UNPOISON_MEMORY_REGION(addr, size) ((void)(addr), (void)(size))
#endif

enum {
    CHUNK_MIN = 64 * 1024,
    OBJECTS_MIN = 8, /* a chunk has at least so many objects: larger ones need larger chunks */
    HEADER = 64,
    CLASSES = 4, /* lists of chunks, by quarters of fullness; a full chunk is in none */
};

struct slab_object {
    struct slab_object *next;
};

struct slab_chunk {
    struct slab *slab; /* slab_free() checks that the object belongs to this slab */
    struct slab_chunk *next, **prev;
    struct slab_object *free;
    uint32_t used, fresh; /* USED: objects in use now. FRESH: objects from here on were never
                           * used */
    uint32_t quarter;
};

_Static_assert(sizeof(struct slab_chunk) <= HEADER, "chunk header");

struct slab {
    const char *name;
    size_t size, chunk_size;
    uint32_t capacity; /* objects per chunk */
    size_t used, chunks;
    struct slab_chunk *spare;
    struct slab_chunk *lists[CLASSES];
};

struct slab *slab_open(const char *name, size_t size)
{
    assert(size > 0);
    struct slab *slab = mem_zalloc(sizeof *slab);
    slab->name = name;
    slab->size = (size + 15) & ~(size_t)15;
    slab->chunk_size = CHUNK_MIN;
    while ((slab->chunk_size - HEADER) / slab->size < OBJECTS_MIN)
        slab->chunk_size *= 2;
    slab->capacity = (uint32_t)((slab->chunk_size - HEADER) / slab->size);
    return slab;
}

static void *map_pages(const struct slab *slab, size_t size)
{
    void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED) {
        (void)fprintf(stderr, "out of memory: slab %s, %zu bytes\n", slab->name, size);
        abort();
    }
    return p;
}

/* The kernel mostly maps chunks side by side. So, after the first one, a plain mmap() is usually
 * aligned already, and neighbours count as one mapping. */
static void *map_aligned(const struct slab *slab)
{
    size_t size = slab->chunk_size;
    char *p = map_pages(slab, size);
    if (((uintptr_t)p & (size - 1)) == 0)
        return p;
    munmap(p, size);
    p = map_pages(slab, size * 2);
    size_t before = (size - ((uintptr_t)p & (size - 1))) & (size - 1);
    if (before > 0)
        munmap(p, before);
    munmap(p + before + size, size - before);
    return p + before;
}

static struct slab_chunk *chunk_new(struct slab *slab)
{
    struct slab_chunk *chunk = map_aligned(slab);
    chunk->slab = slab;
    ASAN_POISON_MEMORY_REGION((char *)chunk + HEADER, slab->chunk_size - HEADER);
    slab->chunks++;
    return chunk;
}

static void chunk_free(struct slab *slab, struct slab_chunk *chunk)
{
    ASAN_UNPOISON_MEMORY_REGION(chunk, slab->chunk_size);
    munmap(chunk, slab->chunk_size);
    slab->chunks--;
}

static void chunk_unlink(struct slab_chunk *chunk)
{
    if (chunk->prev == NULL)
        return;
    *chunk->prev = chunk->next;
    if (chunk->next != NULL)
        chunk->next->prev = chunk->prev;
    chunk->prev = NULL;
}

/* Puts CHUNK into the list for its number of used objects. */
static void chunk_file(struct slab *slab, struct slab_chunk *chunk)
{
    uint32_t quarter = chunk->used * CLASSES / slab->capacity;
    if (chunk->prev != NULL && chunk->quarter == quarter)
        return;
    chunk_unlink(chunk);
    if (chunk->used == slab->capacity)
        return;
    chunk->quarter = quarter;
    chunk->next = slab->lists[quarter];
    chunk->prev = &slab->lists[quarter];
    if (chunk->next != NULL)
        chunk->next->prev = &chunk->next;
    slab->lists[quarter] = chunk;
}

static struct slab_chunk *chunk_with_room(struct slab *slab)
{
    for (int quarter = CLASSES - 1; quarter >= 0; quarter--) {
        if (slab->lists[quarter] != NULL)
            return slab->lists[quarter];
    }
    struct slab_chunk *chunk = slab->spare;
    slab->spare = NULL;
    return chunk != NULL ? chunk : chunk_new(slab);
}

void *slab_alloc(struct slab *slab)
{
    struct slab_chunk *chunk = chunk_with_room(slab);
    struct slab_object *object = chunk->free;
    if (object != NULL) {
        ASAN_UNPOISON_MEMORY_REGION(object, slab->size);
        chunk->free = object->next;
        memset(object, 0, slab->size);
    } else { /* never used: the system has zeroed it */
        object = (struct slab_object *)(void *)((char *)chunk + HEADER + chunk->fresh * slab->size);
        ASAN_UNPOISON_MEMORY_REGION(object, slab->size);
        chunk->fresh++;
    }
    chunk->used++;
    slab->used++;
    chunk_file(slab, chunk);
    return object;
}

void slab_free(struct slab *slab, void *object)
{
    if (object == NULL)
        return;
    struct slab_object *freed = object;
    size_t offset = (uintptr_t)object & (slab->chunk_size - 1);
    struct slab_chunk *chunk = (struct slab_chunk *)(void *)((char *)object - offset);
    assert(chunk->slab == slab && chunk->used > 0);
    freed->next = chunk->free;
    chunk->free = freed;
    ASAN_POISON_MEMORY_REGION(object, slab->size);
    chunk->used--;
    slab->used--;
    if (chunk->used > 0) {
        chunk_file(slab, chunk);
        return;
    }
    chunk_unlink(chunk);
    if (slab->spare == NULL)
        slab->spare = chunk;
    else
        chunk_free(slab, chunk);
}

size_t slab_reserved(const struct slab *slab)
{
    return slab->chunks * slab->chunk_size;
}

void slab_close(struct slab *slab)
{
    if (slab == NULL)
        return;
    assert(slab->used == 0);
    if (slab->spare != NULL)
        chunk_free(slab, slab->spare);
    assert(slab->chunks == 0);
    free(slab);
}
