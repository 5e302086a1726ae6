/* router_peer.h - one router: its pipe, what waits for it, and how a batch is packed and its answer
 * taken apart. routers.c is the only user. Main loop, except the decoding. */
#ifndef IMC_LOGIC_ROUTER_ROUTER_PEER_H
#define IMC_LOGIC_ROUTER_ROUTER_PEER_H

#include "common/rpc/pipe.h"
#include "logic/router/router_request.h"

struct router_peer {
    struct router_requests *requests;
    char id[64], address[128];
    struct pipe *pipe;
    struct router_queue waiting;
    bool live; /* scratch of routers_update() */
};

struct router_peer *router_peer_open(struct router_requests *requests, const struct member *member);
/* It may be another life of the same one, as MEMBER says. */
void router_peer_want(struct router_peer *peer, const struct member *member);
/* What is unanswered gets ROUTER_AWAY. */
void router_peer_close(struct router_peer *peer);
/* False: its stream is broken, or does not open. */
bool router_peer_is_up(const struct router_peer *peer);
/* False: the router is away. */
bool router_peer_submit(struct router_peer *peer, struct router_request *request);

#endif
