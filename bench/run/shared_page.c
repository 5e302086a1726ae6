#include "bench/run/shared_page.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

static size_t size_for(size_t streams)
{
    return sizeof(struct shared) + streams * sizeof(uint32_t);
}

/* The memory is zeroed, and only what is written takes memory. */
static void *map_shared(size_t size)
{
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    if (memory == MAP_FAILED)
        abort();
    return memory;
}

struct shared *shared_open(const size_t streams[STREAM_KINDS], bool numbered)
{
    size_t first[STREAM_KINDS], total = 0;
    struct shared *shared;

    for (int kind = 0; kind < STREAM_KINDS; kind++) {
        first[kind] = total;
        total += streams[kind];
    }
    shared = map_shared(size_for(total));
    if (numbered)
        shared->due_ns = map_shared(NUMBERED_MAX * sizeof shared->due_ns[0]);
    shared->streams = total;
    for (int kind = 0; kind < STREAM_KINDS; kind++)
        shared->first_of_kind[kind] = first[kind];
    return shared;
}

void shared_close(struct shared *shared)
{
    if (shared == NULL)
        return;
    if (shared->due_ns != NULL)
        munmap(shared->due_ns, NUMBERED_MAX * sizeof shared->due_ns[0]);
    munmap(shared, size_for(shared->streams));
}

void shared_fail(struct shared *shared, const char *what)
{
    uint64_t none = 0;

    if (!atomic_compare_exchange_strong_explicit(&shared->failed, &none, 1, memory_order_acq_rel,
                                                 memory_order_acquire))
        return;
    snprintf(shared->failure, sizeof shared->failure, "%s", what);
    shared_set(&shared->failed, 2);
}
