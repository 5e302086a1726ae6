/* router_peer.h - one router: its pipe, what waits for it, and how a batch is packed and its answer
 * taken apart. routers.c is the only user. Main loop, except the decoding. */
#ifndef IMC_LOGIC_ROUTER_ROUTER_PEER_H
#define IMC_LOGIC_ROUTER_ROUTER_PEER_H

#include "common/rpc/pipe.h"
#include "logic/router/routers.h"

enum router_kind {
    ROUTER_PUT,
    ROUTER_DEL,
    ROUTER_REGISTERED,
    ROUTER_LOOKUP,
    ROUTER_FORGET,
    ROUTER_ROOMS,
    ROUTER_COMETS,
};

struct router_request {
    struct router_request *next;
    struct wheel_timer timer;
    struct routers *routers;
    enum router_kind kind;
    router_fn fn; /* NULL: was answered (it timed out), only the memory is waited for */
    void *arg;
    struct router_session session; /* valid while fn != NULL */
    uint32_t loop, loops;
};

struct router_queue {
    struct router_request *head, **tail;
    size_t n;
};

struct router_peer {
    struct routers *routers;
    char id[64], address[128];
    struct pipe *pipe;
    struct router_queue waiting;
    bool live; /* scratch of routers_update() */
};

struct router_peer *router_peer_open(struct routers *routers, const struct member *member);
/* It may be another life of the same one, as MEMBER says. */
void router_peer_want(struct router_peer *peer, const struct member *member);
/* What is unanswered gets ROUTER_AWAY. */
void router_peer_close(struct router_peer *peer);
/* False: its stream is broken, or does not open. */
bool router_peer_is_up(const struct router_peer *peer);
/* False: the router is away. */
bool router_peer_submit(struct router_peer *peer, struct router_request *request);

void router_queue_init(struct router_queue *queue);
void router_queue_add(struct router_queue *queue, struct router_request *request);
struct router_request *router_queue_take(struct router_queue *queue);

/* In routers.c: answers (if nobody did yet) and frees. */
void router_request_finish(struct router_request *request, const struct router_answer *answer);
struct logic *routers_logic(const struct routers *routers);

#endif
