/* slab.h - fixed-size objects from chunks that go back to the system when they are empty. Owner
 * loop only.
 *
 * For what exists a hundred thousand times (connections, queue entries): no header per object, and
 * after a mass disconnect the memory returns. */
#ifndef IMC_COMMON_CONTAINERS_SLAB_H
#define IMC_COMMON_CONTAINERS_SLAB_H

#include <stddef.h>

struct slab;
/* SIZE in bytes, rounded up to 16. NAME is kept, for statistics. */
struct slab *slab_open(const char *name, size_t size);
/* Zeroed. Never NULL. */
void *slab_alloc(struct slab *slab);
/* NULL is fine. */
void slab_free(struct slab *slab, void *object);
size_t slab_used(const struct slab *slab);     /* objects */
size_t slab_reserved(const struct slab *slab); /* bytes held from the system */
/* Every object must have been freed (asserted). */
void slab_close(struct slab *slab);

#endif
