/* completeness.h - does this router know where everybody is? The ring of the live routers, and
 * which loops of which comets have put all their sessions under it. Main loop only; no I/O.
 *
 *   complete = membership was read, and every comet that it shows has registered: with the epoch
 *              shown, all its loops, under the ring that this router sees now
 *
 * Until then an empty lookup means "don't know". A comet that lives and does not register holds
 * this up as long as its lease lives; registry_missing() says which. */
#ifndef IMC_ROUTER_COMPLETENESS_H
#define IMC_ROUTER_COMPLETENESS_H

#include "common/containers/ring.h"
#include "router/comet_lives.h"

struct registry {
    struct comet_lives *comets;
    struct ring *ring; /* NULL before routers were read */
    uint64_t hash;     /* ring_hash() of it; 0 = none */
    int self;          /* our node in it; -1 = we hold no lease that others see */
    bool ready;        /* membership has been read */
};

void registry_init(struct registry *registry, struct comet_lives *comets);
void registry_close(struct registry *registry);
/* The ring of LIST, for registry_set_ring(); freed by ring_free(). */
struct ring *registry_ring_of(const struct member_list *list);
/* Takes RING; LIST is what it was made of, SELF our id. All registrations are void. */
void registry_set_ring(struct registry *registry, struct ring *ring, const struct member_list *list,
                       const char *self);
/* False: the uid belongs to another router. True without a ring, or with one that lacks us. */
bool registry_owns(const struct registry *registry, int64_t uid);
/* Loop LOOP of LOOPS of COMET has put everything. -EINVAL for numbers that cannot be. */
int registry_loop(struct known_comet *comet, uint32_t loop, uint32_t loops);
/* True: this comet, if membership shows it, does not hold completeness up. */
bool registry_has(const struct known_comet *comet);
bool registry_complete(const struct registry *registry);
/* Comets that are missing; the first few, "comet-1 loops=0,2/4 comet-2 loops=all", into BUF. */
size_t registry_missing(const struct registry *registry, char *buf, size_t len);

#endif
