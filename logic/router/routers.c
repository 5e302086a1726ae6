/* Chooses the router of a request, and ends requests that take too long.
 *
 *   put, del, lookup ──ring_find_uid──► peer ──► router_peer.c
 *   room, total ──ring_find───────────► peer
 *   registered, forget, count, top ───► every peer
 *   no peer, or it is away ───────────► failed: answered at the end of the turn
 *
 * The wheel answers ROUTER_AWAY to a request that takes too long. The request is freed when its
 * batch ends. */
#include "logic/router/routers.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/containers/ring.h"
#include "logic/router/router_peer.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

struct routers {
    struct logic *logic;
    struct ring *ring;
    struct router_peer **peers; /* by index in the ring */
    size_t n_peers;
    struct router_requests requests;
    struct router_queue failed;
    struct loop_task task; /* answers the requests in FAILED */
    bool closed;
};

uint64_t routers_ring(const struct routers *routers)
{
    return routers == NULL ? 0 : routers->requests.ring;
}

size_t routers_count(const struct routers *routers)
{
    return routers->n_peers;
}

size_t routers_up(const struct routers *routers)
{
    size_t up = 0;

    for (size_t i = 0; i < routers->n_peers; i++)
        up += router_peer_is_up(routers->peers[i]);
    return up;
}

/* --- requests --- */

static void link_on_failed(struct loop *loop, struct loop_task *task)
{
    struct routers *routers = container_of(task, struct routers, task);
    struct router_answer away = {.result = ROUTER_AWAY, .ring = routers->requests.ring};
    struct router_request *request;

    (void)loop;
    while ((request = router_queue_take(&routers->failed)) != NULL)
        router_request_finish(request, &away);
    if (routers->closed) {
        router_requests_close(&routers->requests);
        free(routers);
    }
}

static void submit(struct routers *routers, struct router_peer *peer,
                   struct router_request *request, uint64_t timeout_ms)
{
    if (peer != NULL && router_peer_submit(peer, request)) {
        wheel_set(routers->requests.wheel, &request->timer, timeout_ms);
        return;
    }
    router_queue_add(&routers->failed, request);
    loop_defer(routers->logic->loop, &routers->task);
}

static struct router_peer *peer_of(struct routers *routers, int64_t uid)
{
    int i = routers->ring == NULL ? -1 : ring_find_uid(routers->ring, uid);

    return i < 0 ? NULL : routers->peers[i];
}

void router_put(struct routers *routers, const struct router_session *session, uint64_t timeout_ms,
                router_fn fn, void *arg)
{
    struct router_request *request = router_request_new(&routers->requests, ROUTER_PUT, fn, arg);

    loop_assert_owner(routers->logic->loop);
    request->session = *session;
    submit(routers, peer_of(routers, session->uid), request, timeout_ms);
}

void router_del(struct routers *routers, const struct router_session *session, router_fn fn,
                void *arg)
{
    struct router_request *request = router_request_new(&routers->requests, ROUTER_DEL, fn, arg);

    loop_assert_owner(routers->logic->loop);
    request->session = *session;
    submit(routers, peer_of(routers, session->uid), request,
           (uint64_t)routers->logic->config->router_timeout_ms);
}

void router_lookup(struct routers *routers, int64_t uid, uint64_t timeout_ms, router_fn fn,
                   void *arg)
{
    struct router_request *request = router_request_new(&routers->requests, ROUTER_LOOKUP, fn, arg);

    loop_assert_owner(routers->logic->loop);
    request->session.uid = uid;
    submit(routers, peer_of(routers, uid), request, timeout_ms);
}

static struct router_peer *peer_of_room(struct routers *routers, const char *room)
{
    int i = routers->ring == NULL ? -1 : ring_find(routers->ring, room, strlen(room));

    return i < 0 ? NULL : routers->peers[i];
}

void router_room(struct routers *routers, const struct router_room *room, router_fn fn, void *arg)
{
    struct router_request *request = router_request_new(&routers->requests, ROUTER_ROOM, fn, arg);

    loop_assert_owner(routers->logic->loop);
    request->session = (struct router_session){
        .comet = room->comet, .epoch = room->epoch, .key = "", .room = room->room};
    request->loop = room->loop;
    request->members = room->sessions;
    request->number = room->number;
    request->foreign = room->foreign;
    submit(routers, peer_of_room(routers, room->room), request,
           (uint64_t)routers->logic->config->router_timeout_ms);
}

void router_total(struct routers *routers, const char *room, router_fn fn, void *arg)
{
    struct router_request *request = router_request_new(&routers->requests, ROUTER_TOTAL, fn, arg);

    loop_assert_owner(routers->logic->loop);
    request->session.room = room;
    submit(routers, peer_of_room(routers, room), request,
           (uint64_t)routers->logic->config->router_timeout_ms);
}

