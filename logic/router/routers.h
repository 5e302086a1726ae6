/* routers.h - logic's side of the session map: a ring over the live routers, and per router a
 * pipe of batches.
 *
 * A request is one attempt: it goes to the router that owns the uid on the ring of this moment and
 * is answered exactly once, never before the call returns. Whoever wants to insist asks again. Main
 * loop only. */
#ifndef IMC_LOGIC_ROUTER_ROUTERS_H
#define IMC_LOGIC_ROUTER_ROUTERS_H

#include "logic/base/logic.h"
#include "logic/router/router_answer.h"

struct routers *routers_open(struct logic *logic);
/* The membership's list of routers changed: a new ring; pipes of those that went are closed
 * (ROUTER_AWAY). */
void routers_update(struct routers *routers);
/* What is unanswered gets ROUTER_AWAY. NULL is fine. */
void routers_close(struct routers *routers);
/* Of the routers as we see them; 0 = none is alive (or ROUTERS is NULL: closed). */
uint64_t routers_ring(const struct routers *routers);
size_t routers_count(const struct routers *routers);
/* Of these, those that answer, as far as is known. */
size_t routers_up(const struct routers *routers);

void router_put(struct routers *routers, const struct router_session *session, uint64_t timeout_ms,
                router_fn fn, void *arg);
void router_del(struct routers *routers, const struct router_session *session, router_fn fn,
                void *arg);
void router_lookup(struct routers *routers, int64_t uid, uint64_t timeout_ms, router_fn fn,
                   void *arg);

/* To every router; FN runs once per router. The number of routers asked. */
size_t router_registered(struct routers *routers, const struct router_session *comet, uint32_t loop,
                         uint32_t loops, router_fn fn, void *arg);
size_t router_forget(struct routers *routers, const char *comet, router_fn fn, void *arg);
enum router_count { ROUTER_COUNT_ROOMS, ROUTER_COUNT_COMETS };
size_t router_count(struct routers *routers, enum router_count what, router_fn fn, void *arg);

#endif
