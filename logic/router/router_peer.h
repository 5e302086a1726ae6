/* router_peer.h - one router: its pipe and the requests that wait for it. It packs batches and
 * takes replies apart. Only routers.c uses it. Main loop, except the decoding. */
#ifndef IMC_LOGIC_ROUTER_ROUTER_PEER_H
#define IMC_LOGIC_ROUTER_ROUTER_PEER_H

#include "common/rpc/pipe.h"
#include "logic/router/router_request.h"

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
