/* router_request.h - a request to a router, which gets exactly one answer. routers.c makes
 * requests, router_peer.c sends them. Main loop only.
 *
 *   request_new ─► waits in a queue, is under way in a batch ─┬─► finish: fn(answer), freed
 *                                                             └─ timer: fn(AWAY); finish frees */
#ifndef IMC_LOGIC_ROUTER_ROUTER_REQUEST_H
#define IMC_LOGIC_ROUTER_ROUTER_REQUEST_H

#include "common/base/list.h"
#include "common/containers/slab.h"
#include "common/containers/wheel.h"
#include "logic/base/logic.h"
#include "logic/router/router_answer.h"

enum router_kind {
    ROUTER_PUT,
    ROUTER_DEL,
    ROUTER_REGISTERED,
    ROUTER_LOOKUP,
    ROUTER_FORGET,
    ROUTER_ROOMS,
    ROUTER_COMETS,
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

#endif
