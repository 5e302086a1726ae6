/* completeness.h - does this router know all sessions of its uids? Knows the ring of the live
 * routers, and which loops of which comets have put all their sessions under it. Main loop only; no
 * I/O.
 *
 *   complete = membership was read, and every comet that it shows has registered: with the epoch
 *              shown, all its loops, under the ring that this router sees now
 *
 * Until then an empty lookup means "don't know". A comet that lives and does not register keeps the
 * router incomplete as long as its lease lives. completeness_missing() says which comet that is. */
#ifndef IMC_ROUTER_COMPLETENESS_H
#define IMC_ROUTER_COMPLETENESS_H

#include "common/containers/ring.h"
#include "router/comet_lives.h"

struct completeness {
    struct comet_lives *comets;
    struct ring *ring; /* NULL before routers were read */
    uint64_t hash;     /* ring_hash() of the ring; 0: there is none */
    int self;          /* our node in the ring; -1: we hold no lease that others see */
    bool ready;        /* membership has been read */
};

void completeness_init(struct completeness *completeness, struct comet_lives *comets);
void completeness_close(struct completeness *completeness);
/* Takes ownership of RING, which is member_list_ring() of LIST; SELF is our id. All registrations
 * become void. */
void completeness_set_ring(struct completeness *completeness, struct ring *ring,
                           const struct member_list *list, const char *self);
/* False: the uid belongs to another router. True if there is no ring, or if we are not in it. */
bool completeness_owns(const struct completeness *completeness, int64_t uid);
/* The same for a room's name. */
bool completeness_owns_room(const struct completeness *completeness, const char *room);
/* Loop LOOP of LOOPS of COMET has put all its sessions. -EINVAL: impossible numbers. */
int completeness_loop(struct known_comet *comet, uint32_t loop, uint32_t loops);
/* True if COMET has registered, or if membership does not show it. */
static inline bool completeness_has(const struct known_comet *comet)
{
    return comet->state != COMET_MEMBER ||
           (comet->loops != 0 && comet->loops_registered == comet->loops);
}

static inline bool completeness_is_reached(const struct completeness *completeness)
{
    if (!completeness->ready || completeness->hash == 0)
        return false;
    for (size_t i = 0; i < completeness->comets->n; i++)
        if (!completeness_has(completeness->comets->all[i]))
            return false;
    return true;
}
/* The number of comets that are missing. BUF gets the first few: "comet-1 loops=0,2/4 comet-2
 * loops=all". */
size_t completeness_missing(const struct completeness *completeness, char *buf, size_t len);

#endif
