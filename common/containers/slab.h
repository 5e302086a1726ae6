/* slab.h - allocates objects of one size from chunks, which go back to the system when they are
 * empty. Owner loop only.
 *
 * It is for objects of which there are a hundred thousand (connections, queue entries). Objects
 * have no headers, and the memory returns to the system after many disconnects. */
#ifndef IMC_COMMON_CONTAINERS_SLAB_H
#define IMC_COMMON_CONTAINERS_SLAB_H

#include <stddef.h>

struct slab;
/* SIZE is in bytes and rounded up to a multiple of 16. NAME is for the message that there is no
 * memory; it is not copied. */
struct slab *slab_open(const char *name, size_t size);
/* Zeroed. Never NULL. */
void *slab_alloc(struct slab *slab);
/* NULL is fine. */
void slab_free(struct slab *slab, void *object);
/* Every object must have been freed (asserted). */
void slab_close(struct slab *slab);
/* For tests: the bytes that the slab has from the system. */
size_t slab_reserved(const struct slab *slab);

#endif
