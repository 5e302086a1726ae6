/* router_peer.h - one router: its pipe, and the requests that wait for it or are under way. It
 * packs batches and takes replies apart. Only routers.c uses it. Main loop, except the decoding.
 *
 * A request gets exactly one answer:
 *
 *   request_new ─► waits in a queue, is under way in a batch ─┬─► finish: fn(answer), freed
 *                                                             └─ timer: fn(AWAY); finish frees */
#ifndef IMC_LOGIC_ROUTER_ROUTER_PEER_H
#define IMC_LOGIC_ROUTER_ROUTER_PEER_H

#include "common/base/list.h"
#include "common/containers/slab.h"
#include "common/containers/wheel.h"
#include "common/rpc/pipe.h"
#include "logic/base/logic.h"
#include "logic/router/router_answer.h"

/* --- requests --- */

enum router_kind {
    ROUTER_PUT,
    ROUTER_DEL,
    ROUTER_REGISTERED,
    ROUTER_ROOM,
    ROUTER_LOOKUP,
    ROUTER_FORGET,
    ROUTER_ROOMS,
    ROUTER_COMETS,
    ROUTER_TOP,
    ROUTER_TOTAL,
};

/* What all requests and peers share. */
struct router_requests {
    struct logic *logic;
    uint64_t ring; /* ring_hash() of the routers that we see */
    struct wheel *wheel;
    struct slab *slab;
};

struct router_request {
    STAILQ_ENTRY(router_request) next;
    struct wheel_timer timer;
    struct router_requests *of;
    enum router_kind kind;
    router_fn fn; /* NULL: it has timed out and was answered; it is freed when its batch ends */
    void *arg;
    struct router_session session; /* valid while fn != NULL */
    uint32_t loop, loops;
    uint32_t members; /* ROUTER_ROOM, with session.room and loop */
    uint64_t number;
    bool foreign;
    uint32_t limit; /* ROUTER_TOP: rooms in the list; session.room is what their names begin with */
    bool by_name;   /* ROUTER_TOP: by name, after session.key */
};

void router_requests_open(struct router_requests *requests, struct logic *logic);
/* Stops all timers. Each request stays until its router_request_finish(). */
void router_requests_stop(struct router_requests *requests);
/* Call it after the last request was finished. */
void router_requests_close(struct router_requests *requests);

struct router_request *router_request_new(struct router_requests *requests, enum router_kind kind,
                                          router_fn fn, void *arg);
/* Answers REQUEST, if it was not answered yet, and frees it. */
void router_request_finish(struct router_request *request, const struct router_answer *answer);

struct router_queue {
    STAILQ_HEAD(, router_request) list;
    size_t n;
};

static inline void router_queue_init(struct router_queue *queue)
{
    STAILQ_INIT(&queue->list);
    queue->n = 0;
}

static inline void router_queue_add(struct router_queue *queue, struct router_request *request)
{
    STAILQ_INSERT_TAIL(&queue->list, request, next);
    queue->n++;
}

static inline struct router_request *router_queue_take(struct router_queue *queue)
{
    struct router_request *request = STAILQ_TAKE(&queue->list, next);

    queue->n -= request != NULL;
    return request;
}

/* Moves all of FROM behind what is in QUEUE. */
static inline void router_queue_move(struct router_queue *queue, struct router_queue *from)
{
    STAILQ_CONCAT(&queue->list, &from->list);
    queue->n += from->n;
    from->n = 0;
}

/* --- a router --- */

struct router_peer {
    struct router_requests *requests;
    char id[64], address[128];
    struct pipe *pipe;
    struct router_queue waiting;
    bool live; /* only used within routers_update() */
};

struct router_peer *router_peer_open(struct router_requests *requests, const struct member *member);
/* MEMBER is the same router, perhaps with a new epoch: new streams are for that. */
void router_peer_want(struct router_peer *peer, const struct member *member);
/* Requests without an answer get ROUTER_AWAY. */
void router_peer_close(struct router_peer *peer);
/* False: its stream is broken or could not be opened. */
bool router_peer_is_up(const struct router_peer *peer);
/* Queues REQUEST. False: the router is away, and REQUEST is still the caller's. */
bool router_peer_submit(struct router_peer *peer, struct router_request *request);

#endif
