/* routers.h - asks routers, which keep the map of sessions: a ring over the living routers, and a
 * pipe to each of them. Main loop only.
 *
 * A request goes to the router that owns the uid on the present ring. It is answered exactly once,
 * never before the call returns. It is one attempt: callers that need more try again themselves. */
#ifndef IMC_LOGIC_ROUTER_ROUTERS_H
#define IMC_LOGIC_ROUTER_ROUTERS_H

#include "logic/base/logic.h"
#include "logic/router/router_answer.h"

struct routers *routers_open(struct logic *logic);
/* Membership's list of routers has changed: makes a new ring. Closes the pipes of routers that are
 * gone, whose requests get ROUTER_AWAY. */
void routers_update(struct routers *routers);
/* Requests without an answer get ROUTER_AWAY. NULL is fine. */
void routers_close(struct routers *routers);
/* ring_hash() of the routers that we see; 0: none is alive, or ROUTERS is NULL (closed). */
uint64_t routers_ring(const struct routers *routers);
size_t routers_count(const struct routers *routers);
/* How many of them answer, as far as we know. */
size_t routers_up(const struct routers *routers);

void router_put(struct routers *routers, const struct router_session *session, uint64_t timeout_ms,
                router_fn fn, void *arg);
void router_del(struct routers *routers, const struct router_session *session, router_fn fn,
                void *arg);
void router_lookup(struct routers *routers, int64_t uid, uint64_t timeout_ms, router_fn fn,
                   void *arg);

/* Goes to the router of the room. */
void router_room(struct routers *routers, const struct router_room *room, router_fn fn, void *arg);

/* The same for the number of sessions in ROOM, as router_answer.room_total. ROOM has to stay valid
 * until the answer. An older router, which knows no such question, counts as ROUTER_AWAY.
 * room_lists.h asks for several rooms. */
void router_total(struct routers *routers, const char *room, router_fn fn, void *arg);

/* Which rooms: of those whose names begin with PREFIX, the LIMIT ones with the most sessions, or
 * BY_NAME the first ones after the name AFTER. */
struct router_list {
    const char *prefix;
    uint32_t limit;
    bool by_name;
    const char *after;
};
/* Asks every router for such rooms of its own: each has others. Returns how often FN runs: once for
 * each router, or once if there is none. The texts have to stay valid until the last answer. An
 * older router, which does not list by name, counts as ROUTER_AWAY then. room_lists.h merges the
 * answers. */
size_t router_top(struct routers *routers, const struct router_list *list, router_fn fn, void *arg);

/* These go to every router. They return how many routers were asked; FN runs once for each. */
size_t router_registered(struct routers *routers, const struct router_session *comet, uint32_t loop,
                         uint32_t loops, router_fn fn, void *arg);
size_t router_forget(struct routers *routers, const char *comet, router_fn fn, void *arg);
enum router_count { ROUTER_COUNT_ROOMS, ROUTER_COUNT_COMETS };
size_t router_count(struct routers *routers, enum router_count what, router_fn fn, void *arg);

#endif