/* Sends the same request to every router. Returns how many there are. */
static size_t submit_all(struct routers *routers, const struct router_request *like)
{
    for (size_t i = 0; i < routers->n_peers; i++) {
        struct router_request *request =
            router_request_new(&routers->requests, like->kind, like->fn, like->arg);
        request->session = like->session;
        request->loop = like->loop;
        request->loops = like->loops;
        request->limit = like->limit;
        request->by_name = like->by_name;
        submit(routers, routers->peers[i], request,
               (uint64_t)routers->logic->config->router_timeout_ms);
    }
    return routers->n_peers;
}

size_t router_registered(struct routers *routers, const struct router_session *comet, uint32_t loop,
                         uint32_t loops, router_fn fn, void *arg)
{
    struct router_request like = {.kind = ROUTER_REGISTERED,
                                  .fn = fn,
                                  .arg = arg,
                                  .session = *comet,
                                  .loop = loop,
                                  .loops = loops};

    loop_assert_owner(routers->logic->loop);
    return submit_all(routers, &like);
}

size_t router_forget(struct routers *routers, const char *comet, router_fn fn, void *arg)
{
    struct router_request like = {
        .kind = ROUTER_FORGET, .fn = fn, .arg = arg, .session.comet = comet};

    loop_assert_owner(routers->logic->loop);
    return submit_all(routers, &like);
}

size_t router_count(struct routers *routers, enum router_count what, router_fn fn, void *arg)
{
    enum router_kind kind = what == ROUTER_COUNT_ROOMS ? ROUTER_ROOMS : ROUTER_COMETS;
    struct router_request like = {.kind = kind, .fn = fn, .arg = arg};

    loop_assert_owner(routers->logic->loop);
    return submit_all(routers, &like);
}

size_t router_top(struct routers *routers, const struct router_list *list, router_fn fn, void *arg)
{
    struct router_request like = {.kind = ROUTER_TOP,
                                  .fn = fn,
                                  .arg = arg,
                                  .session.room = list->prefix,
                                  .session.key = list->after,
                                  .by_name = list->by_name,
                                  .limit = list->limit};

    loop_assert_owner(routers->logic->loop);
    if (routers->n_peers > 0)
        return submit_all(routers, &like);
    submit(routers, NULL, router_request_new(&routers->requests, ROUTER_TOP, fn, arg), 0);
    return 1;
}

/* --- the ring --- */

static struct router_peer *peer_find(struct routers *routers, const struct member *member)
{
    for (size_t i = 0; i < routers->n_peers; i++) {
        struct router_peer *peer = routers->peers[i];
        if (strcmp(peer->id, member->id) == 0 && strcmp(peer->address, member->rpc) == 0)
            return peer;
    }
    return NULL;
}

void routers_update(struct routers *routers)
{
    const struct member_list *list = membership_list(routers->logic->membership, MEMBER_ROUTER);
    struct router_peer **old = routers->peers;
    size_t n_old = routers->n_peers;
    struct router_peer **peers = mem_zalloc((list->n + 1) * sizeof(void *));

    loop_assert_owner(routers->logic->loop);
    for (size_t i = 0; i < list->n; i++) {
        peers[i] = peer_find(routers, &list->members[i]);
        if (peers[i] == NULL)
            peers[i] = router_peer_open(&routers->requests, &list->members[i]);
        else
            router_peer_want(peers[i], &list->members[i]);
        peers[i]->live = true;
    }
    ring_free(routers->ring);
    routers->ring = member_list_ring(list);
    routers->requests.ring = ring_hash(routers->ring);
    routers->peers = peers;
    routers->n_peers = list->n;
    metric_set(routers->logic->counters, LOGIC_ROUTERS, (int64_t)list->n);
    log_info("routers changed", "routers=%zu ring=%016" PRIx64, list->n, routers->requests.ring);
    /* Last, when the new ring is in force: callers whose requests end here may ask again at
     * once. */
    for (size_t i = 0; i < n_old; i++) {
        if (!old[i]->live)
            router_peer_close(old[i]);
    }
    for (size_t i = 0; i < routers->n_peers; i++)
        routers->peers[i]->live = false;
    free(old);
}

struct routers *routers_open(struct logic *logic)
{
    struct routers *routers = mem_zalloc(sizeof *routers);

    routers->logic = logic;
    router_requests_open(&routers->requests, logic);
    router_queue_init(&routers->failed);
    routers->task.run = link_on_failed;
    return routers;
}

/* Callers whose requests end here may make new ones, which fail as well. The task answers those,
 * and then frees the rest. */
void routers_close(struct routers *routers)
{
    if (routers == NULL)
        return;
    loop_assert_owner(routers->logic->loop);
    size_t n = routers->n_peers;
    routers->n_peers = 0;
    ring_free(routers->ring);
    routers->ring = NULL;
    routers->requests.ring = 0;
    for (size_t i = 0; i < n; i++)
        router_peer_close(routers->peers[i]);
    free(routers->peers);
    router_requests_stop(&routers->requests);
    routers->closed = true;
    loop_defer(routers->logic->loop, &routers->task);
}
