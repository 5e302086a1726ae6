/* routers.h - logic's side of the session map: a ring over the live routers, and per router a
 * pipe of batches.
 *
 * A request is one attempt: it goes to the router that owns the uid on the ring of this moment and
 * is answered exactly once, never before the call returns. Whoever wants to insist asks again. Main
 * loop only. */
#ifndef IMC_LOGIC_ROUTER_ROUTERS_H
#define IMC_LOGIC_ROUTER_ROUTERS_H

#include "logic/logic.h"
#include "proto/router.pb-c.h"

enum router_result {
    ROUTER_OK,
    ROUTER_MISMATCH, /* it sees another ring than we do: puts were not applied, a lookup proves
                        nothing */
    ROUTER_AWAY,     /* no router, or no answer in time; it may or may not have been carried out */
};

struct router_reply; /* a decoded MapReply, counted references */

struct router_answer {
    enum router_result result;
    uint64_t ring;     /* ring_hash() it was sent under */
    bool complete;     /* lookup: an empty answer means that nobody is there */
    uint32_t status;   /* put: PutStatus */
    size_t n_sessions; /* lookup; given whatever is known, also with ROUTER_MISMATCH */
    Imc__V1__Session **sessions;
    size_t n_counts; /* count */
    Imc__V1__Count **counts;
    struct router_reply
        *reply; /* keeps the two alive: take a reference to use them after the call. May be NULL */
};
typedef void (*router_fn)(void *arg, const struct router_answer *answer);

struct router_reply *router_reply_ref(struct router_reply *reply);
void router_reply_unref(struct router_reply *reply);

/* Strings are borrowed until the answer. */
struct router_session {
    const char *comet;
    uint64_t epoch, handle;
    int64_t uid;
    const char *key, *room;
    uint32_t max_sessions; /* put: refuse when the uid has as many others; 0 = no limit */
};

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
